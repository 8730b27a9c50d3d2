use reqwest::Method;
use serde_json::Value;

use crate::kit::{Desk, config, number};

#[tokio::test]
async fn the_four_hedge_orders_open_and_close_their_own_legs() {
    let desk = Desk::hedged(config()).await;
    for (side, leg) in [("BUY", "LONG"), ("SELL", "SHORT")] {
        let query = format!(
            "symbol=ETHUSDT&side={side}&positionSide={leg}&type=MARKET&quantity=0.500&newOrderRespType=RESULT"
        );
        let order = desk.order(&query).await.ok();
        assert_eq!((&order["status"], &order["executedQty"]), (&"FILLED".into(), &"0.500".into()), "{order}");
        assert_eq!(order["reduceOnly"], false);
    }
    let amounts = amounts(&desk).await;
    assert_eq!(amounts, [("LONG".to_owned(), 0.5), ("SHORT".to_owned(), -0.5)]);
    for (side, leg) in [("SELL", "LONG"), ("BUY", "SHORT")] {
        let query = format!(
            "symbol=ETHUSDT&side={side}&positionSide={leg}&type=MARKET&quantity=0.500&newOrderRespType=RESULT"
        );
        let order = desk.order(&query).await.ok();
        assert_eq!((&order["status"], &order["reduceOnly"]), (&"FILLED".into(), &true.into()), "{order}");
    }
    let rows = desk.signed(Method::GET, "/fapi/v3/positionRisk", "").await.ok();
    assert_eq!(rows.as_array().unwrap().len(), 0, "a missing v3 row means flat: {rows}");
}

async fn amounts(desk: &Desk) -> Vec<(String, f64)> {
    let rows = desk.signed(Method::GET, "/fapi/v3/positionRisk", "symbol=ETHUSDT").await.ok();
    let row = |row: &Value| (row["positionSide"].as_str().unwrap().to_owned(), number(&row["positionAmt"]));
    rows.as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn hedge_mode_refuses_what_belongs_to_one_way_mode() {
    let desk = Desk::hedged(config()).await;
    let base = "symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.500";
    desk.order(base).await.refused(400, -4061);
    desk.order(&format!("{base}&positionSide=BOTH")).await.refused(400, -4061);
    desk.order(&format!("{base}&positionSide=UP")).await.refused(400, -4060);
    for flag in ["true", "false"] {
        let msg =
            desk.order(&format!("{base}&positionSide=LONG&reduceOnly={flag}")).await.refused(400, -1106);
        assert_eq!(msg, "Parameter 'reduceonly' sent when not required.");
    }
}

#[tokio::test]
async fn one_way_mode_refuses_a_leg_and_takes_reduce_only() {
    let desk = Desk::open(config()).await;
    let base = "symbol=ETHUSDT&type=MARKET&quantity=0.500";
    desk.order(&format!("{base}&side=BUY&positionSide=LONG")).await.refused(400, -4061);
    desk.order(&format!("{base}&side=BUY")).await.ok();
    let close = format!("{base}&side=SELL&reduceOnly=true&newOrderRespType=RESULT");
    assert_eq!(desk.order(&close).await.ok()["status"], "FILLED");
    desk.order(&close).await.refused(400, -2022);
}

#[tokio::test]
async fn closing_more_than_the_leg_is_refused() {
    let desk = Desk::hedged(config()).await;
    let close = "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET";
    desk.order(&format!("{close}&quantity=0.001")).await.refused(400, -2022);
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500").await.ok();
    desk.order(&format!("{close}&quantity=0.501")).await.refused(400, -2022);
    desk.order(&format!("{close}&quantity=0.500")).await.ok();
}

#[tokio::test]
async fn an_ack_tells_of_a_new_order_and_no_average_price() {
    let desk = Desk::hedged(config()).await;
    let order = "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500";
    let ack = desk.order(order).await.ok();
    assert_eq!((&ack["status"], &ack["executedQty"]), (&"NEW".into(), &"0.000".into()));
    let result = desk.order(&format!("{order}&newOrderRespType=RESULT&newClientOrderId=mine-1")).await.ok();
    for reply in [&ack, &result] {
        assert!(reply.get("avgPrice").is_none() && reply.get("cumQuote").is_none(), "{reply}");
        assert!(
            reply["orderId"].is_i64() && reply["updateTime"].is_i64() && reply["closePosition"].is_boolean()
        );
    }
    let row =
        desk.signed(Method::GET, "/fapi/v1/order", "symbol=ETHUSDT&origClientOrderId=mine-1").await.ok();
    assert_eq!(row["orderId"], result["orderId"]);
    assert!(number(&row["avgPrice"]) > 0.0 && number(&row["cumQuote"]) > 0.0);
    assert!(row["time"].is_i64() && row.get("cumQty").is_none());
    let trades = desk.signed(Method::GET, "/fapi/v1/userTrades", "symbol=ETHUSDT").await.ok();
    let trade = trades.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&trade["positionSide"], &trade["buyer"], &trade["maker"]),
        (&"LONG".into(), &true.into(), &false.into())
    );
    assert!(number(&trade["commission"]) > 0.0);
}

