//! Every read endpoint, as the fact sheet documents it, over HTTP.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::{sync::Arc, time::Duration};

use hedge_binance::{Span, wire::text::FundingRateType};
use hedge_core::{
    BarQuery, BrokerError, CashFlowKind, ClientOrderId, Decimal, Interval, OrderRef, OrderSpace,
    PositionMode, PositionSide, RejectReason, ReportedState, Timestamp, VenueOrderId, VenueReader,
};
use serde_json::{Value, json};
use support::*;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, header_exists, method, path, query_param, query_param_is_missing},
};

async fn server() -> MockServer {
    let server = MockServer::start().await;
    mock_time(&server).await;
    server
}

/// The only request to a path, without window, timestamp and signature.
async fn only_request(server: &MockServer, at: &str) -> String {
    let requests = requests(server, at).await;
    assert_eq!(requests.len(), 1, "{requests:?}");
    unsigned(&requests[0]).to_owned()
}

#[tokio::test]
async fn the_market_data_reads_are_typed() {
    let server = server().await;
    let get = async |at: &str, body: Value| mock(&server, "GET", at, 200, body).await;
    get(
        "/fapi/v1/premiumIndex",
        json!({"symbol":"ETHUSDT","markPrice":"2502.11","indexPrice":"2501.9",
        "estimatedSettlePrice":"2501.8","lastFundingRate":"0.00010000","interestRate":"0.0001",
        "nextFundingTime":1795190400000_i64,"time":NOW_MS}),
    )
    .await;
    get(
        "/fapi/v1/fundingRate",
        json!([{"symbol":"ETHUSDT","fundingRate":"0.00010000","fundingTime":1795161600007_i64,
        "markPrice":"2500.1","rateType":"Regular"}]),
    )
    .await;
    get(
        "/fapi/v1/ticker/bookTicker",
        json!({"symbol":"ETHUSDT","bidPrice":"2502.10","bidQty":"3","askPrice":"2502.11",
        "askQty":"4.5","time":NOW_MS}),
    )
    .await;
    get(
        "/fapi/v1/depth",
        json!({"lastUpdateId":880100219,"E":NOW_MS,"T":NOW_MS,"bids":[["2502.10","3"]],
        "asks":[["2502.11","4.5"],["2502.12","1"]]}),
    )
    .await;
    let client = client(&server);
    let rest = client.rest();
    assert_eq!(rest.time().await.unwrap().server_time, NOW_MS);
    assert_eq!(rest.premium_index("ETHUSDT").await.unwrap().mark_price.to_string(), "2502.11");
    let span = Span::since(Timestamp::from_ms(1_795_000_000_000));
    let funding = rest.funding_rate("ETHUSDT", span, 10).await.unwrap();
    assert_eq!(funding[0].rate_type, Some(FundingRateType::Regular));
    assert_eq!(rest.book_ticker("ETHUSDT").await.unwrap().ask_qty.to_string(), "4.5");
    assert_eq!(rest.depth("ETHUSDT", 20).await.unwrap().asks.len(), 2);
    assert_eq!(
        only_request(&server, "/fapi/v1/fundingRate").await,
        "GET symbol=ETHUSDT&startTime=1795000000000&limit=10"
    );
    assert_eq!(only_request(&server, "/fapi/v1/depth").await, "GET symbol=ETHUSDT&limit=20");
}

#[tokio::test]
async fn public_reads_carry_no_key_and_signed_ones_carry_key_and_signature() {
    let server = server().await;
    Mock::given(method("GET"))
        .and(path("/fapi/v1/accountConfig"))
        .and(header("X-MBX-APIKEY", KEY))
        .respond_with(answer(200, account_config(true)))
        .mount(&server)
        .await;
    client(&server).rest().account_config().await.unwrap();
    // Ten milliseconds into the past. The digest was computed with another tool over exactly this query.
    assert_eq!(
        requests(&server, "/fapi/v1/accountConfig").await,
        [
            "GET recvWindow=3000&timestamp=1795168799990&signature=1472d9e8b08b0a7879c4fa2ba98879649657022b24a6359778f459a01eee16fc"
        ]
    );
    let all = server.received_requests().await.unwrap();
    let time = all.iter().find(|request| request.url.path() == "/fapi/v1/time").unwrap();
    assert!(!time.headers.contains_key("X-MBX-APIKEY"));
}

