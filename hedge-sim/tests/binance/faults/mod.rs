//! Every fault as a client meets it.

mod acts;
mod events;
mod http;
mod lockstep;
mod requests;
mod sockets;

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::Desk;

pub(crate) const BUY: &str =
    "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500&newClientOrderId=chaos-1";

/// Whether a request came to its answer.
pub(crate) enum Ending {
    Answered,
    Cut,
}

impl Desk {
    /// Arms a fault over HTTP.
    pub(crate) async fn arm(&self, fault: Value) -> Value {
        let (status, answer) = self.try_arm(&fault).await;
        assert_eq!(status, 200, "{fault}: {answer}");
        answer
    }

    pub(crate) async fn try_arm(&self, fault: &Value) -> (u16, Value) {
        self.sim(Method::POST, "/sim/faults", &fault.to_string()).await
    }

    pub(crate) async fn sim(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.exchange.rest_url());
        let response = self.http.request(method, url).body(body.to_owned()).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    /// A signed request whose connection may be cut.
    pub(crate) async fn try_signed(&self, method: Method, path: &str, query: &str) -> Ending {
        let payload = format!("{query}&timestamp={}", self.exchange.now_ms());
        let url =
            format!("{}{path}?{payload}&signature={}", self.exchange.rest_url(), crate::kit::sign(&payload));
        let request =
            self.http.request(method, url).header("X-MBX-APIKEY", hedge_sim::binance::ApiKey::DEMO_KEY);
        match request.send().await {
            Ok(_) => Ending::Answered,
            Err(error) => {
                assert!(error.is_request() && !error.is_timeout() && !error.is_connect(), "{error:?}");
                Ending::Cut
            }
        }
    }

    /// The account's order of that client id, if the exchange has it.
    pub(crate) fn has_order(&self, client_id: &str) -> bool {
        let orders = self.exchange.orders(Some("ETHUSDT")).unwrap();
        orders.iter().any(|order| order.client_order_id == client_id)
    }

    /// The only fault of the list.
    pub(crate) async fn listed(&self) -> Value {
        let (_, list) = self.sim(Method::GET, "/sim/faults", "").await;
        assert_eq!(list["faults"].as_array().unwrap().len(), 1, "{list}");
        list["faults"][0].clone()
    }
}

pub(crate) fn order_match() -> Value {
    json!({"method": "POST", "path": "/fapi/v1/order"})
}
