//! One REST request before it has a timestamp, and how it is signed.

use hedge_http::{
    Method,
    limiter::{PoolName, PoolSpec, Priority},
    sign::{SignError, Signer},
};

use super::params::{Params, push_int};

/// Who may ask. Source: fact sheet 2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Anybody.
    Open,
    /// The API key in a header, no signature (`listenKey`).
    Key,
    /// Key and signature.
    Signed,
}

/// A budget that the venue keeps. Source: fact sheet 6.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Name, as in the response header after `x-mbx-`.
    pub name: PoolName,
    /// Length of its calendar window.
    pub window_ms: i64,
    /// Units per window in production; exchangeInfo of the host may say otherwise.
    pub limit: u32,
}

impl Pool {
    /// The limiter's form.
    pub const fn spec(&self) -> PoolSpec {
        PoolSpec::new(self.name, self.window_ms, self.limit)
    }
}

const WEIGHT_1M: PoolName = "used-weight-1m";
const ORDERS_10S: PoolName = "order-count-10s";
const ORDERS_1M: PoolName = "order-count-1m";
const FUNDING_5M: PoolName = "funding-5m";
const STATISTICS_5M: PoolName = "statistics-5m";

/// Every budget. Header names are matched against the first three; the others have no header.
pub const POOLS: [Pool; 5] = [
    Pool { name: WEIGHT_1M, window_ms: 60_000, limit: 2_400 },
    Pool { name: ORDERS_10S, window_ms: 10_000, limit: 300 },
    Pool { name: ORDERS_1M, window_ms: 60_000, limit: 1_200 },
    Pool { name: FUNDING_5M, window_ms: 300_000, limit: 500 },
    Pool { name: STATISTICS_5M, window_ms: 300_000, limit: 1_000 },
];

/// Room for the window, the timestamp and the signature.
const SIGNED_BYTES: usize = 128;

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// IP weight.
    Weight(u32),
    /// One order, no IP weight (placing and modifying; fact sheet 4.4 and 5.1).
    Order,
    /// Five orders of the short window, one of the long one, and 5 of IP weight, however many orders are in it (batch placing
    /// and modifying; fact sheet 4.4).
    Batch,
    /// One unit of the funding pool (fact sheet 4.1).
    Funding,
    /// One unit of the pool of `/futures/data` (fact sheet 4.1).
    Statistics,
}

impl Cost {
    /// Units per pool.
    pub const fn pools(self) -> [(PoolName, u32); 3] {
        match self {
            Self::Weight(weight) => [(WEIGHT_1M, weight), (ORDERS_10S, 0), (ORDERS_1M, 0)],
            Self::Order => [(ORDERS_10S, 1), (ORDERS_1M, 1), (WEIGHT_1M, 0)],
            Self::Batch => [(ORDERS_10S, 5), (ORDERS_1M, 1), (WEIGHT_1M, 5)],
            Self::Funding => [(FUNDING_5M, 1), (WEIGHT_1M, 0), (ORDERS_1M, 0)],
            Self::Statistics => [(STATISTICS_5M, 1), (WEIGHT_1M, 0), (ORDERS_1M, 0)],
        }
    }

    /// The pool that a 429 without further word is about.
    pub const fn main_pool(self) -> PoolName {
        self.pools()[0].0
    }
}

/// One request: what, where, who pays, and how urgent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    /// Verb.
    pub method: Method,
    /// Path from the root, e.g. `/fapi/v1/order`.
    pub path: &'static str,
    /// Parameters without timestamp and signature.
    pub params: Params,
    /// Key and signature.
    pub security: Security,
    /// Price.
    pub cost: Cost,
    /// Share of the budgets it may use.
    pub priority: Priority,
}

impl ApiRequest {
    /// A read that anybody may make.
    pub const fn public(path: &'static str, weight: u32, params: Params) -> Self {
        Self::get(path, Security::Open, weight, params)
    }

    /// A read that wants the key and no signature (`historicalTrades`).
    pub const fn keyed_read(path: &'static str, weight: u32, params: Params) -> Self {
        Self::get(path, Security::Key, weight, params)
    }

