//! The drill's own exchange, asked in process: what an account really holds, whatever the executor believes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hedge_sim::{
    binance::{
        ApiKey, Environment, Exchange as Server, ExchangeConfig, ExchangeHandle, Fault, FaultLog,
        MarketSource, Pace,
    },
    venue::{AlgoRef, AlgoStatus, AlgoView, Command, OrderStatus, OrderType, PositionSide, Venue, Window},
};
use rust_decimal::Decimal;
use serde_json::Value;
use tokio::{runtime::Runtime, time::timeout};

use super::{DrillError, history::History};

/// What is traded.
pub(super) const SYMBOLS: [&str; 7] =
    ["ADAUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];
/// Venue seconds in one of ours: a bar of a minute takes half a second.
pub(super) const SPEED: u32 = 120;
const LEVERAGE: u32 = 3;

/// Symbol and side.
pub(super) type LegName = (String, PositionSide);

/// The account as the exchange has it, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Account {
    pub(super) legs: BTreeMap<LegName, Decimal>,
    pub(super) wallet: Decimal,
    /// Client ids of open orders, of both id spaces.
    pub(super) open: BTreeSet<String>,
    /// Open legs without a live stop for all of them.
    pub(super) bare: Vec<LegName>,
    pub(super) executions: u64,
}

/// One order of either id space, open or over.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) executed: Decimal,
    pub(super) qty: Decimal,
    /// Takes the whole leg, however large it is.
    pub(super) is_close_all: bool,
    /// The quantity of its executions, as told one by one.
    pub(super) traded: Decimal,
    /// It has ended without having been filled for all it wanted, but for a part.
    pub(super) is_part: bool,
    /// When the exchange took it. Units: venue milliseconds since 1970.
    pub(super) placed_ms: i64,
}

/// The exchange of one drill.
#[derive(Clone)]
pub(super) struct Exchange {
    runtime: Arc<Runtime>,
    handle: Arc<ExchangeHandle>,
    key: ApiKey,
    began_ms: i64,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("address", &self.handle.address()).finish_non_exhaustive()
    }
}

impl Exchange {
    /// Opens it: hedge mode, a large account, a generated market on a fast clock.
    pub(super) fn open(runtime: Arc<Runtime>, seed: u64, balance_usdt: Decimal) -> Result<Self, DrillError> {
        let key = own_key();
        let config = ExchangeConfig {
            environment: Environment::Mainnet,
            api_key: key.clone(),
            balance_usdt,
            market: MarketSource::generated(seed),
            pace: Pace::Speed(f64::from(SPEED)),
            ..ExchangeConfig::default()
        };
        let handle = Arc::new(runtime.block_on(Server::start(config))?);
        let exchange = Self { began_ms: handle.now_ms(), runtime, handle, key };
        let account = exchange.handle.account();
        exchange.apply(&Command::PositionMode { account, hedge: true })?;
        for symbol in SYMBOLS {
            exchange.apply(&Command::Leverage { account, symbol: symbol.to_owned(), leverage: LEVERAGE })?;
        }
        Ok(exchange)
    }

