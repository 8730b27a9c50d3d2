//! Several orders in one request. Source: fact sheet 4.4.

use hedge_core::OrderRef;
use hedge_http::{Method, limiter::Priority};

use super::{Amendment, ApiRequest, Cost, NewOrder, Pairs, Params, Security};

/// Orders that one batch may place or modify.
pub const MAX_BATCH_ORDERS: usize = 5;
/// Orders that one batch may cancel.
pub const MAX_BATCH_CANCELS: usize = 10;

/// `POST /fapi/v1/batchOrders`: plain orders only.
pub fn place_batch<'a>(orders: impl Iterator<Item = &'a NewOrder> + Clone) -> ApiRequest {
    let priority = orders.clone().map(NewOrder::priority).min().unwrap_or(Priority::Open);
    batch(Method::Post, orders.map(NewOrder::pairs), priority)
}

/// `PUT /fapi/v1/batchOrders`.
pub fn modify_batch<'a>(orders: impl Iterator<Item = &'a Amendment> + Clone) -> ApiRequest {
    let priority = orders.clone().map(Amendment::priority).min().unwrap_or(Priority::Open);
    batch(Method::Put, orders.map(Amendment::pairs), priority)
}

fn batch(method: Method, items: impl Iterator<Item = Pairs>, priority: Priority) -> ApiRequest {
    let list: Vec<String> = items.map(|pairs| object(&pairs)).collect();
    ApiRequest {
        method,
        path: "/fapi/v1/batchOrders",
        params: Params::new().with("batchOrders", format_args!("[{}]", list.join(","))),
        security: Security::Signed,
        cost: Cost::Batch,
        priority,
    }
}

/// A JSON object of texts, in the order of its pairs.
fn object(pairs: &Pairs) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let fields: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value))).collect();
    format!("{{{}}}", fields.join(","))
}

/// What a batch of cancels names its orders by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchCancel {
    /// All by number.
    Numbers(Vec<i64>),
    /// All by client id.
    ClientIds(Vec<String>),
}

impl BatchCancel {
    /// Plain orders, all named the same way: the venue reads only one of both lists.
    ///
    /// # Errors
    /// What is wrong with the list.
    pub fn new(orders: &[OrderRef]) -> Result<Self, &'static str> {
        if orders.is_empty() || orders.len() > MAX_BATCH_CANCELS {
            return Err("a batch cancels 1 to 10 orders");
        }
        let number = |order: &OrderRef| match order {
            OrderRef::Plain(id) | OrderRef::Algo { child: Some(id), .. } => Some(id.0),
            _ => None,
        };
        let client_id = |order: &OrderRef| match order {
            OrderRef::Client { space: hedge_core::OrderSpace::Plain, id } => Some(id.as_str().to_owned()),
            _ => None,
        };
        if let Some(numbers) = orders.iter().map(number).collect() {
            return Ok(Self::Numbers(numbers));
        }
        orders.iter().map(client_id).collect::<Option<_>>().map(Self::ClientIds).ok_or(
            "a batch cancels plain orders that are all named by number or all by client id; cancel conditional ones one by one",
        )
    }

    /// `DELETE /fapi/v1/batchOrders`.
    pub fn request(&self, symbol: &str) -> ApiRequest {
        let params = Params::new().with("symbol", symbol);
        let params = match self {
            Self::Numbers(numbers) => {
                let list: Vec<String> = numbers.iter().map(i64::to_string).collect();
                params.with("orderIdList", format_args!("[{}]", list.join(",")))
            }
            Self::ClientIds(ids) => {
                let list: Vec<String> =
                    ids.iter().map(|id| serde_json::Value::from(id.as_str()).to_string()).collect();
                params.with("origClientOrderIdList", format_args!("[{}]", list.join(",")))
            }
        };
        ApiRequest::command(Method::Delete, "/fapi/v1/batchOrders", 1, Priority::Protect, params)
    }
}
