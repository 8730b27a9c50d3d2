//! Two brokerages under the same examination: the armed client of the simulated exchange, and a dry run on it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use hedge_binance::{Binance, BinanceConfig, Credentials, Endpoints, ReadOnly, Testnet};
use hedge_core::{Brokerage, Clock, InstrumentId, PreflightPass, PreflightReport, VenueReader};
use hedge_runtime::SystemClock;
use hedge_sim::{
    binance::{ApiKey, Exchange, ExchangeConfig, ExchangeHandle},
    broker::{Paper, PaperSeed},
    venue::Window,
};
use hedge_testkit::conformance::brokerage::{self, Desk};
use tokio::sync::Mutex;

/// A fresh exchange, with an account that is flat.
async fn exchange() -> ExchangeHandle {
    Exchange::start(ExchangeConfig::default()).await.unwrap()
}

fn reader(exchange: &ExchangeHandle) -> Binance<ReadOnly> {
    let (rest, ws) = (exchange.rest_url(), exchange.ws_url());
    let endpoints = Endpoints::<Testnet>::new(Some(&rest), Some(&ws)).unwrap();
    let credentials = Credentials::new(ApiKey::DEMO_KEY.to_owned(), ApiKey::DEMO_SECRET.to_owned()).unwrap();
    Binance::connect(BinanceConfig::new(endpoints, Arc::new(SystemClock)), credentials).unwrap()
}

fn desk(broker: impl Brokerage) -> Desk {
    Desk { broker: Arc::new(broker), instrument: InstrumentId::binance("ETHUSDT").unwrap() }
}

#[tokio::test]
async fn the_armed_client_of_the_simulated_exchange_is_a_brokerage() {
    // Kept until the end: an exchange that is dropped is gone.
    let exchanges = Mutex::new(Vec::new());
    brokerage::all(async || {
        let exchange = exchange().await;
        let client = reader(&exchange);
        let report = PreflightReport { fingerprint: client.fingerprint().clone(), checks: Vec::new() };
        let now = SystemClock.now();
        let pass = PreflightPass::issue(&report, None, "", now).unwrap();
        let desk = desk(client.arm(pass, now).unwrap());
        exchanges.lock().await.push(exchange);
        desk
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_is_a_brokerage_and_leaves_the_exchange_alone() {
    let exchanges = Mutex::new(Vec::new());
    brokerage::all(async || {
        let exchange = exchange().await;
        let paper = Paper::start(reader(&exchange), PaperSeed::Account).await.unwrap();
        exchanges.lock().await.push(exchange);
        desk(paper)
    })
    .await;
    let exchanges = exchanges.into_inner();
    assert_eq!(exchanges.len(), 11, "one for each property");
    for exchange in &exchanges {
        let account = exchange.account();
        let (orders, algos, config, settings) = exchange.query(|venue| {
            (
                venue.all_orders(account, None, Window::default()).unwrap(),
                venue.all_algos(account, "ETHUSDT", Window::default()).unwrap(),
                venue.account_config(account).unwrap(),
                venue.symbol_configs(account, Some("ETHUSDT")).unwrap(),
            )
        });
        assert_eq!((orders.len(), algos.len(), config.hedge_mode), (0, 0, false));
        assert_eq!(settings[0].leverage, 20, "as it was");
    }
}
