//! The embedded exchange of a state directory: what its command log holds, and the exchange that the log leads to.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use hedge_core::Interval;
use hedge_sim::{
    binance::{Environment, Exchange, ExchangeConfig, ExchangeHandle, MarketSource, Pace},
    venue::{AlgoView, OrderView},
};
use serde_json::Value;

use super::json;

/// The name of the log, beside the journal.
pub const LOG: &str = "exchange.jsonl";

/// How often each client id was placed, by either id space.
pub fn placed(dir: &Path) -> BTreeMap<String, u32> {
    let mut placed = BTreeMap::new();
    let text = fs::read_to_string(dir.join(LOG)).unwrap_or_default();
    // A process that was killed leaves an unfinished last line.
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        if !line.contains("Place") {
            continue;
        }
        // A line is its record and a checksum.
        let record: Value = serde_json::from_str(line).unwrap();
        let command = &record[0]["c"][1];
        let id =
            command["Place"]["client_order_id"].as_str().or(command["PlaceAlgo"]["client_algo_id"].as_str());
        *placed
            .entry(id.unwrap_or_else(|| panic!("an order without a client id: {line}")).to_owned())
            .or_default() += 1;
    }
    placed
}

/// Venue time of the last market step in the log. Units: milliseconds since 1970.
pub fn last_step_ms(dir: &Path) -> Option<i64> {
    /// More than any run of lines without a step.
    const TAIL: u64 = 65_536;
    let mut file = File::open(dir.join(LOG)).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    // The last line may be unfinished.
    let (text, _) = text.rsplit_once('\n')?;
    let (_, last) = text.rsplit_once("{\"s\":")?;
    last.split('}').next()?.parse().ok()
}

/// Starts an exchange of our own from a copy of the log: what the killed and restarted one must have been.
pub async fn replayed(dir: &Path, seed: u64) -> ExchangeHandle {
    let copy = dir.join("exchange-copy.jsonl");
    fs::copy(dir.join(LOG), &copy).unwrap();
    let plan = json(&dir.join("plan.json"));
    let symbols =
        plan["symbols"].as_array().unwrap().iter().map(|symbol| symbol.as_str().unwrap().to_owned());
    let exchange = Exchange::start(ExchangeConfig {
        environment: Environment::Mainnet,
        market: MarketSource::Generated { seed, symbols: symbols.collect(), bars: Interval::M15 },
        history_bars: Some(usize::try_from(plan["history"].as_u64().unwrap()).unwrap()),
        pace: Pace::Lockstep,
        log_path: Some(copy.clone()),
        ..ExchangeConfig::default()
    });
    let exchange = exchange.await.unwrap();
    fs::remove_file(copy).unwrap();
    exchange
}

/// Every open order of the account, plain and algo.
pub fn open_orders(exchange: &ExchangeHandle) -> (Vec<OrderView>, Vec<AlgoView>) {
    let account = exchange.account();
    exchange
        .query(|venue| (venue.open_orders(account, None).unwrap(), venue.open_algos(account, None).unwrap()))
}