    /// A read that one of the pools of its own pays for.
    pub const fn from_pool(path: &'static str, cost: Cost, params: Params) -> Self {
        Self { method: Method::Get, path, params, security: Security::Open, cost, priority: Priority::Read }
    }

    /// A read of the account.
    pub const fn signed_read(path: &'static str, weight: u32, params: Params) -> Self {
        Self::get(path, Security::Signed, weight, params)
    }

    const fn get(path: &'static str, security: Security, weight: u32, params: Params) -> Self {
        Self {
            method: Method::Get,
            path,
            params,
            security,
            cost: Cost::Weight(weight),
            priority: Priority::Read,
        }
    }

    /// A change of settings or orders other than placing.
    pub const fn command(
        method: Method,
        path: &'static str,
        weight: u32,
        priority: Priority,
        params: Params,
    ) -> Self {
        Self { method, path, params, security: Security::Signed, cost: Cost::Weight(weight), priority }
    }

    /// The listen key: keyed, not signed. It must not starve behind other reads, so it may use the whole budget.
    pub const fn listen_key(method: Method) -> Self {
        Self {
            method,
            path: "/fapi/v1/listenKey",
            params: Params::new(),
            security: Security::Key,
            cost: Cost::Weight(1),
            priority: Priority::Protect,
        }
    }

    /// The whole query string: parameters, then the window and timestamp, then the signature as the last one.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn signed_query(
        &self,
        recv_window_ms: u32,
        timestamp_ms: i64,
        signer: &dyn Signer,
    ) -> Result<String, SignError> {
        let mut query = Vec::with_capacity(self.params.as_bytes().len() + SIGNED_BYTES);
        self.append_signed_query(&mut query, recv_window_ms, timestamp_ms, signer)?;
        Ok(text(query))
    }

    /// The same for a request that is sent once and not looked at again: nothing is copied.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn into_signed_query(
        self,
        recv_window_ms: u32,
        timestamp_ms: i64,
        signer: &dyn Signer,
    ) -> Result<String, SignError> {
        let mut query = self.params.into_bytes();
        push_timing(&mut query, 0, recv_window_ms, timestamp_ms);
        signer.append_signature(&mut query, 0)?;
        Ok(text(query))
    }

    /// The same at the end of a URL.
    pub(crate) fn append_signed_query(
        &self,
        url: &mut Vec<u8>,
        recv_window_ms: u32,
        timestamp_ms: i64,
        signer: &dyn Signer,
    ) -> Result<(), SignError> {
        let from = url.len();
        url.extend_from_slice(self.params.as_bytes());
        push_timing(url, from, recv_window_ms, timestamp_ms);
        signer.append_signature(url, from)
    }

    /// What is signed: the parameters, the window and the timestamp.
    pub fn payload(&self, recv_window_ms: u32, timestamp_ms: i64) -> String {
        let mut payload = self.params.as_bytes().to_vec();
        push_timing(&mut payload, 0, recv_window_ms, timestamp_ms);
        text(payload)
    }
}

fn push_timing(text: &mut Vec<u8>, from: usize, recv_window_ms: u32, timestamp_ms: i64) {
    let name: &[u8] = if text.len() == from { b"recvWindow=" } else { b"&recvWindow=" };
    text.extend_from_slice(name);
    push_int(text, recv_window_ms.into());
    text.extend_from_slice(b"&timestamp=");
    push_int(text, timestamp_ms);
}

/// Everything in it was written as ASCII.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// Both halves of a request that is split between query and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedParts<'a> {
    /// Encoded query.
    pub query: &'a str,
    /// Encoded body.
    pub body: &'a str,
}

/// Signs query and body as one payload: plainly joined, nothing in between (fact sheet 2.2, rule 2).
///
/// # Errors
/// When the key cannot sign.
pub fn sign_split(parts: SignedParts<'_>, signer: &dyn Signer) -> Result<String, SignError> {
    signer.sign([parts.query, parts.body].concat().as_bytes())
}

