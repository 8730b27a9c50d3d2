//! Every command, and every answer that is treated in a special way.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hedge_binance::{Prepared, SymbolSetup, prepare_account};
use hedge_core::{
    Bps, BrokerError, Brokerage, Changed, ClientOrderId, Exit, Leverage, MarginMode, Order, OrderRef,
    OrderSpace, OrderSpaces, Outcome, PositionMode, Price, RejectReason, ReportedState, Timestamp, TriggerBy,
    VenueOrderId,
};
use serde_json::{Value, json};
use support::*;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

async fn server() -> MockServer {
    let server = MockServer::start().await;
    mock_time(&server).await;
    server
}

fn market() -> hedge_core::Approved<Order> {
    close(Exit::Market).into()
}

/// What becomes of an order that is answered so, and how often it was sent.
async fn submitted(status: u16, body: Value) -> (hedge_core::SubmitError, usize) {
    let server = server().await;
    mock(&server, "POST", "/fapi/v1/order", status, body).await;
    let error = live(client(&server)).submit(&market()).await.unwrap_err();
    (error, requests(&server, "/fapi/v1/order").await.len())
}

#[tokio::test]
async fn a_market_close_is_sent_signed_and_acknowledged() {
    let server = server().await;
    mock(&server, "POST", "/fapi/v1/order", 200, order_row("FILLED")).await;
    let ack = live(client(&server)).submit(&market()).await.unwrap();
    assert_eq!(ack.order, OrderRef::Plain(VenueOrderId(70_112_233_445)));
    assert_eq!((ack.state, ack.filled.to_string()), (ReportedState::Filled, "0.250".to_owned()));
    let sent = requests(&server, "/fapi/v1/order").await.remove(0);
    let (unsigned, signed) = sent.split_once("&recvWindow=3000&timestamp=1795168799990&signature=").unwrap();
    assert_eq!(
        unsigned,
        format!(
            "POST symbol=ETHUSDT&side=SELL&type=MARKET&positionSide=LONG&quantity=0.25&newClientOrderId={CLIENT_ID}\
             &newOrderRespType=RESULT"
        )
    );
    assert_eq!(signed.len(), 64);
}

#[tokio::test]
async fn the_number_the_state_and_what_has_filled_are_enough_for_an_acknowledgement() {
    let server = server().await;
    let lean = json!({"orderId":70112233445_i64,"status":"NEW","executedQty":"0"});
    mock(&server, "POST", "/fapi/v1/order", 200, lean).await;
    mock(
        &server,
        "DELETE",
        "/fapi/v1/order",
        200,
        json!({"orderId":70112233445_i64,"status":"CANCELED","executedQty":"0"}),
    )
    .await;
    mock(
        &server,
        "POST",
        "/fapi/v1/algoOrder",
        200,
        json!({"algoId":4000000987654321_i64,"algoStatus":"NEW"}),
    )
    .await;
    let client = live(client(&server));
    let ack = client.submit(&market()).await.unwrap();
    assert_eq!((ack.client_id.as_str(), ack.state), (CLIENT_ID, ReportedState::Working));
    client.cancel(&eth(), &ack.order).await.unwrap();
    let stop = Exit::StopMarket { trigger: Price::parse("2401").unwrap(), by: TriggerBy::Mark };
    let ack = client.submit(&close(stop).into()).await.unwrap();
    assert_eq!(ack.order, OrderRef::Algo { id: VenueOrderId(4_000_000_987_654_321), child: None });
}

#[tokio::test]
async fn a_number_from_an_answer_about_another_order_names_nothing() {
    let server = server().await;
    let mut other = order_row("NEW");
    other["clientOrderId"] = json!("web_abc");
    mock(&server, "POST", "/fapi/v1/order", 200, other).await;
    let mut lean = order_row("NEW");
    lean.as_object_mut().unwrap().remove("clientOrderId");
    mock(&server, "GET", "/fapi/v1/openOrders", 200, json!([lean])).await;
    let client = live(client(&server));
    assert_eq!(client.submit(&market()).await.unwrap_err().error.outcome(), hedge_core::Outcome::Unknown);
    let rows = client.rest().open_orders(None).await.unwrap();
    assert_eq!(rows[0].client_order_id, None, "nobody has said that it is ours");
}