    /// Variables that lead a program of ours here.
    pub(super) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("HEDGE__BINANCE__REST_URL", self.handle.rest_url()),
            ("HEDGE__BINANCE__WS_URL", self.handle.ws_url()),
            ("BINANCE_API_KEY", self.key.key().to_owned()),
            ("BINANCE_API_SECRET", self.key.secret().to_owned()),
        ]
    }

    /// What the exchange or a person does there. A refusal of the exchange is passed over: the world has moved on.
    pub(super) fn apply(&self, command: &Command) -> Result<bool, DrillError> {
        let _entered = self.runtime.enter();
        Ok(self.handle.apply(command)?.is_ok())
    }

    /// Makes something go wrong, in the words of `POST /sim/faults`; the fault's number.
    pub(super) fn inject(&self, fault: &Value) -> Result<u64, DrillError> {
        let _entered = self.runtime.enter();
        Ok(self.handle.fault(Fault::parse(&fault.to_string())?)?)
    }

    /// Ends one fault, if it is there.
    pub(super) fn clear(&self, fault: u64) {
        let _entered = self.runtime.enter();
        let _ = self.handle.clear_faults(Some(fault));
    }

    /// How often a fault has happened.
    pub(super) fn hits(&self, fault: u64) -> u32 {
        self.handle.faults().iter().find(|status| status.id == fault).map_or(0, |status| status.hits)
    }

    /// Tells from now on which requests faults befall.
    pub(super) fn fault_log(&self) -> FaultLog {
        self.handle.fault_log()
    }

    /// What it has told and nobody has read yet, a line each.
    pub(super) fn told(&self, log: &mut FaultLog) -> Vec<String> {
        self.runtime.block_on(async {
            let mut lines = Vec::new();
            while let Ok(Some(line)) = timeout(Duration::ZERO, log.next()).await {
                lines.push(line);
            }
            lines
        })
    }

    /// How often faults have happened, all together.
    pub(super) fn all_hits(&self) -> u32 {
        self.handle.faults().iter().map(|status| status.hits).sum()
    }

    /// How many requests came while their address was banned.
    pub(super) fn refused_under_ban(&self) -> u64 {
        self.handle.refused_while_banned()
    }

    /// Venue time. Units: milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.handle.now_ms()
    }

    /// Venue time as seconds since the exchange was opened, on walls.
    pub(super) fn seconds(&self, venue_ms: i64) -> f64 {
        (venue_ms - self.began_ms) as f64 / 1_000.0 / f64::from(SPEED)
    }

    pub(super) fn account(&self) -> Account {
        let id = self.handle.account();
        self.handle.query(|venue| {
            let legs: BTreeMap<LegName, Decimal> = venue
                .positions(id, None)
                .unwrap_or_default()
                .into_iter()
                .filter(|leg| !leg.qty.is_zero())
                .map(|leg| ((leg.symbol, leg.position_side), leg.qty.abs().normalize()))
                .collect();
            let (plain, algos) = (
                venue.open_orders(id, None).unwrap_or_default(),
                venue.open_algos(id, None).unwrap_or_default(),
            );
            let bare = legs.iter().filter(|(leg, qty)| !algos.iter().any(|algo| covers(algo, leg, **qty)));
            let bare = bare.map(|(leg, _)| leg.clone()).collect();
            let assets = venue.assets(id).unwrap_or_default();
            let wallet = assets.iter().find(|row| row.asset == "USDT").map(|row| row.wallet_balance);
            let open = plain.into_iter().map(|order| order.client_order_id);
            let open = open.chain(algos.into_iter().map(|algo| algo.client_algo_id)).collect();
            let wallet = wallet.unwrap_or_default().normalize();
            Account { legs, wallet, open, bare, executions: executions(venue, &self.handle) }
        })
    }

    /// Live conditional orders of one kind, on open legs.
    pub(super) fn guards(&self, kind: OrderType) -> Vec<AlgoView> {
        let id = self.handle.account();
        let mut algos = self.handle.query(|venue| venue.open_algos(id, None).unwrap_or_default());
        algos.retain(|algo| algo.order_type == kind && algo.status == AlgoStatus::New);
        algos
    }

    /// A person, or another program, cancels a conditional order.
    pub(super) fn cancel_guard(&self, guard: &AlgoView) -> Result<bool, DrillError> {
        self.apply(&Command::CancelAlgo { account: self.handle.account(), algo: AlgoRef::Id(guard.algo_id) })
    }

    /// Every order that the exchange has ever taken.
    pub(super) fn history(&self) -> History {
        let id = self.handle.account();
        self.handle.query(|venue| {
            let mut traded: BTreeMap<u64, Decimal> = BTreeMap::new();
            for symbol in SYMBOLS {
                for trade in venue.user_trades(id, symbol, None, Window::default()).unwrap_or_default() {
                    *traded.entry(trade.order_id).or_default() += trade.qty;
                }
            }
            let of =
                |order: Option<u64>| order.and_then(|order| traded.get(&order)).copied().unwrap_or_default();
            let mut rows = History::new();
            // The child of a conditional order bears that one's client id.
            let plain = venue.all_orders(id, None, Window::default()).unwrap_or_default();
            for order in plain.into_iter().filter(|order| order.algo_id.is_none()) {
                let has_ended = !matches!(order.status, OrderStatus::New | OrderStatus::PartiallyFilled);
                let executed = order.executed_qty.normalize();
                rows.entry(order.client_order_id).or_default().push(Row {
                    executed,
                    qty: order.orig_qty.normalize(),
                    is_close_all: false,
                    traded: of(Some(order.order_id)).normalize(),
                    is_part: has_ended && !executed.is_zero() && executed < order.orig_qty,
                    placed_ms: order.time_ms,
                });
            }
            for symbol in SYMBOLS {
                for algo in venue.all_algos(id, symbol, Window::default()).unwrap_or_default() {
                    rows.entry(algo.client_algo_id).or_default().push(Row {
                        executed: algo.actual_qty.normalize(),
                        qty: algo.qty.normalize(),
                        is_close_all: algo.close_position,
                        traded: of(algo.actual_order_id).normalize(),
                        is_part: false,
                        placed_ms: algo.create_ms,
                    });
                }
            }
            rows
        })
    }
}

/// A key of this drill alone: an executor that outlived another drill is refused here, should the port be the same.
fn own_key() -> ApiKey {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mark = format!("{:08x}{:024x}", std::process::id(), since.as_nanos());
    ApiKey::new(format!("drillKeyOpensNothingReal{mark}"), format!("drillSecretOpensNothingReal{mark}"))
}

fn covers(algo: &AlgoView, leg: &LegName, qty: Decimal) -> bool {
    algo.order_type == OrderType::StopMarket
        && algo.status == AlgoStatus::New
        && (&algo.symbol, algo.position_side) == (&leg.0, leg.1)
        && (algo.close_position || algo.qty >= qty)
}

fn executions(venue: &Venue, handle: &ExchangeHandle) -> u64 {
    let of = |symbol: &&str| venue.user_trades(handle.account(), symbol, None, Window::default());
    SYMBOLS.iter().map(|symbol| of(symbol).map_or(0, |trades| trades.len() as u64)).sum()
}

/// A leg as people write it.
pub(super) fn leg_words(leg: &LegName) -> String {
    format!("{} {}", leg.0, leg.1.as_str())
}

/// Several legs; "none" for none.
pub(super) fn legs_words<'a>(legs: impl IntoIterator<Item = &'a LegName>) -> String {
    let words: Vec<String> = legs.into_iter().map(leg_words).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
