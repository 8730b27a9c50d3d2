use hedge_sim::binance::{ApiKey, ExchangeConfig};
use reqwest::Method;

use crate::kit::{Desk, config, sign, wall_ms};

const SECRET: &str = "unit-test-secret-0123456789abcdefABCDEF";

/// A venue whose clock shows the time of the vectors and whose account has their secret.
async fn desk(at_ms: i64) -> Desk {
    let start_ms = Some(at_ms);
    Desk::open(ExchangeConfig { api_key: ApiKey::new("unit-test-key", SECRET), start_ms, ..config() }).await
}

#[tokio::test]
async fn vector_a_is_let_in_with_everything_in_the_query() {
    let desk = desk(1_795_168_800_123).await;
    let query = "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET&quantity=0.250&newClientOrderId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=4000&timestamp=1795168800123&signature=2fa44c9bdd4a46ff7eab080bf7943f695eb97f8f50f97eb503c1a4a07cfcb490";
    let reply = desk.send(Method::POST, "/fapi/v1/order", query, None, Some("unit-test-key")).await;
    // One-way account: the signature passed, the order's leg does not fit.
    reply.refused(400, -4061);
}

#[tokio::test]
async fn vector_b_is_let_in_with_query_and_body_joined_by_nothing() {
    let desk = desk(1_795_168_800_123).await;
    let query = "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET";
    let body = "quantity=0.250&newClientOrderId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=4000&timestamp=1795168800123&signature=186d10a3c6a911da9b5b1e500f22c25404d8ad8c3194b38a0442a6bdbd80f591";
    desk.send(Method::POST, "/fapi/v1/order", query, Some(body), Some("unit-test-key"))
        .await
        .refused(400, -4061);
}

#[tokio::test]
async fn vector_c_is_let_in_with_an_encoded_symbol() {
    let desk = desk(1_795_168_800_456).await;
    let query = "symbol=%E6%B5%8B%E8%AF%95USDT&side=BUY&positionSide=LONG&type=MARKET&quantity=30&timestamp=1795168800456&signature=c8c64fd6a014a2ed660c61e78c363e8d943deabc5dfa824d94f3b97842ad757a";
    desk.send(Method::POST, "/fapi/v1/order", query, None, Some("unit-test-key")).await.refused(400, -1121);
}

#[tokio::test]
async fn a_delete_may_carry_a_form_body() {
    let desk = Desk::open(config()).await;
    let payload = format!("symbol=ETHUSDT&timestamp={}", wall_ms());
    let body = format!("{payload}&signature={}", sign(&payload));
    let reply =
        desk.send(Method::DELETE, "/fapi/v1/allOpenOrders", "", Some(&body), Some(ApiKey::DEMO_KEY)).await;
    assert_eq!(reply.ok()["code"], 200);
}

#[tokio::test]
async fn a_signature_must_cover_what_was_sent_and_come_last() {
    let desk = Desk::open(config()).await;
    let payload = format!("timestamp={}", wall_ms());
    let signature = sign(&payload);
    let query = format!("{payload}&signature={signature}&x=1");
    desk.send_owned("/fapi/v3/balance", query, Some(ApiKey::DEMO_KEY)).await.refused(400, -1022);
}

#[tokio::test]
async fn a_wrong_signature_and_a_missing_one_have_their_own_codes() {
    let desk = Desk::open(config()).await;
    let now = wall_ms();
    let key = Some(ApiKey::DEMO_KEY);
    let balance = |query: String| desk.send_owned("/fapi/v3/balance", query, key);
    balance(format!("timestamp={now}&signature={}", "0".repeat(64))).await.refused(400, -1022);
    balance(format!("timestamp={now}&signature=not-hex")).await.refused(400, -1022);
    let msg = balance(format!("timestamp={now}")).await.refused(400, -1102);
    assert!(msg.contains("'signature'"), "{msg}");
    let msg = balance(String::new()).await.refused(400, -1102);
    assert!(msg.contains("'timestamp'"), "{msg}");
}

#[tokio::test]
async fn keys_are_missing_malformed_or_unknown() {
    let desk = Desk::open(config()).await;
    let payload = format!("timestamp={}", wall_ms());
    let query = format!("{payload}&signature={}", sign(&payload));
    let unknown = "A".repeat(64);
    for (key, code) in [(None, -2014), (Some("short"), -2014), (Some(unknown.as_str()), -2015)] {
        desk.send(Method::GET, "/fapi/v3/balance", &query, None, key).await.refused(401, code);
    }
    // A listenKey needs the key alone.
    desk.send(Method::POST, "/fapi/v1/listenKey", "", None, None).await.refused(401, -2014);
    assert_eq!(desk.listen_key().await.len(), 64);
}

#[tokio::test]
async fn an_upper_case_signature_is_as_good() {
    let desk = Desk::open(config()).await;
    let payload = format!("timestamp={}", wall_ms());
    let query = format!("{payload}&signature={}", sign(&payload).to_uppercase());
    desk.send_owned("/fapi/v3/balance", query, Some(ApiKey::DEMO_KEY)).await.ok();
}

#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let desk = Desk::open(config()).await;
    desk.signed(Method::GET, "/fapi/v3/balance", "a=1&a=2").await.refused(400, -1101);
}

impl Desk {
    async fn send_owned(&self, path: &str, query: String, key: Option<&str>) -> crate::kit::Reply {
        self.send(Method::GET, path, &query, None, key).await
    }
}