#[tokio::test]
async fn the_order_reads_are_typed() {
    let server = server().await;
    let get = async |at: &str, body: Value| mock(&server, "GET", at, 200, body).await;
    get("/fapi/v1/allOrders", json!([order_row("FILLED")])).await;
    get("/fapi/v1/userTrades", json!([trade_row(5511223344, NOW_MS)])).await;
    get("/fapi/v1/openAlgoOrders", json!([algo_row("NEW")])).await;
    get("/fapi/v1/allAlgoOrders", json!([algo_row("FINISHED")])).await;
    get("/fapi/v1/openOrders", json!([order_row("NEW")])).await;
    let client = client(&server);
    let rest = client.rest();
    let span = Span { from: Some(Timestamp::from_ms(1)), to: Some(Timestamp::from_ms(2)) };
    assert_eq!(rest.all_orders(Some("ETHUSDT"), span, 500).await.unwrap()[0].order_id, 70_112_233_445);
    assert_eq!(rest.user_trades_from("ETHUSDT", 7, 1_000).await.unwrap()[0].id, 5_511_223_344);
    assert_eq!(rest.open_algo_orders(Some("ETHUSDT")).await.unwrap()[0].algo_id, 4_000_000_987_654_321);
    assert_eq!(rest.all_algo_orders("ETHUSDT", Span::default()).await.unwrap().len(), 1);
    assert_eq!(rest.open_orders(Some("ETHUSDT")).await.unwrap().len(), 1);
    assert_eq!(
        only_request(&server, "/fapi/v1/allOrders").await,
        "GET symbol=ETHUSDT&startTime=1&endTime=2&limit=500"
    );
    assert_eq!(only_request(&server, "/fapi/v1/userTrades").await, "GET symbol=ETHUSDT&fromId=7&limit=1000");
    assert_eq!(only_request(&server, "/fapi/v1/openAlgoOrders").await, "GET symbol=ETHUSDT");
}

#[tokio::test]
async fn the_account_reads_are_typed_in_both_versions() {
    let server = server().await;
    let get = async |at: &str, body: Value| mock(&server, "GET", at, 200, body).await;
    let balance = json!([{"accountAlias":"SgsR","asset":"USDT","balance":"122607.35137903","crossWalletBalance":"23.72469206",
        "crossUnPnl":"0","availableBalance":"23.72469206","maxWithdrawAmount":"23.72469206","marginAvailable":true,
        "updateTime":1617939110373_i64}]);
    let mut v2 = account_v3();
    v2["canTrade"] = json!(true);
    v2["multiAssetsMargin"] = json!(false);
    v2["feeTier"] = json!(1);
    let row_v2 = json!([{"entryPrice":"2480.5","breakEvenPrice":"2481","marginType":"cross","isAutoAddMargin":"false",
        "isolatedMargin":"0","leverage":"10","liquidationPrice":"0","markPrice":"2502","maxNotionalValue":"100000",
        "positionAmt":"0.000","notional":"0","isolatedWallet":"0","symbol":"ETHUSDT","unRealizedProfit":"0",
        "positionSide":"SHORT","updateTime":0}]);
    get("/fapi/v2/account", v2).await;
    get("/fapi/v3/account", account_v3()).await;
    get("/fapi/v2/balance", balance.clone()).await;
    get("/fapi/v3/balance", balance).await;
    get("/fapi/v2/positionRisk", row_v2).await;
    get("/fapi/v3/positionRisk", position_rows()).await;
    let client = client(&server);
    let rest = client.rest();
    assert_eq!(rest.account_v2().await.unwrap().fee_tier, Some(1));
    let v3 = rest.account_v3().await.unwrap();
    assert_eq!((v3.can_trade, v3.available_balance.to_string()), (None, "10340.69748110".to_owned()));
    assert_eq!(rest.balance_v2().await.unwrap()[0].margin_available, Some(true));
    assert_eq!(rest.balance_v3().await.unwrap()[0].balance.to_string(), "122607.35137903");
    assert_eq!(rest.position_risk_v2(None).await.unwrap()[0].leverage, Some(10));
    assert_eq!(rest.position_risk_v3(Some("ETHUSDT")).await.unwrap()[0].adl, Some(2));
    assert_eq!(only_request(&server, "/fapi/v3/positionRisk").await, "GET symbol=ETHUSDT");
}

