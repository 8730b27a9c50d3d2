//! The whole REST surface between two independent readings of the venue's documentation: our client and the simulated
//! exchange. Every typed read and every change over real sockets, with each kind of key.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use hedge_binance::{
    AutoClose, Binance, BinanceConfig, Credentials, Endpoints, Live, MarginMove, Period, ReadOnly, Span,
    Testnet,
};
use hedge_core::{
    Approved, Brokerage, Changed, ClientOrderId, Clock, Decimal, Exit, InstrumentId, InstrumentSpec,
    Interval, Leverage, MarginMode, Notional, Order, OrderRef, OrderReport, OrderSpace, Portion, Position,
    PositionKey, PositionSide, PreflightPass, PreflightReport, Price, ReportedId, Term, VenueReader,
    gate::Gate, order::Tif,
};
use hedge_runtime::SystemClock;
use hedge_sim::{
    binance::{ApiKey, Exchange, ExchangeConfig, ExchangeHandle, PublicKey},
    venue::{Command, ForceClose, ForcedBy, MarginType, NewOrder, Side},
};

const ETH: &str = "ETHUSDT";

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn connect(exchange: &ExchangeHandle, key: &str, secret: &str) -> Binance<ReadOnly> {
    let (rest, ws) = (exchange.rest_url(), exchange.ws_url());
    let endpoints = Endpoints::<Testnet>::new(Some(&rest), Some(&ws)).unwrap();
    let credentials = Credentials::new(key.to_owned(), secret.to_owned()).unwrap();
    Binance::connect(BinanceConfig::new(endpoints, Arc::new(SystemClock)), credentials).unwrap()
}

fn reader(exchange: &ExchangeHandle) -> Binance<ReadOnly> {
    connect(exchange, ApiKey::DEMO_KEY, ApiKey::DEMO_SECRET)
}

fn live(exchange: &ExchangeHandle) -> Binance<Live> {
    let client = reader(exchange);
    let report = PreflightReport { fingerprint: client.fingerprint().clone(), checks: Vec::new() };
    let now = SystemClock.now();
    let pass = PreflightPass::issue(&report, None, "", now).unwrap();
    client.arm(pass, now).unwrap()
}

/// An account in hedge mode with both legs of ETHUSDT, a resting order and an isolated leg of BTCUSDT.
async fn exchange(public_keys: Vec<PublicKey>) -> ExchangeHandle {
    let exchange =
        Exchange::start(ExchangeConfig { public_keys, ..ExchangeConfig::default() }).await.unwrap();
    let account = exchange.account();
    let isolated = MarginType::Isolated;
    use hedge_sim::venue::PositionSide::{Long, Short};
    for command in [
        Command::PositionMode { account, hedge: true },
        Command::MarginType { account, symbol: "BTCUSDT".to_owned(), margin_type: isolated },
        Command::Place(NewOrder::market(account, ETH, Side::Buy, d("0.5")).on(Long)),
        Command::Place(NewOrder::market(account, ETH, Side::Sell, d("0.2")).on(Short)),
        Command::Place(NewOrder::market(account, "BTCUSDT", Side::Buy, d("0.01")).on(Long)),
    ] {
        exchange.apply(&command).unwrap().unwrap();
    }
    exchange
}

