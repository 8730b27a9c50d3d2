//! An exchange with open legs, stops and resting orders, the real program beside it, and what must hold afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use hedge_core::{Decimal, Interval, OrderIds, Symbol};
use hedge_sim::{
    binance::{
        ApiKey, Environment, Exchange, ExchangeConfig, ExchangeHandle, Fault, Instruments, MarketSource, Pace,
    },
    market::GeneratedMarket,
    venue::{
        AlgoStatus, Command as Wish, InstrumentRules, NewAlgo, NewOrder, OrderStatus, OrderType,
        PositionSide, Side, SymbolId, Tif, WorkingType,
    },
};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::support::{Temp, command, program};

/// 2026-03-02T00:00:00Z.
const MARKET_MS: i64 = 1_772_409_600_000;
/// What a leg holds, by the symbol that its market is a copy of.
const SIZES: [(&str, &str); 7] = [
    ("ADAUSDT", "4000"),
    ("BNBUSDT", "3"),
    ("BTCUSDT", "0.05"),
    ("DOGEUSDT", "12000"),
    ("ETHUSDT", "0.8"),
    ("SOLUSDT", "15"),
    ("XRPUSDT", "2500"),
];

pub type LegName = (String, PositionSide);

pub struct Stage {
    pub exchange: ExchangeHandle,
    pub temp: Temp,
    pub symbols: Vec<String>,
    /// What the legs hold that were opened here.
    pub held: BTreeMap<LegName, Decimal>,
    runtime: Runtime,
    log: PathBuf,
}

/// How a panic close went.
pub struct Done {
    pub code: Option<i32>,
    pub verdict: Value,
    pub progress: String,
}

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn original(place: usize) -> &'static str {
    SIZES[place % SIZES.len()].0
}

fn usual_size(symbol: &str) -> Decimal {
    d(SIZES.iter().find(|(name, _)| symbol.ends_with(name)).unwrap().1)
}

/// The built-in rules, and copies of them under other names when more symbols are asked for than there are.
fn rules(count: usize, change: &dyn Fn(&mut InstrumentRules)) -> Vec<InstrumentRules> {
    let built_in = InstrumentRules::builtin();
    (0..count)
        .map(|place| {
            let name = original(place);
            let mut rules = built_in.iter().find(|rules| rules.symbol == name).unwrap().clone();
            if place >= SIZES.len() {
                rules.symbol = format!("COPY{place}{name}");
                rules.pair.clone_from(&rules.symbol);
                rules.base_asset = format!("C{place}");
            }
            change(&mut rules);
            rules
        })
        .collect()
}

fn market(rules: &[InstrumentRules]) -> MarketSource {
    let names: Vec<Symbol> = SIZES.iter().map(|(name, _)| Symbol::parse(name).unwrap()).collect();
    let mut data = GeneratedMarket::built_in(11).data_set(&names, Interval::M15, MARKET_MS, 400, 0).unwrap();
    let originals = data.series.clone();
    data.funding.clear();
    data.series = rules
        .iter()
        .enumerate()
        .map(|(place, rules)| {
            let mut series =
                originals.iter().find(|series| series.symbol.as_str() == original(place)).unwrap().clone();
            series.symbol = Symbol::parse(&rules.symbol).unwrap();
            series
        })
        .collect();
    data.series.sort_by_key(|series| series.symbol);
    MarketSource::Data(std::sync::Arc::new(data))
}

impl Stage {
    /// Both legs of so many symbols with a close-all stop each, and a resting close of a part of the first leg.
    pub fn new(name: &str, count: usize) -> Self {
        Self::with(name, count, true, &|_| {})
    }

    pub fn with(name: &str, count: usize, is_hedge: bool, change: &dyn Fn(&mut InstrumentRules)) -> Self {
        let mut stage = Self::empty(name, count, is_hedge, 1.0, change);
        for place in 0..count {
            let symbol = stage.symbols[place].clone();
            let size = usual_size(&symbol);
            if is_hedge {
                for side in [PositionSide::Long, PositionSide::Short] {
                    stage.open(&symbol, side, size);
                    stage.protect(&symbol, side);
                }
            } else {
                stage.open(&symbol, PositionSide::Both, size);
                stage.protect(&symbol, PositionSide::Both);
            }
        }
        if is_hedge {
            stage.rest_a_close(PositionSide::Long);
        }
        stage
    }

    /// Both legs of a symbol, their stops, and a resting close.
    pub fn dress(&mut self, place: usize) {
        let symbol = self.symbols[place].clone();
        for side in [PositionSide::Long, PositionSide::Short] {
            self.open(&symbol, side, usual_size(&symbol));
            self.protect(&symbol, side);
        }
        self.rest_a_close(PositionSide::Long);
    }