#[tokio::test]
async fn the_settings_reads_are_typed() {
    let server = server().await;
    let get = async |at: &str, body: Value| mock(&server, "GET", at, 200, body).await;
    get(
        "/fapi/v1/symbolConfig",
        json!([{"symbol":"ETHUSDT","marginType":"CROSSED","isAutoAddMargin":false,"leverage":21,
        "maxNotionalValue":"1000000"}]),
    )
    .await;
    get("/fapi/v1/accountConfig", account_config(true)).await;
    get("/fapi/v1/positionSide/dual", json!({"dualSidePosition":true})).await;
    get("/fapi/v1/multiAssetsMargin", json!({"multiAssetsMargin":false})).await;
    get("/fapi/v1/feeBurn", json!({"feeBurn":true})).await;
    get(
        "/fapi/v1/commissionRate",
        json!({"symbol":"ETHUSDT","makerCommissionRate":"0.0002",
        "takerCommissionRate":"0.0005","rpiCommissionRate":"0.00005"}),
    )
    .await;
    get("/fapi/v1/income", json!([income_row("FUNDING_FEE", 1, NOW_MS)])).await;
    let client = client(&server);
    let rest = client.rest();
    assert_eq!(rest.symbol_config(None).await.unwrap()[0].leverage, 21);
    assert!(rest.account_config().await.unwrap().dual_side_position);
    assert!(rest.position_mode().await.unwrap().dual_side_position);
    assert!(!rest.multi_assets_margin().await.unwrap().multi_assets_margin);
    assert!(rest.fee_burn().await.unwrap().fee_burn);
    assert_eq!(rest.commission_rate("ETHUSDT").await.unwrap().taker_commission_rate.to_string(), "0.0005");
    assert_eq!(rest.income(Span::default(), 100).await.unwrap()[0].tran_id, 1);
}

#[tokio::test]
async fn brackets_come_as_a_list_or_as_one_object() {
    let one = json!({"symbol":"ETHUSDT","notionalCoef":1.5,"brackets":[{"bracket":1,"initialLeverage":75,
        "notionalCap":5000,"notionalFloor":0,"maintMarginRatio":0.0065,"cum":0.0}]});
    for body in [one.clone(), json!([one])] {
        let server = server().await;
        mock(&server, "GET", "/fapi/v1/leverageBracket", 200, body).await;
        let rows = client(&server).rest().leverage_brackets(Some("ETHUSDT")).await.unwrap();
        assert_eq!(rows[0].brackets[0].maint_margin_ratio, Decimal::new(65, 4));
    }
}

#[tokio::test]
async fn instruments_are_perpetuals_whose_rules_can_be_read() {
    let symbol = |name: &str, kind: &str, filters: Value| {
        json!({"symbol":name,"contractType":kind,"deliveryDate":4133404800000_i64,"status":"TRADING","baseAsset":"ABC",
          "quoteAsset":"USDT","marginAsset":"USDT","filters":filters})
    };
    let filters = json!([{"filterType":"PRICE_FILTER","minPrice":"0.0010","maxPrice":"500","tickSize":"0.0001"},
        {"filterType":"LOT_SIZE","minQty":"0.1","maxQty":"900000","stepSize":"0.1"},
        {"filterType":"MIN_NOTIONAL","notional":"5"}]);
    let server = server().await;
    let body = json!({"serverTime":NOW_MS,"rateLimits":[
        {"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":10}],
      "symbols":[symbol("ABCUSDT","PERPETUAL",filters.clone()), symbol("ABCUSDT_261225","CURRENT_QUARTER",filters.clone()),
        symbol("TSLAUSDT","TRADIFI_PERPETUAL",filters), symbol("BADUSDT","PERPETUAL",json!([]))]});
    mock(&server, "GET", "/fapi/v1/exchangeInfo", 200, body).await;
    let client = client(&server);
    let names: Vec<String> =
        client.instruments().await.unwrap().iter().map(|spec| spec.id.symbol.to_string()).collect();
    assert_eq!(names, ["ABCUSDT", "TSLAUSDT"]);
    // The limits of this host hold from now on: half of 10 is what reads may use.
    let error = client.rest().account_v2().await.unwrap_err();
    assert!(matches!(error, BrokerError::NotSent { .. }), "10 of 5 never fit: {error}");
}