#[tokio::test]
async fn every_public_read_of_the_client_understands_the_exchange() {
    let exchange = exchange(Vec::new()).await;
    let client = reader(&exchange);
    let rest = client.rest();
    let all = Span::default();
    let (minute, perpetual) = (Interval::M1, hedge_binance::wire::text::ContractType::Perpetual);
    rest.ping().await.unwrap();
    rest.time().await.unwrap();
    assert_eq!(rest.exchange_info().await.unwrap().symbols.len(), exchange.symbols().len());
    assert_eq!(rest.klines(ETH, minute, all, 5).await.unwrap().len(), 5);
    assert_eq!(rest.continuous_klines(ETH, &perpetual, minute, all, 5).await.unwrap().len(), 5);
    assert_eq!(rest.index_price_klines(ETH, minute, all, 5).await.unwrap().len(), 5);
    assert_eq!(rest.mark_price_klines(ETH, minute, all, 5).await.unwrap().len(), 5);
    assert_eq!(rest.premium_index_klines(ETH, minute, all, 5).await.unwrap().len(), 5);
    rest.premium_index(ETH).await.unwrap();
    assert_eq!(rest.premium_indices().await.unwrap().len(), exchange.symbols().len());
    assert_eq!(rest.funding_rate(ETH, all, 4).await.unwrap().len(), 4);
    assert_eq!(rest.funding_rates(all, 4).await.unwrap().len(), 4);
    rest.funding_info().await.unwrap();
    rest.day_ticker(ETH).await.unwrap();
    assert_eq!(rest.day_tickers().await.unwrap().len(), exchange.symbols().len());
    rest.price_ticker(ETH).await.unwrap();
    rest.price_tickers().await.unwrap();
    rest.price_ticker_v1(ETH).await.unwrap();
    rest.price_tickers_v1().await.unwrap();
    rest.book_ticker(ETH).await.unwrap();
    rest.book_tickers().await.unwrap();
    rest.open_interest(ETH).await.unwrap();
    let trades = rest.trades(ETH, 5).await.unwrap();
    assert_eq!(trades.len(), 5);
    assert_eq!(rest.historical_trades(ETH, None, 5).await.unwrap().len(), 5);
    assert_eq!(rest.agg_trades(ETH, all, 5).await.unwrap().len(), 5);
    assert!(!rest.depth(ETH, 20).await.unwrap().bids.is_empty());
    assert!(!rest.rpi_depth(ETH).await.unwrap().asks.is_empty());
    let hour = Period::Hour1;
    assert_eq!(rest.open_interest_history(ETH, hour, all, 6).await.unwrap().len(), 6);
    assert_eq!(rest.top_account_ratio(ETH, hour, all, 6).await.unwrap().len(), 6);
    assert_eq!(rest.top_position_ratio(ETH, hour, all, 6).await.unwrap().len(), 6);
    assert_eq!(rest.global_account_ratio(ETH, hour, all, 6).await.unwrap().len(), 6);
    assert_eq!(rest.taker_volume(ETH, hour, all, 6).await.unwrap().len(), 6);
    assert_eq!(rest.basis(ETH, &perpetual, hour, all, 6).await.unwrap().len(), 6);
    assert!(rest.delivery_prices(ETH).await.unwrap().is_empty());
    rest.constituents(ETH).await.unwrap();
    assert_eq!(rest.index_info(None).await.unwrap().len(), 1);
    assert!(rest.asset_index(None).await.unwrap().len() > 1);
    assert_eq!(rest.asset_index(Some("ETHUSD")).await.unwrap().len(), 1);
    assert_eq!(rest.insurance_funds(None).await.unwrap().len(), 1);
    assert_eq!(rest.insurance_funds(Some(ETH)).await.unwrap().len(), 1);
    assert_eq!(rest.symbol_adl_risk(None).await.unwrap().len(), exchange.symbols().len());
    assert_eq!(rest.symbol_adl_risk(Some(ETH)).await.unwrap().len(), 1);
    rest.trading_schedule().await.unwrap();
}