    /// No leg yet.
    pub fn empty(
        name: &str,
        count: usize,
        is_hedge: bool,
        speed: f64,
        change: &dyn Fn(&mut InstrumentRules),
    ) -> Self {
        let temp = Temp::new(name);
        let log = temp.join("exchange.jsonl");
        let rules = rules(count, change);
        let market = market(&rules);
        let config = ExchangeConfig {
            environment: Environment::Mainnet,
            instruments: Instruments::Rules(rules),
            balance_usdt: Decimal::from(100_000_000),
            market,
            history_bars: Some(300),
            pace: Pace::Speed(speed),
            log_path: Some(log.clone()),
            ..ExchangeConfig::default()
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let exchange = runtime.block_on(Exchange::start(config)).unwrap();
        let symbols = exchange.symbols();
        assert_eq!(symbols.len(), count, "{:?}", exchange.notes());
        let stage = Self { exchange, temp, symbols, held: BTreeMap::new(), runtime, log };
        if is_hedge {
            stage.wish(&Wish::PositionMode { account: stage.exchange.account(), hedge: true });
        }
        stage
    }

    pub fn wish(&self, wish: &Wish) {
        let _entered = self.runtime.enter();
        self.exchange.apply(wish).unwrap().unwrap_or_else(|error| panic!("{wish:?}: {error}"));
    }

    pub fn fault(&self, fault: Fault) {
        self.exchange.fault(fault).unwrap();
    }

    fn mark(&self, symbol: &str) -> Decimal {
        let account = self.exchange.account();
        self.exchange.query(|venue| venue.positions(account, Some(symbol)).unwrap()[0].mark_price)
    }

    fn position_side(&self, side: PositionSide) -> Option<PositionSide> {
        Some(side).filter(|side| *side != PositionSide::Both)
    }

    /// Opens a leg, in as many orders as the book takes.
    pub fn open(&mut self, symbol: &str, side: PositionSide, size: Decimal) {
        let order_side = if side == PositionSide::Short { Side::Sell } else { Side::Buy };
        let account = self.exchange.account();
        let id =
            SymbolId(u16::try_from(self.symbols.iter().position(|name| name == symbol).unwrap()).unwrap());
        for _ in 0..200 {
            let left = size - self.qty(symbol, side);
            if left <= Decimal::ZERO {
                break;
            }
            let most = self.exchange.query(|venue| venue.rules(id).unwrap().market_lot.max);
            let order = NewOrder {
                position_side: self.position_side(side),
                ..NewOrder::market(account, symbol, order_side, left.min(most))
            };
            self.wish(&Wish::Place(order));
            self.wish(&Wish::Stir { symbol: id });
        }
        assert_eq!(self.qty(symbol, side), size, "{symbol} {side:?} could not be opened");
        self.held.insert((symbol.to_owned(), side), size);
    }

    /// A close-all stop far away from the price.
    pub fn protect(&self, symbol: &str, side: PositionSide) {
        let (order_side, far) =
            if side == PositionSide::Short { (Side::Buy, d("1.3")) } else { (Side::Sell, d("0.7")) };
        let rules = InstrumentRules::builtin();
        let tick = rules.iter().find(|rules| symbol.ends_with(&rules.symbol)).unwrap().tick;
        let trigger = (self.mark(symbol) * far / tick).round() * tick;
        let account = self.exchange.account();
        self.wish(&Wish::PlaceAlgo(NewAlgo {
            position_side: self.position_side(side),
            trigger_price: Some(trigger),
            working_type: Some(WorkingType::Mark),
            close_position: true,
            ..NewAlgo::of(account, symbol, order_side, OrderType::StopMarket)
        }));
    }

    /// Rests a limit close of half of the first symbol's leg, too far away to fill: a full close fails beside it.
    fn rest_a_close(&self, side: PositionSide) {
        let symbol = self.symbols[0].clone();
        let rules = InstrumentRules::builtin();
        let rules = rules.iter().find(|rules| symbol.ends_with(&rules.symbol)).unwrap();
        let price = (self.mark(&symbol) * d("1.04") / rules.tick).round() * rules.tick;
        let qty = (self.held[&(symbol.clone(), side)] / d("2") / rules.lot.step).floor() * rules.lot.step;
        let account = self.exchange.account();
        self.wish(&Wish::Place(NewOrder {
            position_side: Some(side),
            order_type: OrderType::Limit,
            tif: Some(Tif::Gtc),
            price: Some(price),
            ..NewOrder::market(account, &symbol, Side::Sell, qty)
        }));
    }

    pub fn qty(&self, symbol: &str, side: PositionSide) -> Decimal {
        let legs = self.exchange.legs().unwrap();
        let leg = legs.iter().find(|leg| leg.symbol == symbol && leg.position_side == side);
        leg.map_or(Decimal::ZERO, |leg| leg.qty.abs())
    }

    /// `program` as an operator would start it, at this exchange.
    pub fn program(&self, name: &'static str) -> Command {
        let key = ApiKey::demo();
        let mut command = command(&self.temp, &program(name));
        command
            .env("HEDGE__BINANCE__REST_URL", self.exchange.rest_url())
            .env("HEDGE__BINANCE__WS_URL", self.exchange.ws_url())
            .env("BINANCE_API_KEY", key.key())
            .env("BINANCE_API_SECRET", key.secret());
        command
    }

    pub fn panic_close(&self, args: &[&str]) -> Done {
        let output = self.program("hedge-panic-close").args(["--yes", "--json"]).args(args).output().unwrap();
        done(&output)
    }

    /// Everything that was ever asked of the exchange, in order, as its command log has it.
    pub fn commands(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).unwrap();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n') && line.contains("\"c\":"));
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap()[0]["c"][1].take()).collect()
    }

    /// Our closes that reached the exchange, also those that it refused: place in the log, symbol, side, id, quantity.
    pub fn closes_sent(&self) -> Vec<(usize, LegName, String, Decimal)> {
        let side_of = |order: &Value| match order["position_side"].as_str() {
            Some("Long" | "LONG") => PositionSide::Long,
            Some("Short" | "SHORT") => PositionSide::Short,
            _ => PositionSide::Both,
        };
        let commands = self.commands();
        let sent = commands.iter().enumerate().filter_map(|(at, command)| {
            let order = &command["Place"];
            let id = order["client_order_id"].as_str()?;
            (OrderIds::is_ours(id) && &id[8..11] == "zzz").then(|| {
                let leg = (order["symbol"].as_str().unwrap().to_owned(), side_of(order));
                (at, leg, id.to_owned(), d(order["qty"].as_str().unwrap()))
            })
        });
        sent.collect()
    }

    /// What must hold after every panic close that says it is flat.
    pub fn check(&self, what: &str, done: &Done) {
        let context = format!("{what}: {}\n{:#}", done.progress, done.verdict);
        assert_eq!(done.code, Some(0), "{context}");
        assert_eq!(done.verdict["flat"], true, "{context}");
        let printed = if done.verdict["time_to_flat_ms"].is_null() { "FLAT: nothing" } else { "FLAT after " };
        assert!(done.progress.contains(printed), "the time is printed: {context}");
        assert!(self.exchange.legs().unwrap().is_empty(), "{context}");
        let account = self.exchange.account();
        let (plain, algos) = self.exchange.query(|venue| {
            (venue.open_orders(account, None).unwrap(), venue.open_algos(account, None).unwrap())
        });
        assert!(plain.is_empty() && algos.is_empty(), "{plain:?} {algos:?} {context}");

        let sent = self.closes_sent();
        let ids: BTreeSet<&String> = sent.iter().map(|(_, _, id, _)| id).collect();
        assert_eq!(ids.len(), sent.len(), "a client id was used twice: {context}");
        let commands = self.commands();
        for (leg, held) in &self.held {
            let orders = self.exchange.orders(Some(&leg.0)).unwrap();
            let closes: Vec<_> = orders
                .iter()
                .filter(|order| order.position_side == leg.1 && ids.contains(&order.client_order_id))
                .collect();
            let executed: Decimal = closes.iter().map(|order| order.executed_qty).sum();
            assert_eq!(executed, *held, "{leg:?}: what our closes took: {context}");
            assert!(closes.iter().all(|order| order.status != OrderStatus::New), "{context}");
            // Never more was accepted than the leg held at that time.
            let mut left = *held;
            for close in &closes {
                assert!(close.orig_qty <= left, "{leg:?}: {} of {left}: {context}", close.orig_qty);
                left -= close.executed_qty;
            }
            let last_fill = self
                .exchange
                .trades(&leg.0)
                .unwrap()
                .iter()
                .filter(|trade| trade.position_side == leg.1)
                .map(|trade| trade.time_ms)
                .max()
                .unwrap();
            for algo in self.exchange.algos(&leg.0).unwrap().iter().filter(|algo| algo.position_side == leg.1)
            {
                assert_eq!(algo.status, AlgoStatus::Canceled, "{context}");
                assert!(algo.update_ms >= last_fill, "a stop of {leg:?} went before its leg: {context}");
            }
            let removes_stops = |command: &Value| {
                command["CancelAllAlgos"]["symbol"] == leg.0.as_str() || !command["CancelAlgo"].is_null()
            };
            let last_close = sent.iter().filter(|(_, of, _, _)| of == leg).map(|(at, ..)| *at).max();
            if let (Some(first), Some(last)) = (commands.iter().position(removes_stops), last_close) {
                assert!(
                    first > last,
                    "a stop of {leg:?} was cancelled before its last close was sent: {context}"
                );
            }
        }
    }

    /// How many closes of a leg were sent.
    pub fn closes_of(&self, symbol: &str, side: PositionSide) -> usize {
        self.closes_sent().iter().filter(|(_, leg, _, _)| leg.0 == symbol && leg.1 == side).count()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _entered = self.runtime.enter();
    }
}

pub fn done(output: &Output) -> Done {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    let verdict =
        stdout.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).unwrap_or(Value::Null));
    Done { code: output.status.code(), verdict, progress }
}