#[tokio::test]
async fn the_account_is_balances_and_mode() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v3/account", 200, account_v3()).await;
    mock(&server, "GET", "/fapi/v1/accountConfig", 200, account_config(true)).await;
    let snapshot = client(&server).account().await.unwrap();
    assert_eq!((snapshot.mode, snapshot.multi_assets), (PositionMode::Hedge, false));
    assert_eq!((snapshot.can_trade, snapshot.can_withdraw), (Some(true), Some(false)));
    assert_eq!(snapshot.balances[0].wallet.to_string(), "10512.1482311");
    assert_eq!(snapshot.venue_time, Timestamp::from_ms(NOW_MS));
}

#[tokio::test]
async fn a_missing_position_row_is_flat() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v3/positionRisk", 200, position_rows()).await;
    let positions = client(&server).positions().await.unwrap();
    assert_eq!(positions.len(), 1);
    assert_eq!(positions[0].key().side, PositionSide::Long);
}

#[tokio::test]
async fn open_orders_are_the_union_of_both_id_spaces_without_fired_ones() {
    let server = server().await;
    let mut fired = algo_row("TRIGGERED");
    fired["actualOrderId"] = json!("70112299001");
    fired["algoId"] = json!(4000000987654322_i64);
    mock(&server, "GET", "/fapi/v1/openOrders", 200, json!([order_row("NEW")])).await;
    mock(&server, "GET", "/fapi/v1/openAlgoOrders", 200, json!([algo_row("NEW"), fired])).await;
    let orders = client(&server).open_orders().await.unwrap();
    assert_eq!(
        orders.iter().map(|report| report.order).collect::<Vec<_>>(),
        [
            OrderRef::Plain(VenueOrderId(70_112_233_445)),
            OrderRef::Algo { id: VenueOrderId(4_000_000_987_654_321), child: None }
        ]
    );
}

#[tokio::test]
async fn open_orders_fail_when_one_id_space_cannot_be_read() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v1/openOrders", 200, json!([])).await;
    mock(&server, "GET", "/fapi/v1/openAlgoOrders", 500, json!({})).await;
    assert!(client(&server).open_orders().await.is_err());
}

#[tokio::test]
async fn an_order_is_looked_up_in_its_own_id_space() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v1/order", 200, order_row("FILLED")).await;
    mock(&server, "GET", "/fapi/v1/algoOrder", 400, json!({"code":-2013,"msg":"Order does not exist."}))
        .await;
    let client = client(&server);
    let by_id = |space| OrderRef::Client { id: ClientOrderId::parse(CLIENT_ID).unwrap(), space };
    let plain = client.find_order(&eth(), &by_id(OrderSpace::Plain)).await.unwrap().unwrap();
    assert_eq!(plain.state, ReportedState::Filled);
    assert_eq!(client.find_order(&eth(), &by_id(OrderSpace::Algo)).await.unwrap(), None);
    assert_eq!(
        only_request(&server, "/fapi/v1/order").await,
        format!("GET symbol=ETHUSDT&origClientOrderId={CLIENT_ID}")
    );
    assert_eq!(only_request(&server, "/fapi/v1/algoOrder").await, format!("GET clientAlgoId={CLIENT_ID}"));
}

fn without(mut row: Value, names: &[&str]) -> Value {
    for name in names {
        assert!(row.as_object_mut().unwrap().remove(*name).is_some(), "{name}");
    }
    row
}