#[tokio::test]
async fn every_signed_read_of_the_client_understands_the_exchange() {
    let exchange = exchange(Vec::new()).await;
    let account = exchange.account();
    let low = d("0.97") * exchange.query(|venue| venue.prices(venue.symbol_id(ETH).unwrap()).unwrap().last);
    let resting = NewOrder {
        client_order_id: Some("rests".to_owned()),
        ..NewOrder::limit(account, ETH, Side::Buy, d("0.1"), low.round_dp(2))
    };
    let resting = Command::Place(resting.on(hedge_sim::venue::PositionSide::Long));
    exchange.apply(&resting).unwrap().unwrap();
    let adl = ForceClose {
        account,
        symbol: ETH.to_owned(),
        position_side: hedge_sim::venue::PositionSide::Long,
        by: ForcedBy::Adl { qty: Some(d("0.1")) },
    };
    exchange.apply(&Command::ForceClose(adl)).unwrap().unwrap();
    let client = reader(&exchange);
    let rest = client.rest();
    let all = Span::default();
    let rests = OrderRef::Client { space: OrderSpace::Plain, id: ClientOrderId::parse("rests").unwrap() };
    rest.order(ETH, &rests).await.unwrap();
    rest.open_order(ETH, &rests).await.unwrap();
    assert_eq!(rest.open_orders(None).await.unwrap().len(), 1);
    assert_eq!(rest.all_orders(Some(ETH), all, 10).await.unwrap().len(), 4);
    assert_eq!(rest.all_orders(None, all, 10).await.unwrap().len(), 5);
    let forced = rest.force_orders(None, Some(AutoClose::Adl), all, 10).await.unwrap();
    assert_eq!(forced.len(), 1);
    assert!(rest.force_orders(None, Some(AutoClose::Liquidation), all, 10).await.unwrap().is_empty());
    assert_eq!(rest.order_rate_limits().await.unwrap().len(), 2);
    assert_eq!(rest.user_trades(ETH, all, 10).await.unwrap().len(), 3);
    assert!(rest.order_amendments(ETH, &rests, all, 10).await.unwrap().is_empty());
    assert!(rest.open_algo_orders(None).await.unwrap().is_empty());
    assert!(rest.all_algo_orders(ETH, all).await.unwrap().is_empty());
    rest.account_v2().await.unwrap();
    rest.account_v3().await.unwrap();
    assert_eq!(rest.balance_v2().await.unwrap().len(), 1);
    assert_eq!(rest.balance_v3().await.unwrap().len(), 1);
    assert_eq!(rest.position_risk_v2(Some(ETH)).await.unwrap().len(), 2);
    assert_eq!(rest.position_risk_v3(None).await.unwrap().len(), 3);
    assert_eq!(rest.symbol_config(Some(ETH)).await.unwrap().len(), 1);
    rest.account_config().await.unwrap();
    rest.position_mode().await.unwrap();
    assert!(!rest.multi_assets_margin().await.unwrap().multi_assets_margin);
    assert!(!rest.fee_burn().await.unwrap().fee_burn);
    assert_eq!(rest.leverage_brackets(None).await.unwrap().len(), exchange.symbols().len());
    rest.commission_rate(ETH).await.unwrap();
    assert!(!rest.income(all, 100).await.unwrap().is_empty());
    rest.api_trading_status(None).await.unwrap();
    assert_eq!(rest.adl_quantile(None).await.unwrap().len(), 2);
    assert!(rest.position_margin_history("BTCUSDT", all, 10).await.unwrap().is_empty());
}

fn price_near(spec: &InstrumentSpec, last: Decimal, factor: &str) -> Price {
    let ticks = (last * d(factor) / spec.tick).round();
    Price::parse(&(ticks * spec.tick).normalize().to_string()).unwrap()
}

/// A limit close of part of the long leg of ETHUSDT.
fn close(spec: &InstrumentSpec, position: &Position, id: &str, price: Price, qty: &str) -> Approved<Order> {
    let portion = Portion::Qty(hedge_core::Qty::parse(qty).unwrap());
    let exit = Exit::Limit { price, tif: Tif::Gtc };
    let id = ClientOrderId::parse(id).unwrap();
    Gate::for_closing(spec, Term(1)).close(id, position, &portion, &exit).unwrap().into()
}