#[tokio::test]
async fn every_conditional_exit_goes_to_the_algo_service() {
    let trigger = Price::parse("2600").unwrap();
    let by = TriggerBy::Mark;
    let exits = [
        (Exit::StopMarket { trigger, by }, "STOP_MARKET"),
        (Exit::TakeProfitMarket { trigger, by }, "TAKE_PROFIT_MARKET"),
        (
            Exit::TrailingStop { activate: Some(trigger), callback: Bps::parse("150").unwrap(), by },
            "TRAILING_STOP_MARKET",
        ),
    ];
    for (exit, word) in exits {
        let server = server().await;
        mock(&server, "POST", "/fapi/v1/algoOrder", 200, algo_row("NEW")).await;
        let ack = live(client(&server)).submit(&close(exit).into()).await.unwrap();
        assert_eq!(ack.order, OrderRef::Algo { id: VenueOrderId(4_000_000_987_654_321), child: None });
        let sent = requests(&server, "/fapi/v1/algoOrder").await.remove(0);
        assert!(sent.contains(&format!("type={word}&positionSide=LONG&quantity=0.25")), "{sent}");
        assert!(
            sent.contains(&format!("clientAlgoId={CLIENT_ID}")) && !sent.contains("reduceOnly"),
            "{sent}"
        );
    }
}

#[tokio::test]
async fn a_protective_stop_closes_the_whole_leg_on_the_mark_price() {
    let server = server().await;
    mock(&server, "POST", "/fapi/v1/algoOrder", 200, algo_row("NEW")).await;
    live(client(&server)).submit(&stop()).await.unwrap();
    assert_eq!(
        unsigned(&requests(&server, "/fapi/v1/algoOrder").await[0]),
        format!(
            "POST algoType=CONDITIONAL&symbol=ETHUSDT&side=SELL&type=STOP_MARKET&positionSide=LONG&closePosition=true\
             &triggerPrice=2401&workingType=MARK_PRICE&clientAlgoId={CLIENT_ID}&newOrderRespType=RESULT"
        )
    );
}

#[tokio::test]
async fn refusals_are_rejections_with_their_reason_and_are_sent_once() {
    for (code, reason) in [
        (-2019, RejectReason::InsufficientMargin),
        (-2018, RejectReason::InsufficientMargin),
        (-2022, RejectReason::NothingToClose),
        (-4061, RejectReason::ModeMismatch),
        (-1106, RejectReason::BadRequest),
        (-1111, RejectReason::Filter),
        (-4164, RejectReason::Filter),
        (-4120, RejectReason::BadRequest),
        (-4131, RejectReason::Unfilled),
        (-5022, RejectReason::WouldTake),
        (-5021, RejectReason::Unfilled),
        (-2021, RejectReason::WouldTrigger),
        (-4045, RejectReason::TooManyOrders),
        (-2025, RejectReason::TooManyOrders),
        (-4130, RejectReason::SecondCloseAll),
        (-4088, RejectReason::Restricted),
        (-1121, RejectReason::NotTrading),
        (-2015, RejectReason::Auth),
        (-1022, RejectReason::Auth),
        (-5028, RejectReason::Clock),
    ] {
        let (failed, sent) = submitted(400, json!({"code":code,"msg":"no"})).await;
        assert_eq!(failed.error.reason(), Some(reason), "{code}");
        assert_eq!((failed.error.outcome(), failed.error.code(), sent), (Outcome::Rejected, Some(code), 1));
    }
}