#[tokio::test]
async fn what_a_lean_row_leaves_out_and_the_question_says_does_not_hide_the_order() {
    let server = server().await;
    let lean = without(
        order_row("FILLED"),
        &["symbol", "clientOrderId", "origQty", "type", "origType", "updateTime"],
    );
    mock(&server, "GET", "/fapi/v1/order", 200, lean.clone()).await;
    let algo = without(algo_row("NEW"), &["symbol", "clientAlgoId", "orderType", "updateTime"]);
    mock(&server, "GET", "/fapi/v1/algoOrder", 200, algo).await;
    mock(&server, "GET", "/fapi/v1/openOrders", 200, json!([lean])).await;
    mock(&server, "GET", "/fapi/v1/openAlgoOrders", 200, json!([])).await;
    let client = client(&server);
    let by_id = |space| OrderRef::Client { id: ClientOrderId::parse(CLIENT_ID).unwrap(), space };
    let plain = client.find_order(&eth(), &by_id(OrderSpace::Plain)).await.unwrap().unwrap();
    assert_eq!((plain.client_id.ours().unwrap().as_str(), plain.instrument), (CLIENT_ID, eth()));
    assert_eq!(
        (plain.state, plain.qty, plain.filled.to_string()),
        (ReportedState::Filled, None, "0.250".to_owned())
    );
    assert!(
        plain.venue_time.since(Timestamp::from_ms(NOW_MS)) < Duration::from_secs(60),
        "{}",
        plain.venue_time
    );
    let algo = client.find_order(&eth(), &by_id(OrderSpace::Algo)).await.unwrap().unwrap();
    assert_eq!((algo.client_id.ours().unwrap().as_str(), algo.instrument), (CLIENT_ID, eth()));
    // Nobody has said whose order this is: neither ours nor a stranger's.
    let error = client.open_orders().await.unwrap_err();
    assert!(matches!(&error, BrokerError::Malformed { detail, .. } if detail == "symbol"), "{error:?}");
}

#[tokio::test]
async fn a_row_that_does_not_name_its_leg_is_no_report() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v1/order", 200, without(order_row("FILLED"), &["positionSide"])).await;
    let id = OrderRef::Client { id: ClientOrderId::parse(CLIENT_ID).unwrap(), space: OrderSpace::Plain };
    let error = client(&server).find_order(&eth(), &id).await.unwrap_err();
    assert!(matches!(&error, BrokerError::Malformed { detail, .. } if detail == "positionSide"), "{error:?}");
}

#[tokio::test]
async fn not_being_able_to_ask_is_not_the_same_as_not_found() {
    let server = server().await;
    mock(
        &server,
        "GET",
        "/fapi/v1/order",
        401,
        json!({"code":-2015,"msg":"Invalid API-key, IP, or permissions."}),
    )
    .await;
    let order = OrderRef::Plain(VenueOrderId(1));
    let error = client(&server).find_order(&eth(), &order).await.unwrap_err();
    assert_eq!(error.reason(), Some(RejectReason::Auth));
}

fn kline(open_ms: i64, interval: Interval) -> Value {
    json!([
        open_ms,
        "1.2038",
        "1.2043",
        "1.2037",
        "1.2041",
        "5120.0",
        open_ms + interval.ms() - 1,
        "0",
        1,
        "0",
        "0",
        "0"
    ])
}

#[tokio::test]
async fn the_unfinished_bar_is_dropped_by_the_venues_clock() {
    let server = server().await;
    let step = Interval::M15.ms();
    let rows = json!([
        kline(NOW_MS - 2 * step, Interval::M15),
        kline(NOW_MS - step, Interval::M15),
        kline(NOW_MS, Interval::M15)
    ]);
    mock(&server, "GET", "/fapi/v1/klines", 200, rows).await;
    // Our own clock is an hour behind; only the venue's counts.
    let clock = TestClock::at(NOW_MS - 3_600_000);
    let client = client_at(&server.uri(), "ws://127.0.0.1:9", clock, quick_streams());
    let query = BarQuery { instrument: eth(), interval: Interval::M15, from: None, to: None, limit: 2 };
    let bars = client.bars(&query).await.unwrap();
    let opens: Vec<i64> = bars.iter().map(|bar| bar.open_time.ms()).collect();
    assert_eq!(opens, [NOW_MS - 2 * step, NOW_MS - step]);
    assert_eq!(only_request(&server, "/fapi/v1/klines").await, "GET symbol=ETHUSDT&interval=15m&limit=3");
}

