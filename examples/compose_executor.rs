//! An executor from library parts: the embedded exchange, the signed Binance client, an SMA cross, the limits, the loop.
//! Eight seconds of wall time are 40 one-minute bars: `cargo run -p hedge-examples --example compose_executor`.
use std::{error::Error, sync::Arc, time::Duration};

use hedge_binance::{Binance, BinanceConfig, Credentials, Endpoints, Mainnet};
use hedge_core::*;
use hedge_risk::{DayCalendar, RiskLimits, RiskStack};
use hedge_runtime::{Activity, Listing, Parts, Runtime, Settings, Shutdown, Unfenced};
use hedge_sim::binance::{Environment, Exchange, ExchangeConfig, Pace};
use hedge_store::MemoryStore;
use hedge_strategy::{MaCross, MaCrossParams};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (environment, pace) = (Environment::Mainnet, Pace::Speed(300.0));
    let exchange = Exchange::start(ExchangeConfig { environment, pace, ..ExchangeConfig::default() }).await?;
    let clock: Arc<dyn Clock> = Arc::new(exchange.clock().clone());

    let endpoints = Endpoints::<Mainnet>::new(Some(&exchange.rest_url()), Some(&exchange.ws_url()))?;
    let config = ExchangeConfig::default();
    let credentials = Credentials::new(config.api_key.key().to_owned(), config.api_key.secret().to_owned())?;
    let client = Binance::connect(BinanceConfig::new(endpoints, Arc::clone(&clock)), credentials)?;
    // Nothing can trade without a pass. A simulated exchange needs no person's consent; mainnet does.
    let report = PreflightReport { fingerprint: client.fingerprint().clone(), checks: Vec::new() };
    let client = client.arm(PreflightPass::issue(&report, None, "", clock.now())?, clock.now())?;

    let instrument = InstrumentId::binance("BTCUSDT")?;
    let (id, capital) = (StrategyId::parse("cross")?, Notional::new(500.into())?);
    let (interval, fast, slow, stop_percent) = (Interval::M1, 3, 8, 2.0);
    let (long, short) = (true, true);
    let cross = MaCrossParams { id, instrument, interval, fast, slow, long, short, capital, stop_percent };
    let limits = RiskLimits { entries_per_leg_per_hour: 60, ..RiskLimits::default() };
    let risk = RiskStack::from_limits(&limits, DayCalendar::utc(limits.daily_reset_hour)?)?;
    let engine = Engine::new(EngineConfig::default(), Box::new(risk), vec![Box::new(MaCross::new(cross))]);

    let (store, shutdown) = (MemoryStore::new(), Shutdown::new());
    let parts = Parts {
        store: Arc::new(store.clone()),
        venues: vec![Arc::new(client)],
        clock,
        fence: Arc::new(Unfenced),
        activity: Activity::free(),
        observers: Vec::new(),
        shutdown: shutdown.clone(),
        settings: Settings::new(vec![Listing {
            instrument,
            leverage: Leverage::new(3)?,
            margin: MarginMode::Crossed,
        }]),
    };
    let running = tokio::spawn(Runtime::new(engine, parts).run());
    tokio::time::sleep(Duration::from_secs(8)).await;
    shutdown.trigger("the example is over");
    let end = running.await??;
    let (records, fills) = (store.records().len(), end.engine.book().totals().fills);
    println!("{}: {records} records, {fills} fills", end.because);
    Ok(())
}