#[tokio::test]
async fn what_may_have_been_executed_is_unknown_and_never_sent_again() {
    let unknown = "Unknown error, please check your request or try again later.";
    for (status, code, msg) in [
        (503, -1000, unknown),
        (400, -1000, "unknown"),
        (408, -1007, "Timeout waiting for response from backend server."),
        (400, -1007, "Timeout"),
        (400, -1006, "An unexpected response was received"),
        (500, -1001, "Internal error"),
        (502, 0, "bad gateway"),
        (504, 0, "gateway time-out"),
        (400, -4116, "ClientOrderId is duplicated."),
        (400, -9_999, "a code from tomorrow"),
    ] {
        let (failed, sent) = submitted(status, json!({"code":code,"msg":msg})).await;
        assert_eq!((failed.error.outcome(), sent), (Outcome::Unknown, 1), "{status} {code}");
        // Until then the venue may still accept it: timestamp plus window.
        assert_eq!(failed.acceptable_until, Some(Timestamp::from_ms(1_795_168_802_990)));
    }
}

#[tokio::test]
async fn what_the_venue_documents_as_not_executed_is_not_sent() {
    for (status, code, msg) in [
        (503, -1001, "Service Unavailable."),
        (503, -1001, "Internal error; unable to process your request. Please try again."),
        (503, -1008, "Request throttled by system-level protection."),
        (400, -1008, "Request throttled by system-level protection."),
        (400, -1016, "This service is no longer available."),
    ] {
        let (failed, sent) = submitted(status, json!({"code":code,"msg":msg})).await;
        assert_eq!((failed.error.outcome(), sent), (Outcome::NotSent, 1), "{status} {code} {msg}");
    }
}

#[tokio::test]
async fn the_firewall_executes_nothing() {
    let server = server().await;
    Mock::given(method("POST"))
        .and(path("/fapi/v1/order"))
        .respond_with(ResponseTemplate::new(403).set_body_string("<html>forbidden</html>"))
        .mount(&server)
        .await;
    let failed = live(client(&server)).submit(&market()).await.unwrap_err();
    assert_eq!(failed.error.outcome(), Outcome::NotSent);
}

#[tokio::test]
async fn too_many_orders_freeze_the_order_budget_for_as_long_as_the_venue_says() {
    let server = server().await;
    Mock::given(method("POST"))
        .and(path("/fapi/v1/order"))
        .respond_with(
            answer(429, json!({"code":-1015,"msg":"Too many new orders"})).insert_header("Retry-After", "7"),
        )
        .expect(1)
        .mount(&server)
        .await;
    mock(&server, "DELETE", "/fapi/v1/order", 200, order_row("CANCELED")).await;
    let client = live(client(&server));
    let failed = client.submit(&market()).await.unwrap_err();
    assert_eq!(
        (failed.error.outcome(), failed.error.retry_after()),
        (Outcome::NotSent, Some(Duration::from_secs(7)))
    );
    let failed = client.submit(&market()).await.unwrap_err();
    assert_eq!((failed.error.retry_after(), failed.acceptable_until), (Some(Duration::from_secs(7)), None));
    client.cancel(&eth(), &OrderRef::Plain(VenueOrderId(70_112_233_445))).await.unwrap();
}

#[tokio::test]
async fn a_weight_limit_that_an_order_runs_into_stops_the_reads_too() {
    let server = server().await;
    mock(&server, "POST", "/fapi/v1/order", 429, json!({"code":-1003,"msg":"Too many requests"})).await;
    mock(&server, "GET", "/fapi/v1/accountConfig", 200, account_config(true)).await;
    let client = live(client(&server));
    assert_eq!(client.submit(&market()).await.unwrap_err().error.outcome(), Outcome::NotSent);
    let error = client.rest().account_config().await.unwrap_err();
    assert!(matches!(error, BrokerError::RateLimited { .. }), "{error}");
    assert!(requests(&server, "/fapi/v1/accountConfig").await.is_empty());
}

#[tokio::test]
async fn a_ban_stops_everything_until_the_time_in_its_text() {
    let server = server().await;
    let msg = format!("Way too many requests; IP(203.0.113.9) banned until {}.", NOW_MS + 90_000);
    mock(&server, "POST", "/fapi/v1/order", 418, json!({"code":-1003,"msg":msg})).await;
    mock(&server, "DELETE", "/fapi/v1/order", 200, order_row("CANCELED")).await;
    let client = live(client(&server));
    let failed = client.submit(&market()).await.unwrap_err();
    assert_eq!(failed.error.retry_after(), Some(Duration::from_secs(90)));
    let error = client.cancel(&eth(), &OrderRef::Plain(VenueOrderId(1))).await.unwrap_err();
    assert!(matches!(error, BrokerError::RateLimited { .. }), "{error}");
    assert_eq!(requests(&server, "/fapi/v1/order").await.len(), 1);
}