#[tokio::test]
async fn a_bar_that_ended_while_the_answer_travelled_is_not_closed() {
    let server = server().await;
    let step = Interval::M15.ms();
    let clock = TestClock::at(NOW_MS);
    let travelled = Arc::clone(&clock);
    let slowly = move |_: &wiremock::Request| {
        let rows = json!([kline(NOW_MS - step, Interval::M15), kline(NOW_MS, Interval::M15)]);
        travelled.set(NOW_MS + step + 50);
        answer(200, rows)
    };
    Mock::given(method("GET")).and(path("/fapi/v1/klines")).respond_with(slowly).mount(&server).await;
    let client = client_at(&server.uri(), "ws://127.0.0.1:9", clock, quick_streams());
    let query = BarQuery { instrument: eth(), interval: Interval::M15, from: None, to: None, limit: 2 };
    let opens: Vec<i64> = client.bars(&query).await.unwrap().iter().map(|bar| bar.open_time.ms()).collect();
    assert_eq!(opens, [NOW_MS - step]);
}

#[tokio::test]
async fn bars_are_read_over_as_many_pages_as_needed() {
    let server = server().await;
    let first = NOW_MS - 2_000 * 60_000;
    let page = |from: i64, count: i64| {
        (0..count).map(|n| kline(from + n * 60_000, Interval::M1)).collect::<Vec<_>>()
    };
    for (start, count) in [(first, 1_000), (first + 1_000 * 60_000, 500)] {
        Mock::given(method("GET"))
            .and(path("/fapi/v1/klines"))
            .and(query_param("startTime", start.to_string()))
            .respond_with(answer(200, json!(page(start, count))))
            .expect(1)
            .mount(&server)
            .await;
    }
    let from = Some(Timestamp::from_ms(first));
    let query = BarQuery { instrument: eth(), interval: Interval::M1, from, to: None, limit: 1_500 };
    let bars = client(&server).bars(&query).await.unwrap();
    assert_eq!((bars.len(), bars[1_499].open_time.ms()), (1_500, first + 1_499 * 60_000));
    assert!(bars.windows(2).all(|pair| pair[1].open_time == pair[0].end()));
}

#[tokio::test]
async fn klines_out_of_order_are_an_error() {
    let server = server().await;
    let rows = json!([kline(NOW_MS - 60_000, Interval::M1), kline(NOW_MS - 120_000, Interval::M1)]);
    mock(&server, "GET", "/fapi/v1/klines", 200, rows).await;
    let query = BarQuery { instrument: eth(), interval: Interval::M1, from: None, to: None, limit: 5 };
    assert!(matches!(client(&server).bars(&query).await, Err(BrokerError::Malformed { .. })));
}

#[tokio::test]
async fn fills_beyond_a_full_page_are_read_by_id_and_counted_once() {
    let server = server().await;
    let page: Vec<Value> = (1..=1_000).map(|id| trade_row(id, NOW_MS - 1_000)).collect();
    Mock::given(method("GET"))
        .and(path("/fapi/v1/userTrades"))
        .and(query_param_is_missing("fromId"))
        .respond_with(answer(200, json!(page)))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/fapi/v1/userTrades"))
        .and(query_param("fromId", "1001"))
        .respond_with(answer(200, json!([trade_row(1_001, NOW_MS - 999), trade_row(1_000, NOW_MS - 1_000)])))
        .mount(&server)
        .await;
    mock(&server, "GET", "/fapi/v1/allOrders", 200, json!([order_row("FILLED")])).await;
    let fills = client(&server).fills_since(&eth(), Timestamp::from_ms(NOW_MS - 5_000)).await.unwrap();
    assert_eq!((fills.len(), fills[1_000].trade_id.0), (1_001, 1_001));
    assert_eq!(fills[0].client_id.as_ref().map(|id| id.as_str()), Some(CLIENT_ID), "their order is ours");
}

