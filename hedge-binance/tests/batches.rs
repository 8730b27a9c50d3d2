//! Several orders in one request, and changes of orders that rest.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use hedge_core::{
    Approved, BrokerError, Close, Exit, Order, OrderRef, OrderReport, OrderSpace, Outcome, Portion, Position,
    PositionKey, PositionSide, Price, Qty, RejectReason, ReportedKind, ReportedSide, ReportedState,
    SubmitError, Term, Timestamp, VenueOrderId, gate::Gate, order::Tif,
};
use serde_json::{Value, json};
use support::*;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

const BATCH: &str = "/fapi/v1/batchOrders";

async fn server() -> MockServer {
    let server = MockServer::start().await;
    mock_time(&server).await;
    server
}

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

/// An approved limit close of the long leg under its own id.
fn take(client_id: &str, at: &str) -> Approved<Close> {
    let spec = spec();
    let id = hedge_core::ClientOrderId::parse(client_id).unwrap();
    let exit = Exit::Limit { price: price(at), tif: Tif::Gtc };
    Gate::for_closing(&spec, Term(1)).close(id, &long_position(), &Portion::All, &exit).unwrap()
}

fn order(client_id: &str) -> Approved<Order> {
    take(client_id, "2600").into()
}

fn row(client_id: &str) -> Value {
    let mut row = order_row("NEW");
    row["clientOrderId"] = json!(client_id);
    row
}

fn outcome<T>(result: &Result<T, SubmitError>) -> Option<Outcome> {
    result.as_ref().err().map(|failed| failed.error.outcome())
}

/// The outcomes of a batch of three that is answered so, and how often it was sent.
async fn three(reply: ResponseTemplate) -> (Vec<Result<hedge_core::OrderAck, SubmitError>>, usize) {
    let server = server().await;
    Mock::given(method("POST")).and(path(BATCH)).respond_with(reply).mount(&server).await;
    let orders = [order("h1"), order("h2"), order("h3")];
    let outcomes = live(client(&server)).submit_batch(&[&orders[0], &orders[1], &orders[2]]).await;
    (outcomes, requests(&server, BATCH).await.len())
}

#[tokio::test]
async fn each_order_of_a_batch_has_its_own_outcome() {
    let refused = json!({"code":-2022,"msg":"ReduceOnly Order is rejected."});
    let lost = json!({"code":-1007,"msg":"Timeout waiting for response from backend server."});
    let (outcomes, sent) = three(answer(200, json!([row("h1"), refused, lost]))).await;
    assert_eq!(sent, 1);
    let ack = outcomes[0].as_ref().unwrap();
    assert_eq!((ack.client_id.as_str(), ack.state.clone()), ("h1", ReportedState::Working));
    let error = &outcomes[1].as_ref().unwrap_err().error;
    assert_eq!(error.reason(), Some(RejectReason::NothingToClose));
    assert_eq!(outcome(&outcomes[2]), Some(Outcome::Unknown));
    let until = outcomes[2].as_ref().unwrap_err().acceptable_until;
    assert_eq!(until, Some(Timestamp::from_ms(NOW_MS - 10 + 3_000)), "when its absence can be proven");
}

#[tokio::test]
async fn when_the_answer_is_lost_nothing_is_known_about_any_order() {
    let unknown = json!({"code":-1000,"msg":"Unknown error, please check your request or try again later."});
    let late = answer(200, json!([])).set_delay(std::time::Duration::from_secs(2));
    for reply in [answer(503, unknown), late, answer(200, json!({"odd":1}))] {
        let (outcomes, sent) = three(reply).await;
        assert_eq!(sent, 1, "a batch is never sent again");
        assert_eq!(outcomes.iter().map(outcome).collect::<Vec<_>>(), [Some(Outcome::Unknown); 3]);
        assert!(outcomes.iter().all(|item| item.as_ref().unwrap_err().acceptable_until.is_some()));
    }
}

#[tokio::test]
async fn answers_that_cannot_be_matched_to_the_orders_prove_nothing() {
    let (outcomes, _) = three(answer(200, json!([row("h1"), row("h2")]))).await;
    assert_eq!(outcomes.iter().map(outcome).collect::<Vec<_>>(), [Some(Outcome::Unknown); 3]);
    let (outcomes, _) = three(answer(200, json!([row("h1"), row("h3"), row("h2")]))).await;
    assert_eq!(outcomes.iter().map(outcome).collect::<Vec<_>>(), [Some(Outcome::Unknown); 3]);
    // A refusal carries no id: had these two changed places, the refused order would be the live one.
    let refused = json!({"code":-2022,"msg":"ReduceOnly Order is rejected."});
    let (outcomes, _) = three(answer(200, json!([refused, row("h1"), row("h3")]))).await;
    assert_eq!(outcomes.iter().map(outcome).collect::<Vec<_>>(), [Some(Outcome::Unknown); 3]);
}

