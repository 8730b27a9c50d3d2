use hedge_sim::binance::ExchangeConfig;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Desk, config, number};

impl Desk {
    async fn state(&self, query: &str) -> Value {
        let (status, state) = self.sim(Method::GET, &format!("/sim/state{query}"), "").await;
        assert_eq!(status, 200, "{state}");
        state
    }
}

#[tokio::test]
async fn the_state_shows_account_orders_legs_and_prices() {
    let desk = Desk::hedged(config()).await;
    let fresh = desk.state("").await;
    let account = &fresh["accounts"][0];
    assert_eq!((&fresh["environment"], &account["hedge_mode"]), (&json!("demo"), &json!(true)));
    assert_eq!(number(&account["assets"][0]["wallet_balance"]), 10_000.0);
    assert_eq!(
        (&account["legs"], &account["orders"], &account["algo_orders"]),
        (&json!([]), &json!([]), &json!([]))
    );
    assert_eq!((&fresh["clock"]["paused"], fresh["clock"]["now"].is_i64()), (&json!(false), true));
    let low = (desk.last("ETHUSDT").await * 0.97).floor();
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500&newClientOrderId=m-1")
        .await
        .ok();
    let limit = format!(
        "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.5&price={low}&newClientOrderId=l-1"
    );
    desk.order(&limit).await.ok();
    let stop = format!(
        "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&closePosition=true&triggerPrice={low}&clientAlgoId=s-1"
    );
    desk.algo(&stop).await.ok();
    let state = desk.state("").await;
    let account = &state["accounts"][0];
    let (leg, order, algo) = (&account["legs"][0], &account["orders"][0], &account["algo_orders"][0]);
    assert_eq!(
        (&leg["symbol"], &leg["position_side"], number(&leg["qty"])),
        (&json!("ETHUSDT"), &json!("LONG"), 0.5)
    );
    assert_eq!(
        (&order["client_order_id"], &order["status"], number(&order["price"])),
        (&json!("l-1"), &json!("NEW"), low)
    );
    assert_eq!((&algo["client_algo_id"], &algo["close_position"]), (&json!("s-1"), &json!(true)));
    assert_eq!(account["orders"].as_array().unwrap().len(), 1);
    assert_eq!(state["symbols"][1]["status"], "TRADING");
    assert_eq!(
        (&state["limits"]["orders_1m"]["used"], &state["limits"]["orders_1m"]["limit"]),
        (&json!(3), &json!(1_200))
    );
    let all = desk.state("?all=1").await;
    let ids: Vec<&Value> = all["accounts"][0]["orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| &order["client_order_id"])
        .collect();
    assert_eq!(ids, [&json!("m-1"), &json!("l-1")]);
    let (status, error) = desk.sim(Method::GET, "/sim/state?every=1", "").await;
    assert!(status == 400 && error["error"].as_str().unwrap().contains("?all=1"), "{error}");
}

#[tokio::test]
async fn the_state_shows_connections_and_the_key_without_telling_it() {
    let start = ExchangeConfig { start_ms: Some(1_795_168_800_100), ..config() };
    let desk = Desk::hedged(start).await;
    assert_eq!(desk.state("").await["listen_key"], json!({"active": false, "valid_until_ms": null}));
    let key = desk.listen_key().await;
    let mut by_path = desk.socket(&format!("/private/ws/{key}")).await;
    let mut market = desk.socket("/market/stream?streams=ethusdt@aggTrade").await;
    market.next().await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5").await.ok();
    by_path.next().await;
    desk.arm(json!({"fault": "silence", "match": {"path": "/private"}})).await;
    let state = desk.state("").await;
    assert!(!state.to_string().contains(&key), "the key opens the user data");
    let sockets = state["connections"].as_array().unwrap();
    assert_eq!(
        (&sockets[0]["path"], &sockets[0]["user_data"]),
        (&json!("/private/ws/<listenKey>"), &json!(true))
    );
    assert_eq!((&sockets[0]["silent"], &sockets[1]["silent"]), (&json!(true), &json!(false)));
    assert_eq!(
        (&sockets[1]["combined"], &sockets[1]["streams"]),
        (&json!(true), &json!(["ethusdt@aggTrade"]))
    );
    assert_eq!((&state["listen_key"]["active"], &state["faults"]), (&json!(true), &json!(1)));
    let address = &state["limits"]["addresses"][0];
    assert_eq!((&address["handshakes_5m"]["used"], &address["banned_until_ms"]), (&json!(2), &Value::Null));
}