#[tokio::test]
async fn old_fills_are_read_in_weeks() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v1/userTrades", 200, json!([])).await;
    let since = Timestamp::from_ms(NOW_MS - 15 * 86_400_000);
    assert!(client(&server).fills_since(&eth(), since).await.unwrap().is_empty());
    assert_eq!(requests(&server, "/fapi/v1/userTrades").await.len(), 3);
}

#[tokio::test]
async fn cash_flows_name_the_fees_of_fills_as_such_and_leave_out_their_profits() {
    let server = server().await;
    let rows = json!([
        income_row("FUNDING_FEE", 1, NOW_MS - 3),
        income_row("COMMISSION", 2, NOW_MS - 2),
        income_row("REALIZED_PNL", 3, NOW_MS - 2),
        income_row("TRANSFER", 4, NOW_MS - 1)
    ]);
    mock(&server, "GET", "/fapi/v1/income", 200, rows).await;
    let flows = client(&server).cash_flows_since(Timestamp::from_ms(NOW_MS - 10)).await.unwrap();
    let told: Vec<(&str, &CashFlowKind)> = flows.iter().map(|flow| (flow.id.as_str(), &flow.kind)).collect();
    let expected = [
        ("FUNDING_FEE:1:ETHUSDT", &CashFlowKind::Funding),
        ("COMMISSION:2:ETHUSDT", &CashFlowKind::Fee),
        ("TRANSFER:4:ETHUSDT", &CashFlowKind::Transfer),
    ];
    assert_eq!(told, expected, "in the order of their times; the book compares fees and books the rest");
}

#[tokio::test]
async fn a_read_is_repeated_with_a_fresh_signature_while_trouble_may_pass() {
    let server = server().await;
    Mock::given(method("GET"))
        .and(path("/fapi/v1/accountConfig"))
        .and(header_exists("X-MBX-APIKEY"))
        .respond_with(in_turn(vec![
            answer(503, json!({"code":-1001,"msg":"Service Unavailable."})),
            ResponseTemplate::new(502),
            answer(200, account_config(true)),
        ]))
        .mount(&server)
        .await;
    assert!(client(&server).rest().account_config().await.is_ok());
    assert_eq!(requests(&server, "/fapi/v1/accountConfig").await.len(), 3);
}

#[tokio::test]
async fn a_read_gives_up_after_its_attempts() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v1/accountConfig", 500, json!({})).await;
    let error = client(&server).rest().account_config().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_eq!(requests(&server, "/fapi/v1/accountConfig").await.len(), 3);
}

#[tokio::test]
async fn an_answer_of_another_shape_is_malformed() {
    let server = server().await;
    mock(&server, "GET", "/fapi/v1/accountConfig", 200, json!({"feeTier":0})).await;
    let error = client(&server).rest().account_config().await.unwrap_err();
    assert!(matches!(error, BrokerError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn a_spent_budget_refuses_reads_and_lets_closes_through() {
    let server = server().await;
    let used = ResponseTemplate::new(200)
        .insert_header("X-MBX-USED-WEIGHT-1M", "1200")
        .set_body_json(account_config(true));
    Mock::given(method("GET")).and(path("/fapi/v1/accountConfig")).respond_with(used).mount(&server).await;
    mock(&server, "DELETE", "/fapi/v1/order", 200, order_row("CANCELED")).await;
    let client = live(client(&server));
    assert!(client.rest().account_config().await.is_ok());
    assert_eq!(client.rest().budget_used("used-weight-1m"), Some(1_200));
    let error = client.rest().account_config().await.unwrap_err();
    assert!(matches!(error, BrokerError::RateLimited { .. }), "{error}");
    use hedge_core::Brokerage;
    client.cancel(&eth(), &OrderRef::Plain(VenueOrderId(70_112_233_445))).await.unwrap();
}