#[tokio::test]
async fn no_ban_is_believed_to_last_longer_than_the_venue_bans() {
    let server = server().await;
    let msg = "Way too many requests; IP banned until 9999999999999.";
    mock(&server, "POST", "/fapi/v1/order", 418, json!({"code":-1003,"msg":msg})).await;
    let failed = live(client(&server)).submit(&market()).await.unwrap_err();
    assert_eq!(failed.error.retry_after(), Some(Duration::from_secs(3 * 86_400)));
}

#[tokio::test]
async fn a_refused_timestamp_is_signed_once_more_under_the_same_id() {
    let server = MockServer::start().await;
    let time = |ms: i64| answer(200, json!({ "serverTime": ms }));
    // Three samples before the first order, then the venue's clock turns out to be five seconds ahead.
    let times = vec![time(NOW_MS), time(NOW_MS), time(NOW_MS), time(NOW_MS + 5_000)];
    Mock::given(method("GET")).and(path("/fapi/v1/time")).respond_with(in_turn(times)).mount(&server).await;
    Mock::given(method("POST"))
        .and(path("/fapi/v1/order"))
        .respond_with(in_turn(vec![
            answer(
                400,
                json!({"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}),
            ),
            answer(200, order_row("FILLED")),
        ]))
        .mount(&server)
        .await;
    live(client(&server)).submit(&market()).await.unwrap();
    let sent = requests(&server, "/fapi/v1/order").await;
    assert_eq!(sent.len(), 2);
    assert_eq!(unsigned(&sent[0]), unsigned(&sent[1]), "the same order under the same id");
    assert!(
        sent[0].contains("timestamp=1795168799990") && sent[1].contains("timestamp=1795168804990"),
        "{sent:?}"
    );
}

#[tokio::test]
async fn a_second_refused_timestamp_ends_the_order_as_not_sent() {
    let (failed, sent) = submitted(400, json!({"code":-1021,"msg":"outside of the recvWindow"})).await;
    assert_eq!((failed.error.outcome(), sent), (Outcome::NotSent, 2));
}

#[tokio::test]
async fn an_order_is_not_sent_while_the_venues_clock_is_unknown() {
    let server = MockServer::start().await;
    mock(&server, "POST", "/fapi/v1/order", 200, order_row("FILLED")).await;
    let failed = live(client(&server)).submit(&market()).await.unwrap_err();
    assert_eq!((failed.error.outcome(), failed.acceptable_until), (Outcome::NotSent, None));
    assert!(requests(&server, "/fapi/v1/order").await.is_empty());
}

#[tokio::test]
async fn a_slow_answer_is_unknown_and_a_closed_port_is_not_sent() {
    let server = server().await;
    Mock::given(method("POST"))
        .and(path("/fapi/v1/order"))
        .respond_with(answer(200, order_row("FILLED")).set_delay(Duration::from_secs(30)))
        .mount(&server)
        .await;
    let client = live(client(&server));
    let failed = client.submit(&market()).await.unwrap_err();
    assert_eq!(failed.error.outcome(), Outcome::Unknown);
    drop(server);
    let nowhere =
        live(client_at("http://127.0.0.1:9", "ws://127.0.0.1:9", TestClock::at(NOW_MS), quick_streams()));
    let failed = nowhere.submit(&market()).await.unwrap_err();
    assert_eq!((failed.error.outcome(), failed.acceptable_until), (Outcome::NotSent, None));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_the_outcome_unknown() {
    let negative = json!({"orderId":1,"status":"NEW","executedQty":"-1"});
    for body in [json!({"orderId":1}), json!({}), json!({"orderId":1,"status":"NEW"}), negative, {
        let mut other = order_row("FILLED");
        other["clientOrderId"] = json!("somebodyelse");
        other
    }] {
        let (failed, _) = submitted(200, body).await;
        assert!(matches!(failed.error, BrokerError::Malformed { .. }));
        assert_eq!(failed.error.outcome(), Outcome::Unknown);
    }
}

#[tokio::test]
async fn errors_show_neither_key_nor_signature() {
    let nowhere =
        live(client_at("http://127.0.0.1:9", "ws://127.0.0.1:9", TestClock::at(NOW_MS), quick_streams()));
    let failed = nowhere.submit(&market()).await.unwrap_err();
    let shown = format!("{failed:?} {} {nowhere:?}", failed.error);
    for secret in ["signature", KEY, SECRET] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn a_cancel_goes_to_the_id_space_of_its_order() {
    let server = server().await;
    mock(&server, "DELETE", "/fapi/v1/order", 200, order_row("CANCELED")).await;
    let answer = json!({"algoId":4000000987654321_i64,"clientAlgoId":CLIENT_ID,"code":"200","msg":"success"});
    mock(&server, "DELETE", "/fapi/v1/algoOrder", 200, answer).await;
    let client = live(client(&server));
    let (plain, algo) = (VenueOrderId(70_112_233_445), VenueOrderId(4_000_000_987_654_321));
    let by_client = |space| OrderRef::Client { id: id(), space };
    for order in [
        OrderRef::Plain(plain),
        OrderRef::Algo { id: algo, child: Some(plain) },
        by_client(OrderSpace::Plain),
        OrderRef::Algo { id: algo, child: None },
        by_client(OrderSpace::Algo),
    ] {
        client.cancel(&eth(), &order).await.unwrap();
    }
    let bare = |sent: Vec<String>| sent.iter().map(|one| unsigned(one).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        bare(requests(&server, "/fapi/v1/order").await),
        [
            "DELETE symbol=ETHUSDT&orderId=70112233445".to_owned(),
            "DELETE symbol=ETHUSDT&orderId=70112233445".to_owned(),
            format!("DELETE symbol=ETHUSDT&origClientOrderId={CLIENT_ID}"),
        ]
    );
    assert_eq!(
        bare(requests(&server, "/fapi/v1/algoOrder").await),
        ["DELETE algoId=4000000987654321".to_owned(), format!("DELETE clientAlgoId={CLIENT_ID}")]
    );
}

#[tokio::test]
async fn a_cancel_that_is_answered_for_another_order_or_for_one_that_still_stands_is_unknown() {
    let plain = OrderRef::Plain(VenueOrderId(70_112_233_445));
    let algo = |id| OrderRef::Algo { id: VenueOrderId(id), child: None };
    let other = |space| OrderRef::Client { id: ClientOrderId::parse("h0sn8www00112c").unwrap(), space };
    for (order, status) in [
        (OrderRef::Plain(VenueOrderId(70_112_233_446)), "CANCELED"),
        (other(OrderSpace::Plain), "CANCELED"),
        (other(OrderSpace::Algo), "CANCELED"),
        (algo(4_000_000_987_654_322), "CANCELED"),
        (plain, "NEW"),
        (plain, "PARTIALLY_FILLED"),
        (plain, "PENDING_CANCEL"),
    ] {
        let server = server().await;
        mock(&server, "DELETE", "/fapi/v1/order", 200, order_row(status)).await;
        let answer =
            json!({"algoId":4000000987654321_i64,"clientAlgoId":CLIENT_ID,"code":"200","msg":"success"});
        mock(&server, "DELETE", "/fapi/v1/algoOrder", 200, answer).await;
        let failed = live(client(&server)).cancel(&eth(), &order).await.unwrap_err();
        assert_eq!(failed.outcome(), Outcome::Unknown, "{order:?} {status}: {failed:?}");
    }
}

#[tokio::test]
async fn cancelling_what_the_venue_does_not_know_is_not_found_and_not_success() {
    let server = server().await;
    mock(&server, "DELETE", "/fapi/v1/order", 400, json!({"code":-2011,"msg":"Unknown order sent."})).await;
    let order = OrderRef::Plain(VenueOrderId(1));
    let error = live(client(&server)).cancel(&eth(), &order).await.unwrap_err();
    assert_eq!(error.reason(), Some(RejectReason::NotFound));
}

#[tokio::test]
async fn cancelling_all_means_the_stated_id_spaces_only() {
    for (which, expected) in
        [(OrderSpaces::Plain, (1, 0)), (OrderSpaces::Algo, (0, 1)), (OrderSpaces::Both, (1, 1))]
    {
        let server = server().await;
        let done = json!({"code":200,"msg":"The operation of cancel all open order is done."});
        mock(&server, "DELETE", "/fapi/v1/allOpenOrders", 200, done.clone()).await;
        mock(&server, "DELETE", "/fapi/v1/algoOpenOrders", 200, done).await;
        live(client(&server)).cancel_all(&eth(), which).await.unwrap();
        let plain = requests(&server, "/fapi/v1/allOpenOrders").await.len();
        let algo = requests(&server, "/fapi/v1/algoOpenOrders").await.len();
        assert_eq!((plain, algo), expected);
    }
}

#[tokio::test]
async fn the_dead_man_timer_is_armed_and_disarmed() {
    let server = server().await;
    let set = |ms: &str| answer(200, json!({"symbol":"ETHUSDT","countdownTime":ms}));
    Mock::given(method("POST"))
        .and(path("/fapi/v1/countdownCancelAll"))
        .respond_with(in_turn(vec![set("120000"), set("0"), set("60000")]))
        .mount(&server)
        .await;
    let client = live(client(&server));
    client.dead_man(&eth(), Some(Duration::from_secs(120))).await.unwrap();
    client.dead_man(&eth(), None).await.unwrap();
    let error = client.dead_man(&eth(), None).await.unwrap_err();
    assert!(matches!(error, BrokerError::Malformed { .. }), "a timer that was not asked for: {error}");
    let sent = requests(&server, "/fapi/v1/countdownCancelAll").await;
    assert_eq!(unsigned(&sent[0]), "POST symbol=ETHUSDT&countdownTime=120000");
    assert_eq!(unsigned(&sent[1]), "POST symbol=ETHUSDT&countdownTime=0");
}

async fn mock_symbol_config(server: &MockServer, margin: &str, leverage: i64) {
    let rows = json!([{"symbol":"ETHUSDT","marginType":margin,"isAutoAddMargin":false,"leverage":leverage,
        "maxNotionalValue":"1000000"}]);
    mock(server, "GET", "/fapi/v1/symbolConfig", 200, rows).await;
}

fn setup() -> SymbolSetup {
    SymbolSetup { instrument: eth(), margin: MarginMode::Crossed, leverage: Leverage::new(5).unwrap() }
}

#[tokio::test]
async fn a_start_changes_nothing_when_everything_is_as_it_should_be() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v1/accountConfig", 200, account_config(true)).await;
    mock_symbol_config(&server, "CROSSED", 5).await;
    let prepared = prepare_account(&live(client(&server)), &[setup()]).await.unwrap();
    let nothing = Prepared { position_mode: Changed::No, symbols: vec![(eth(), Changed::No, Changed::No)] };
    assert_eq!(prepared, nothing);
    let all = server.received_requests().await.unwrap();
    assert!(all.iter().all(|request| request.method.as_str() == "GET"));
}

#[tokio::test]
async fn a_start_sets_what_differs_and_takes_so_already_for_success() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v1/accountConfig", 200, account_config(false)).await;
    mock_symbol_config(&server, "ISOLATED", 20).await;
    let done = json!({"code":200,"msg":"success"});
    mock(&server, "POST", "/fapi/v1/positionSide/dual", 200, done).await;
    let same = json!({"code":-4046,"msg":"No need to change margin type."});
    mock(&server, "POST", "/fapi/v1/marginType", 400, same).await;
    let set = json!({"leverage":5,"maxNotionalValue":"1000000","symbol":"ETHUSDT"});
    mock(&server, "POST", "/fapi/v1/leverage", 200, set).await;
    let prepared = prepare_account(&live(client(&server)), &[setup()]).await.unwrap();
    let changed = Prepared { position_mode: Changed::Yes, symbols: vec![(eth(), Changed::No, Changed::Yes)] };
    assert_eq!(prepared, changed);
    assert_eq!(
        unsigned(&requests(&server, "/fapi/v1/positionSide/dual").await[0]),
        "POST dualSidePosition=true"
    );
    assert_eq!(
        unsigned(&requests(&server, "/fapi/v1/marginType").await[0]),
        "POST symbol=ETHUSDT&marginType=CROSSED"
    );
    assert_eq!(unsigned(&requests(&server, "/fapi/v1/leverage").await[0]), "POST symbol=ETHUSDT&leverage=5");
}

#[tokio::test]
async fn a_mode_that_somebody_else_switched_meanwhile_is_success() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v1/accountConfig", 200, account_config(false)).await;
    let same = json!({"code":-4059,"msg":"No need to change position side."});
    mock(&server, "POST", "/fapi/v1/positionSide/dual", 400, same).await;
    let client = live(client(&server));
    assert_eq!(client.ensure_position_mode(PositionMode::Hedge).await.unwrap(), Changed::No);
}

#[tokio::test]
async fn a_blocked_mode_switch_names_what_blocks_it() {
    for code in [-4067, -4068, -4531] {
        let server = server().await;
        mock(&server, "GET", "/fapi/v1/accountConfig", 200, account_config(false)).await;
        mock(&server, "POST", "/fapi/v1/positionSide/dual", 400, json!({"code":code,"msg":"blocked"})).await;
        mock(&server, "GET", "/fapi/v1/openOrders", 200, json!([order_row("NEW")])).await;
        mock(&server, "GET", "/fapi/v1/openAlgoOrders", 200, json!([algo_row("NEW")])).await;
        mock(&server, "GET", "/fapi/v3/positionRisk", 200, position_rows()).await;
        let error = live(client(&server)).ensure_position_mode(PositionMode::Hedge).await.unwrap_err();
        assert_eq!(error.reason(), Some(RejectReason::Precondition));
        let text = error.to_string();
        for part in [
            "order ETHUSDT 70112233445",
            "conditional order ETHUSDT 4000000987654321",
            "position ETHUSDT LONG 0.750",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[tokio::test]
async fn a_leverage_that_the_venue_set_differently_is_an_error() {
    let server = server().await;
    mock_symbol_config(&server, "CROSSED", 20).await;
    let set = json!({"leverage":3,"maxNotionalValue":"1000000","symbol":"ETHUSDT"});
    mock(&server, "POST", "/fapi/v1/leverage", 200, set).await;
    let client = live(client(&server));
    let error = client.ensure_leverage(&eth(), Leverage::new(5).unwrap()).await.unwrap_err();
    assert!(matches!(error, BrokerError::Malformed { .. }), "{error}");
    assert_eq!(client.ensure_margin_mode(&eth(), MarginMode::Crossed).await.unwrap(), Changed::No);
}

#[tokio::test]
async fn a_client_armed_for_exits_closes_and_stops_and_leaves_settings_alone() {
    let server = server().await;
    mock(&server, "POST", "/fapi/v1/order", 200, order_row("FILLED")).await;
    mock(&server, "POST", "/fapi/v1/algoOrder", 200, algo_row("NEW")).await;
    mock(&server, "GET", "/fapi/v1/accountConfig", 200, account_config(false)).await;
    mock_symbol_config(&server, "ISOLATED", 20).await;
    let client = protecting(client(&server));
    client.submit(&market()).await.unwrap();
    client.submit(&stop()).await.unwrap();
    assert_eq!(client.ensure_leverage(&eth(), Leverage::new(5).unwrap()).await.unwrap(), Changed::No);
    assert_eq!(client.ensure_margin_mode(&eth(), MarginMode::Crossed).await.unwrap(), Changed::No);
    // An engine cannot work in one-way mode, and switching it is nobody's wish without consent.
    let error = client.ensure_position_mode(PositionMode::Hedge).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    for path in ["/fapi/v1/leverage", "/fapi/v1/marginType", "/fapi/v1/positionSide/dual"] {
        assert!(requests(&server, path).await.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_closing_client_closes_and_cancels_without_a_pass() {
    let server = server().await;
    mock(&server, "POST", "/fapi/v1/order", 200, order_row("FILLED")).await;
    mock(&server, "DELETE", "/fapi/v1/order", 200, order_row("CANCELED")).await;
    let done = json!({"code":200,"msg":"done"});
    mock(&server, "DELETE", "/fapi/v1/allOpenOrders", 200, done).await;
    let client = client(&server).for_closing();
    client.submit_close(&close(Exit::Market)).await.unwrap();
    client.cancel(&eth(), &OrderRef::Plain(VenueOrderId(70_112_233_445))).await.unwrap();
    client.cancel_all(&eth(), OrderSpaces::Plain).await.unwrap();
}

#[tokio::test]
async fn a_pass_of_another_account_does_not_arm() {
    use hedge_core::{PreflightPass, PreflightReport, VenueReader};
    let server = server().await;
    let now = Timestamp::from_ms(NOW_MS);
    let client = client(&server);
    let mut fingerprint = client.fingerprint().clone();
    fingerprint.key_digest = "0000000000000000".into();
    let report = PreflightReport { fingerprint, checks: Vec::new() };
    let pass = PreflightPass::issue(&report, None, "config", now).unwrap();
    assert!(client.arm(pass, now).is_err());
}

/// Collects what the client says about its orders.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Said {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{}={value:?}", field.name()));
    }
}

impl tracing::Subscriber for Said {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("hedge::order")
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push(event.metadata().target().to_owned());
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_cancel_that_fails_is_told_by_the_venues_number_and_by_our_id() {
    let said = Said::default();
    let _guard = tracing::subscriber::set_default(said.clone());
    let server = server().await;
    mock(&server, "POST", "/fapi/v1/algoOrder", 200, algo_row("NEW")).await;
    let refused = json!({"code":-2011,"msg":"Unknown order sent."});
    mock(&server, "DELETE", "/fapi/v1/algoOrder", 400, refused).await;
    let client = live(client(&server));
    let ack = client.submit(&stop()).await.unwrap();
    for order in [ack.order, OrderRef::Algo { id: VenueOrderId(5), child: None }] {
        client.cancel(&eth(), &order).await.unwrap_err();
    }
    let said = said.0.lock().unwrap().join(" | ");
    let known = format!(
        r#"{{"algoId":4000000987654321,"clientAlgoId":"{CLIENT_ID}","code":-2011,"msg":"Unknown order sent."}}"#
    );
    for part in [known.as_str(), r#"{"algoId":5,"code":-2011,"msg":"Unknown order sent."}"#] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
}

#[tokio::test]
async fn each_order_request_is_told_with_path_status_and_client_id() {
    let said = Said::default();
    let _guard = tracing::subscriber::set_default(said.clone());
    let server = server().await;
    Mock::given(method("POST"))
        .and(path("/fapi/v1/order"))
        .respond_with(in_turn(vec![
            answer(200, order_row("FILLED")),
            answer(400, json!({"code":-2019,"msg":"Margin is insufficient."})),
        ]))
        .mount(&server)
        .await;
    let client = live(client(&server));
    client.submit(&market()).await.unwrap();
    client.submit(&market()).await.unwrap_err();
    let said = said.0.lock().unwrap().join(" | ");
    for part in [
        "hedge::order_req",
        r#"path="/fapi/v1/order" | status=200 | body={"#,
        r#""clientOrderId":"h0sn8www00111c""#,
        "hedge::order_err",
        r#"status=400 | body={"code":-2019,"msg":"Margin is insufficient.","newClientOrderId":"h0sn8www00111c"}"#,
    ] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    assert!(!said.contains("signature") && !said.contains(KEY), "{said}");
}