#[tokio::test]
async fn a_resting_limit_order_lives_in_open_orders_until_it_is_cancelled() {
    let desk = Desk::hedged(config()).await;
    let price = (desk.last("ETHUSDT").await * 0.97 * 100.0).floor() / 100.0;
    let query = format!(
        "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.500&price={price:.2}&newClientOrderId=rest-1"
    );
    let order = desk.order(&query).await.ok();
    desk.order(&query).await.refused(400, -4116);
    let open = desk.signed(Method::GET, "/fapi/v1/openOrders", "").await.ok();
    assert_eq!(open[0]["clientOrderId"], "rest-1");
    desk.signed(Method::GET, "/fapi/v1/openOrder", &format!("symbol=ETHUSDT&orderId={}", order["orderId"]))
        .await
        .ok();
    let cancelled =
        desk.signed(Method::DELETE, "/fapi/v1/order", "symbol=ETHUSDT&origClientOrderId=rest-1").await.ok();
    assert_eq!((&cancelled["status"], &cancelled["orderId"]), (&"CANCELED".into(), &order["orderId"]));
    desk.signed(Method::DELETE, "/fapi/v1/order", "symbol=ETHUSDT&origClientOrderId=rest-1")
        .await
        .refused(400, -2011);
    desk.signed(Method::GET, "/fapi/v1/openOrder", "symbol=ETHUSDT&origClientOrderId=rest-1")
        .await
        .refused(400, -2013);
    let all = desk.signed(Method::GET, "/fapi/v1/allOrders", "symbol=ETHUSDT").await.ok();
    assert_eq!(all.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn missing_and_malformed_parameters_are_named() {
    let desk = Desk::hedged(config()).await;
    let msg = desk.order("side=BUY&type=MARKET&quantity=1").await.refused(400, -1102);
    assert!(msg.contains("'symbol'"));
    let base = "symbol=ETHUSDT&positionSide=LONG";
    desk.order(&format!("{base}&side=BUY&type=MARKET")).await.refused(400, -1102);
    desk.order(&format!("{base}&side=HOLD&type=MARKET&quantity=1")).await.refused(400, -1117);
    desk.order(&format!("{base}&side=BUY&type=ICEBERG&quantity=1")).await.refused(400, -1116);
    desk.order(&format!("{base}&side=BUY&type=MARKET&quantity=1e3")).await.refused(400, -1102);
    desk.order(&format!("{base}&side=BUY&type=MARKET&quantity=0.5&newOrderRespType=FULL"))
        .await
        .refused(400, -1136);
    desk.order("symbol=NOPEUSDT&positionSide=LONG&side=BUY&type=MARKET&quantity=1").await.refused(400, -1121);
    desk.order(&format!("{base}&side=BUY&type=STOP_MARKET&stopPrice=1&quantity=1")).await.refused(400, -4120);
    // More decimals than allowed come before a notional that is too small.
    desk.order(&format!("{base}&side=BUY&type=MARKET&quantity=0.00001")).await.refused(400, -1111);
    desk.order(&format!("{base}&side=BUY&type=MARKET&quantity=0.001")).await.refused(400, -4164);
    desk.signed(Method::GET, "/fapi/v1/order", "symbol=ETHUSDT").await.refused(400, -1102);
    desk.signed(Method::GET, "/fapi/v1/order", "symbol=ETHUSDT&orderId=1").await.refused(400, -2013);
}

#[tokio::test]
async fn an_algo_order_is_placed_listed_and_cancelled_in_its_own_id_space() {
    let desk = Desk::hedged(config()).await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500").await.ok();
    let trigger = (desk.last("ETHUSDT").await * 0.9).floor();
    let stop = format!(
        "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&closePosition=true&triggerPrice={trigger:.2}&workingType=MARK_PRICE&clientAlgoId=sl-1"
    );
    let placed = desk.algo(&stop).await.ok();
    assert_eq!((&placed["algoStatus"], &placed["orderType"]), (&"NEW".into(), &"STOP_MARKET".into()));
    assert!(
        placed["algoId"].is_i64() && placed.get("orderId").is_none() && placed["icebergQuantity"].is_null()
    );
    let open = desk.signed(Method::GET, "/fapi/v1/openAlgoOrders", "").await.ok();
    assert_eq!((&open[0]["clientAlgoId"], &open[0]["actualOrderId"]), (&"sl-1".into(), &"".into()));
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/openOrders", "").await.ok(), Value::Array(Vec::new()));
    let second = stop.replace("sl-1", "sl-2");
    desk.algo(&second).await.refused(400, -4130);
    let cancelled = desk.signed(Method::DELETE, "/fapi/v1/algoOrder", "clientAlgoId=sl-1").await.ok();
    assert_eq!((&cancelled["code"], &cancelled["algoId"]), (&"200".into(), &placed["algoId"]));
    let row = desk.signed(Method::GET, "/fapi/v1/algoOrder", "clientAlgoId=sl-1").await.ok();
    assert_eq!((&row["algoStatus"], &row["actualQty"]), (&"CANCELED".into(), &"0.000".into()));
    desk.signed(Method::DELETE, "/fapi/v1/algoOrder", "algoId=1").await.refused(400, -2011);
}

#[tokio::test]
async fn algo_orders_need_their_own_parameters() {
    let desk = Desk::hedged(config()).await;
    desk.signed(Method::POST, "/fapi/v1/algoOrder", "symbol=ETHUSDT").await.refused(400, -1102);
    let base = "symbol=ETHUSDT&side=SELL&positionSide=LONG";
    desk.algo(&format!("{base}&type=STOP_MARKET&quantity=1")).await.refused(400, -1102);
    desk.algo(&format!("{base}&type=LIMIT&quantity=1")).await.refused(400, -1116);
    let last = desk.last("ETHUSDT").await.floor();
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500").await.ok();
    let above = format!("{base}&type=STOP_MARKET&quantity=0.5&triggerPrice={:.2}", last * 1.1);
    desk.algo(&above).await.refused(400, -2021);
    desk.algo(&format!(
        "{base}&type=STOP_MARKET&closePosition=true&quantity=0.5&triggerPrice={:.2}",
        last * 0.9
    ))
    .await
    .refused(400, -4137);
}

#[tokio::test]
async fn a_second_close_all_stop_is_a_matter_of_the_switch() {
    let accept = hedge_sim::binance::SecondCloseAll::Accept;
    let desk =
        Desk::hedged(hedge_sim::binance::ExchangeConfig { second_close_all: accept, ..config() }).await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500").await.ok();
    let trigger = (desk.last("ETHUSDT").await * 0.9).floor();
    for id in ["a", "b"] {
        let stop = format!(
            "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&closePosition=true&triggerPrice={trigger:.2}&clientAlgoId={id}"
        );
        desk.algo(&stop).await.ok();
    }
    let open = desk.signed(Method::GET, "/fapi/v1/openAlgoOrders", "symbol=ETHUSDT").await.ok();
    assert_eq!(open.as_array().unwrap().len(), 2);
    desk.signed(Method::DELETE, "/fapi/v1/algoOpenOrders", "symbol=ETHUSDT").await.ok();
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/openAlgoOrders", "").await.ok(), Value::Array(Vec::new()));
}