#[cfg(test)]
mod tests {
    use hedge_http::{secret::Secret, sign::HmacSha256Hex};

    use super::{super::ws_api_payload, *};

    fn signer() -> HmacSha256Hex {
        HmacSha256Hex::new(&Secret::new("unit-test-secret-0123456789abcdefABCDEF".to_owned())).unwrap()
    }

    #[test]
    fn vector_a_all_in_the_query() {
        let request = ApiRequest::command(
            Method::Post,
            "/fapi/v1/order",
            0,
            Priority::Protect,
            Params::new()
                .with("symbol", "ETHUSDT")
                .with("side", "SELL")
                .with("positionSide", "LONG")
                .with("type", "MARKET")
                .with("quantity", "0.250")
                .with("newClientOrderId", "x1_close-long.7")
                .with("newOrderRespType", "RESULT"),
        );
        assert_eq!(
            request.signed_query(4_000, 1_795_168_800_123, &signer()).unwrap(),
            "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET&quantity=0.250\
             &newClientOrderId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=4000&timestamp=1795168800123\
             &signature=2fa44c9bdd4a46ff7eab080bf7943f695eb97f8f50f97eb503c1a4a07cfcb490"
        );
        let copied = request.signed_query(4_000, 1_795_168_800_123, &signer()).unwrap();
        assert!(copied.starts_with(&format!("{}&signature=", request.payload(4_000, 1_795_168_800_123))));
        assert_eq!(request.into_signed_query(4_000, 1_795_168_800_123, &signer()).unwrap(), copied);
    }

    #[test]
    fn vector_b_query_and_body_are_joined_without_a_separator() {
        let parts = SignedParts {
            query: "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET",
            body: "quantity=0.250&newClientOrderId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=4000\
                   &timestamp=1795168800123",
        };
        assert_eq!(
            sign_split(parts, &signer()).unwrap(),
            "186d10a3c6a911da9b5b1e500f22c25404d8ad8c3194b38a0442a6bdbd80f591"
        );
    }

    #[test]
    fn vector_c_a_chinese_symbol_is_encoded_before_it_is_signed() {
        let payload = Params::new()
            .with("symbol", "测试USDT")
            .with("side", "BUY")
            .with("positionSide", "LONG")
            .with("type", "MARKET")
            .with("quantity", "30")
            .with("timestamp", "1795168800456");
        let payload = payload.encoded();
        assert_eq!(
            signer().sign(payload.as_bytes()).unwrap(),
            "c8c64fd6a014a2ed660c61e78c363e8d943deabc5dfa824d94f3b97842ad757a"
        );
    }

    #[test]
    fn vector_d_the_websocket_api_signs_sorted_raw_parameters() {
        let payload = ws_api_payload(&[
            ("symbol", "ETHUSDT"),
            ("side", "BUY"),
            ("positionSide", "LONG"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.250"),
            ("price", "2500.00"),
            ("recvWindow", "4000"),
            ("timestamp", "1795168800789"),
            ("apiKey", "unit-test-key"),
        ]);
        assert_eq!(
            signer().sign(payload.as_bytes()).unwrap(),
            "fe4f185b2230e70605355bc1f2d3a2c6e26b211f39f6cd565bdb6414c58c1eb1"
        );
    }

    #[test]
    fn the_vendors_published_vector_holds() {
        let secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
        let signer = HmacSha256Hex::new(&Secret::new(secret.to_owned())).unwrap();
        let payload = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000\
                       &timestamp=1591702613943";
        assert_eq!(
            signer.sign(payload.as_bytes()).unwrap(),
            "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
        );
    }

    #[test]
    fn placing_costs_orders_and_everything_else_costs_weight() {
        assert_eq!(Cost::Order.pools(), [(ORDERS_10S, 1), (ORDERS_1M, 1), (WEIGHT_1M, 0)]);
        assert_eq!(Cost::Batch.pools(), [(ORDERS_10S, 5), (ORDERS_1M, 1), (WEIGHT_1M, 5)]);
        assert_eq!(Cost::Weight(40).main_pool(), WEIGHT_1M);
    }
}