#[tokio::test]
async fn a_refusal_of_the_whole_batch_is_the_outcome_of_each_order() {
    let (outcomes, _) = three(answer(400, json!({"code":-1102,"msg":"Mandatory parameter missing."}))).await;
    assert_eq!(outcomes.iter().map(outcome).collect::<Vec<_>>(), [Some(Outcome::Rejected); 3]);
    let (outcomes, _) = three(answer(429, json!({"code":-1015,"msg":"Too many new orders."}))).await;
    assert_eq!(outcomes.iter().map(outcome).collect::<Vec<_>>(), [Some(Outcome::NotSent); 3]);
}

#[tokio::test]
async fn a_refused_timestamp_is_signed_again_once_and_no_order_is_lost() {
    let server = server().await;
    let clock = json!({"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."});
    let replies = in_turn(vec![answer(400, clock), answer(200, json!([row("h1")]))]);
    Mock::given(method("POST")).and(path(BATCH)).respond_with(replies).mount(&server).await;
    let outcomes = live(client(&server)).submit_batch(&[&order("h1")]).await;
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
    assert_eq!(requests(&server, BATCH).await.len(), 2);
}

#[tokio::test]
async fn an_order_that_may_not_be_sent_does_not_keep_the_others() {
    let server = server().await;
    mock(&server, "POST", BATCH, 200, json!([row("h1"), row("h3")])).await;
    let orders = [order("h1"), stop(), order("h3")];
    let outcomes = live(client(&server)).submit_batch(&[&orders[0], &orders[1], &orders[2]]).await;
    let error = outcomes[1].as_ref().unwrap_err();
    assert!(error.error.to_string().contains("conditional"), "{}", error.error);
    assert_eq!(error.acceptable_until, None);
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    let sent = requests(&server, BATCH).await.remove(0);
    assert!(!sent.contains("STOP_MARKET") && sent.contains("h1") && sent.contains("h3"), "{sent}");
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_not_sent_at_all() {
    let server = server().await;
    let orders = ["h1", "h2", "h3", "h4", "h5", "h6"].map(order);
    let outcomes = live(client(&server)).submit_batch(&orders.each_ref()).await;
    assert_eq!(outcomes.iter().map(outcome).collect::<Vec<_>>(), [Some(Outcome::NotSent); 6]);
    assert!(live(client(&server)).submit_batch(&[]).await.is_empty());
    assert!(requests(&server, BATCH).await.is_empty());
}

#[tokio::test]
async fn a_closing_client_closes_in_a_batch() {
    let server = server().await;
    mock(&server, "POST", BATCH, 200, json!([row("h1"), row("h2")])).await;
    let closes = [take("h1", "2600"), take("h2", "2650")];
    let outcomes = client(&server).for_closing().submit_close_batch(&[&closes[0], &closes[1]]).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[tokio::test]
async fn orders_are_cancelled_together_by_number_or_by_client_id_and_each_says_what_became_of_it() {
    let server = server().await;
    let gone = json!({"code":-2011,"msg":"Unknown order sent."});
    let mut canceled = order_row("CANCELED");
    canceled["orderId"] = json!(7);
    mock(&server, "DELETE", BATCH, 200, json!([canceled, gone])).await;
    let client = live(client(&server));
    let number = |id| OrderRef::Plain(VenueOrderId(id));
    let outcomes = client.cancel_batch(&eth(), &[number(7), number(8)]).await;
    assert!(outcomes[0].is_ok());
    assert_eq!(outcomes[1].as_ref().unwrap_err().reason(), Some(RejectReason::NotFound));
    let ours = OrderRef::Client { space: OrderSpace::Plain, id: id() };
    client.cancel_batch(&eth(), &[ours, ours]).await;
    let sent = requests(&server, BATCH).await;
    assert_eq!(unsigned(&sent[0]), "DELETE symbol=ETHUSDT&orderIdList=%5B7%2C8%5D");
    assert_eq!(
        unsigned(&sent[1]),
        format!("DELETE symbol=ETHUSDT&origClientOrderIdList=%5B%22{CLIENT_ID}%22%2C%22{CLIENT_ID}%22%5D")
    );
    let algo = OrderRef::Algo { id: VenueOrderId(9), child: None };
    for odd in [vec![number(7), ours], vec![algo], vec![number(7); 11]] {
        let outcomes = client.cancel_batch(&eth(), &odd).await;
        assert_eq!(outcomes.len(), odd.len());
        assert!(outcomes.iter().all(|item| matches!(item, Err(BrokerError::NotSent { .. }))), "{outcomes:?}");
    }
    assert_eq!(requests(&server, BATCH).await.len(), 2);
}

#[tokio::test]
async fn a_batch_cancel_whose_rows_are_about_other_orders_leaves_all_of_them_unknown() {
    let row = |id: i64, status: &str| {
        let mut row = order_row(status);
        row["orderId"] = json!(id);
        row
    };
    let gone = json!({"code":-2011,"msg":"Unknown order sent."});
    let number = |id| OrderRef::Plain(VenueOrderId(id));
    let outcomes = async |rows: Value| {
        let server = MockServer::start().await;
        mock_time(&server).await;
        mock(&server, "DELETE", BATCH, 200, rows).await;
        live(client(&server)).cancel_batch(&eth(), &[number(7), number(8)]).await
    };
    let unknown = |item: &Result<(), BrokerError>| {
        item.as_ref().is_err_and(|error| error.outcome() == hedge_core::Outcome::Unknown)
    };
    // A refusal names no order: the row beside it shows that places say nothing.
    for rows in [json!([row(8, "CANCELED"), row(7, "CANCELED")]), json!([gone, row(7, "CANCELED")])] {
        let found = outcomes(rows).await;
        assert!(found.iter().all(unknown), "{found:?}");
    }
    let found = outcomes(json!([row(7, "CANCELED"), row(8, "NEW")])).await;
    assert!(found[0].is_ok() && unknown(&found[1]), "one still stands: {found:?}");
}

/// A limit order that takes profit of the long leg, as the venue describes it.
fn resting() -> OrderReport {
    OrderReport {
        instrument: eth(),
        client_id: hedge_core::ReportedId::parse(CLIENT_ID),
        order: OrderRef::Plain(VenueOrderId(70_112_233_445)),
        side: ReportedSide::Long,
        order_side: hedge_core::OrderSide::Sell,
        kind: ReportedKind::Limit,
        price: Some(price("2590")),
        trigger: None,
        qty: Some(Qty::parse("0.25").unwrap()),
        filled: hedge_core::Decimal::ZERO,
        average: None,
        covers: hedge_core::Coverage::Qty,
        state: ReportedState::Working,
        reason: None,
        venue_time: Timestamp::from_ms(NOW_MS),
    }
}

fn amended(changes: &[(&str, Value)]) -> Value {
    let mut row = order_row("NEW");
    row["type"] = json!("LIMIT");
    row["price"] = json!("2600");
    row["executedQty"] = json!("0");
    for (name, value) in changes {
        row[*name] = value.clone();
    }
    row
}

#[tokio::test]
async fn a_resting_order_takes_the_approved_price_and_quantity() {
    let server = server().await;
    mock(&server, "PUT", "/fapi/v1/order", 200, amended(&[("modifyId", json!(3))])).await;
    let report = live(client(&server)).modify(&resting(), &order("h9")).await.unwrap();
    assert_eq!((report.price, report.state), (Some(price("2600")), ReportedState::Working));
    let sent = requests(&server, "/fapi/v1/order").await.remove(0);
    assert_eq!(unsigned(&sent), "PUT symbol=ETHUSDT&orderId=70112233445&side=SELL&quantity=0.25&price=2600");
}

#[tokio::test]
async fn a_change_without_a_time_of_its_own_is_as_old_as_its_question() {
    let server = server().await;
    let clock = TestClock::at(NOW_MS);
    let slow = std::sync::Arc::clone(&clock);
    let lean = json!({"orderId":70112233445_i64,"status":"NEW","executedQty":"0"});
    let late = move |_: &wiremock::Request| {
        slow.set(NOW_MS + 5_000);
        answer(200, lean.clone())
    };
    wiremock::Mock::given(wiremock::matchers::method("PUT")).respond_with(late).mount(&server).await;
    let client = live(client_at(&server.uri(), "ws://127.0.0.1:9", clock, quick_streams()));
    let report = client.modify(&resting(), &order("h9")).await.unwrap();
    let age = report.venue_time.since(Timestamp::from_ms(NOW_MS));
    assert!(age < std::time::Duration::from_secs(1), "an execution on its way would be older than {age:?}");
}

#[tokio::test]
async fn a_lean_answer_to_a_change_is_the_order_as_it_was_asked_for() {
    let server = server().await;
    let lean = json!({"orderId":70112233445_i64,"status":"NEW","executedQty":"0"});
    mock(&server, "PUT", "/fapi/v1/order", 200, lean).await;
    let report = live(client(&server)).modify(&resting(), &order("h9")).await.unwrap();
    assert_eq!((report.price, report.qty), (Some(price("2600")), Some(Qty::parse("0.25").unwrap())));
    assert_eq!((report.client_id, report.side), (resting().client_id, resting().side));
    let other = json!({"orderId":70112233446_i64,"status":"NEW","executedQty":"0"});
    let server = server_with_change(other).await;
    let failed = live(client(&server)).modify(&resting(), &order("h9")).await.unwrap_err();
    assert_eq!(failed.error.outcome(), Outcome::Unknown, "the answer is about another order");
}

async fn server_with_change(answer: Value) -> wiremock::MockServer {
    let server = server().await;
    mock(&server, "PUT", "/fapi/v1/order", 200, answer).await;
    server
}

#[tokio::test]
async fn rows_of_a_batch_that_do_not_name_their_orders_say_nothing_about_any() {
    let lean = json!({"orderId":70112233445_i64,"status":"NEW","executedQty":"0"});
    let refused = json!({"code":-2022,"msg":"ReduceOnly Order is rejected."});
    let (outcomes, _) = three(answer(200, json!([refused, lean, row("h3")]))).await;
    assert_eq!(outcomes.iter().map(outcome).collect::<Vec<_>>(), [Some(Outcome::Unknown); 3]);
}

#[tokio::test]
async fn an_order_of_another_leg_kind_or_instrument_is_not_changed() {
    let server = server().await;
    mock(&server, "PUT", "/fapi/v1/order", 200, amended(&[])).await;
    let client = live(client(&server));
    let long = resting();
    let report = |change: fn(&mut OrderReport)| {
        let mut report = long.clone();
        change(&mut report);
        report
    };
    let others = [
        // SELL of the SHORT leg opens: the request itself would look the same.
        report(|other| other.side = ReportedSide::Short),
        report(|other| other.side = ReportedSide::Both),
        report(|other| other.order_side = hedge_core::OrderSide::Buy),
        report(|other| other.kind = ReportedKind::Market),
        report(|other| other.state = ReportedState::Filled),
        report(|other| other.instrument = hedge_core::InstrumentId::binance("BTCUSDT").unwrap()),
        report(|other| other.order = OrderRef::Algo { id: VenueOrderId(1), child: None }),
    ];
    for other in others {
        let error = client.modify(&other, &order("h9")).await.unwrap_err().error;
        assert!(matches!(error, BrokerError::NotSent { .. }), "{other:?}: {error}");
    }
    let market: Approved<Order> = close(Exit::Market).into();
    let error = client.modify(&resting(), &market).await.unwrap_err().error;
    assert!(error.to_string().contains("only limit orders can be changed"), "{error}");
    assert!(requests(&server, "/fapi/v1/order").await.is_empty());
}

#[tokio::test]
async fn an_answer_about_another_order_proves_nothing() {
    for odd in [("orderId", json!(1)), ("positionSide", json!("SHORT")), ("side", json!("BUY"))] {
        let server = server().await;
        mock(&server, "PUT", "/fapi/v1/order", 200, amended(std::slice::from_ref(&odd))).await;
        let failed = live(client(&server)).modify(&resting(), &order("h9")).await.unwrap_err();
        assert_eq!(failed.error.outcome(), Outcome::Unknown, "{odd:?}");
        assert!(failed.acceptable_until.is_some());
    }
}

#[tokio::test]
async fn changes_travel_together_and_each_has_its_own_outcome() {
    let server = server().await;
    let same = json!({"code":-5027,"msg":"No need to modify the order."});
    mock(&server, "PUT", BATCH, 200, json!([amended(&[]), same])).await;
    let (first, second) = (order("h8"), order("h9"));
    let short = Position::new(
        PositionKey::new(eth(), PositionSide::Short),
        Qty::parse("0.25").unwrap(),
        price("2480.5"),
    );
    let spec = spec();
    let exit = Exit::Limit { price: price("2400"), tif: Tif::Gtc };
    let of_short: Approved<Order> =
        Gate::for_closing(&spec, Term(1)).close(id(), &short, &Portion::All, &exit).unwrap().into();
    let rest = resting();
    let changes = [(&rest, &first), (&rest, &of_short), (&rest, &second)];
    let outcomes = protecting(client(&server)).modify_batch(&changes).await;
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
    assert!(outcomes[1].as_ref().unwrap_err().error.to_string().contains("another leg"), "{outcomes:?}");
    let error = &outcomes[2].as_ref().unwrap_err().error;
    assert_eq!(error.reason(), Some(RejectReason::AlreadySo));
    assert_eq!(requests(&server, BATCH).await.len(), 1);
}