#[tokio::test]
async fn every_change_of_the_client_is_understood_by_the_exchange() {
    let exchange = exchange(Vec::new()).await;
    let client = live(&exchange);
    let eth = InstrumentId::binance(ETH).unwrap();
    let spec = client.instruments().await.unwrap().into_iter().find(|spec| spec.id == eth).unwrap();
    let positions = client.positions().await.unwrap();
    let long = PositionKey::new(eth, PositionSide::Long);
    let position = positions.iter().find(|position| *position.key() == long).unwrap();
    let last = exchange.query(|venue| venue.prices(venue.symbol_id(ETH).unwrap()).unwrap().last);
    let (near, far) = (price_near(&spec, last, "1.02"), price_near(&spec, last, "1.03"));
    // A batch of which one item cannot be: more than the leg.
    let orders = [
        close(&spec, position, "h1", near, "0.1"),
        close(&spec, position, "h2", near, "0.1"),
        close(&spec, position, "h3", far, "0.5"),
    ];
    let outcomes = client.submit_batch(&orders.each_ref()).await;
    assert!(outcomes[0].is_ok() && outcomes[1].is_ok() && outcomes[2].is_err(), "{outcomes:?}");
    let report = async |id: &str| -> OrderReport {
        let open = client.open_orders().await.unwrap();
        open.into_iter()
            .find(|one| one.client_id == ReportedId::parse(id))
            .unwrap_or_else(|| panic!("{id} is not open"))
    };
    let moved = client.modify(&report("h1").await, &close(&spec, position, "h8", far, "0.15")).await.unwrap();
    assert_eq!(moved.price, Some(far));
    let (first, second) = (report("h1").await, report("h2").await);
    let (one, two) = (close(&spec, position, "h8", near, "0.12"), close(&spec, position, "h9", far, "0.11"));
    let moved = client.modify_batch(&[(&first, &one), (&second, &two)]).await;
    assert!(moved.iter().all(Result::is_ok), "{moved:?}");
    assert_eq!(
        client.rest().order_amendments(ETH, &first.order, Span::default(), 10).await.unwrap().len(),
        2
    );
    client.dead_man(&eth, Some(std::time::Duration::from_secs(60))).await.unwrap();
    client.dead_man(&eth, None).await.unwrap();
    let gone = client.cancel_batch(&eth, &[first.order, second.order]).await;
    assert!(gone.iter().all(Result::is_ok), "{gone:?}");
    let again = client.cancel_batch(&eth, &[first.order]).await;
    assert!(again[0].is_err(), "{again:?}");
    let btc = PositionKey::new(InstrumentId::binance("BTCUSDT").unwrap(), PositionSide::Long);
    let five = Notional::parse("5").unwrap();
    client.change_position_margin(&btc, five, MarginMove::Add).await.unwrap();
    assert!(
        client
            .change_position_margin(&btc, Notional::parse("5000000").unwrap(), MarginMove::Remove)
            .await
            .is_err()
    );
    assert_eq!(client.rest().position_margin_history("BTCUSDT", Span::default(), 10).await.unwrap().len(), 1);
    assert_eq!(client.ensure_fee_burn(true).await.unwrap(), Changed::Yes);
    assert_eq!(client.ensure_fee_burn(true).await.unwrap(), Changed::No);
    assert!(client.ensure_multi_assets_margin(true).await.is_err(), "an isolated symbol is in the way");
    let sol = InstrumentId::binance("SOLUSDT").unwrap();
    client.ensure_leverage(&sol, Leverage::new(7).unwrap()).await.unwrap();
    client.ensure_margin_mode(&sol, MarginMode::Isolated).await.unwrap();
    client.close_listen_key().await.unwrap();
}

#[tokio::test]
async fn a_client_with_an_ed25519_key_is_let_in() {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let seed = [9_u8; 32];
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let pem = |label: &str, prefix: &[u8], key: &[u8]| {
        let text = hedge_http::sign::base64(&[prefix, key].concat());
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let public = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let private =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let key = PublicKey::from_pem("ed", &pem("PUBLIC KEY", &public, pair.public_key().as_ref())).unwrap();
    let exchange = exchange(vec![key]).await;
    let client = connect(&exchange, "ed", &pem("PRIVATE KEY", &private, &seed));
    for _ in 0..8 {
        assert_eq!(client.rest().balance_v3().await.unwrap().len(), 1);
    }
    let stranger = connect(&exchange, "ed", ApiKey::DEMO_SECRET);
    assert!(stranger.rest().balance_v3().await.is_err());
}
