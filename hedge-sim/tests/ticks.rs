//! Ticks played one by one: what rests is filled by prints, money is conserved, and the same ticks give the same journal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{path::PathBuf, sync::Arc};

use hedge_core::{
    DataNeed, Decimal, Engine, EngineConfig, Entry, Event, Fact, InstrumentId, Intent, Notional, Output,
    PermitAll, PositionKey, PositionSide, Price, Protection, Qty, Ratio, Size, Strategy, StrategyEvent,
    StrategyId, StrategyView, Symbol, Tif, venue::AccountEvent,
};
use hedge_sim::{
    backtest::{Backtest, BacktestConfig, Instruments, Summary},
    market::{Tick, TickKind, TickSeries, TickSet, read_ticks},
    venue::AccountId,
};

fn btc() -> Symbol {
    Symbol::parse("BTCUSDT").unwrap()
}

/// Wants something at the ticks that it is told to act on.
#[derive(Debug)]
struct Script {
    seen: usize,
    acts: Vec<(usize, Intent)>,
}

impl Strategy for Script {
    fn id(&self) -> StrategyId {
        StrategyId::parse("script").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        Vec::new()
    }
    fn tick_needs(&self) -> Vec<InstrumentId> {
        vec![InstrumentId::binance("BTCUSDT").unwrap()]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, _view: &StrategyView<'_>, out: &mut Output) {
        if matches!(event, StrategyEvent::Quote { .. } | StrategyEvent::Print { .. }) {
            self.seen += 1;
            let seen = self.seen;
            self.acts.iter().filter(|(at, _)| *at == seen).for_each(|(_, intent)| out.want(intent.clone()));
        }
    }
}

/// Bids a little below the market on both legs all the time, and gives up what it got every now and then.
#[derive(Debug)]
struct Quoter {
    seen: u64,
}

impl Strategy for Quoter {
    fn id(&self) -> StrategyId {
        StrategyId::parse("quoter").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        Vec::new()
    }
    fn tick_needs(&self) -> Vec<InstrumentId> {
        vec![InstrumentId::binance("BTCUSDT").unwrap()]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let StrategyEvent::Quote { bid, ask, .. } = event else { return };
        self.seen += 1;
        if !self.seen.is_multiple_of(97) {
            return;
        }
        for (side, price) in [(PositionSide::Long, *bid), (PositionSide::Short, *ask)] {
            let leg = PositionKey::new(InstrumentId::binance("BTCUSDT").unwrap(), side);
            if view.leg(&leg).is_some() {
                out.want(Intent::close(leg, "enough"));
            } else if view.is_free(&leg) {
                out.want(Intent::Open {
                    position: leg,
                    size: Size::Notional(Notional::new(Decimal::from(500)).unwrap()),
                    entry: Entry::Limit { price, tif: Tif::Gtc },
                    protection: Protection::Stop {
                        trigger: away(price, side, -100),
                        take_profits: Vec::new(),
                    },
                    because: "at the best price".into(),
                });
            }
        }
    }
}

fn away(price: Price, side: PositionSide, bps: i64) -> Price {
    let moved = price.moved_by(Ratio::new(Decimal::new(side.sign() * bps, 4)).unwrap()).unwrap();
    Price::new(moved.get().round_dp(1)).unwrap()
}

fn quote(at_ms: i64, bid: i64, ask: i64) -> Tick {
    Tick { at_ms, kind: TickKind::Quote { bid, bid_qty: 1_000, ask, ask_qty: 1_000 } }
}

fn print(at_ms: i64, price: i64, seller_aggressed: bool) -> Tick {
    Tick { at_ms, kind: TickKind::Print { price, qty: 5, seller_aggressed } }
}

fn set(ticks: &[Tick]) -> Arc<TickSet> {
    let series = TickSeries {
        symbol: btc(),
        price_scale: 1,
        qty_scale: 3,
        ticks: ticks.to_vec(),
        sources: Vec::new(),
    };
    Arc::new(TickSet::new(vec![series]).unwrap())
}

fn play(data: &Arc<TickSet>, strategy: Box<dyn Strategy>) -> (Backtest, Summary) {
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    let engine = Engine::new(config, Box::new(PermitAll), vec![strategy]);
    let rules = Instruments::built_in_of(data.symbols()).unwrap().rules;
    let mut backtest =
        Backtest::on_ticks(engine, Arc::clone(data), rules, &BacktestConfig::default()).unwrap();
    backtest.run(&mut ()).unwrap();
    let summary = backtest.summary().unwrap();
    (backtest, summary)
}

fn is_conserved(backtest: &Backtest, s: &Summary) {
    assert_eq!(s.nav_start + s.realised + s.unrealised - s.fees_paid + s.funding_net, s.nav_end);
    let wallet = backtest.venue().assets(AccountId(0)).unwrap()[0].wallet_balance;
    assert_eq!(wallet + s.unrealised, s.nav_end, "the book and the exchange agree");
}

/// Price, quantity and whether it was a maker, of each fill.
fn fills(backtest: &Backtest) -> Vec<(String, String, bool)> {
    let of = |event: &Event| match event {
        Event::Fact(Fact::Account { event }) => match &**event {
            AccountEvent::Fill { fill } => Some((fill.price.to_string(), fill.qty.to_string(), fill.maker)),
            _ => None,
        },
        _ => None,
    };
    backtest.records().unwrap().iter().filter_map(|record| of(&record.event)).collect()
}

#[test]
fn a_resting_order_is_filled_by_a_trade_at_its_price_and_a_market_order_at_the_quote() {
    let leg = PositionKey::new(InstrumentId::binance("BTCUSDT").unwrap(), PositionSide::Long);
    let open = Intent::Open {
        position: leg,
        size: Size::Qty(Qty::parse("0.01").unwrap()),
        entry: Entry::Limit { price: Price::parse("60000").unwrap(), tif: Tif::PostOnly },
        protection: Protection::Unprotected { because: "a test".into() },
        because: "a test".into(),
    };
    let ticks = [
        quote(1_000, 600_010, 600_011),
        quote(1_100, 600_005, 600_006),
        // The buyer aggressed: a bid does not fill, wherever the trade is told.
        print(1_200, 600_000, false),
        quote(1_300, 600_002, 600_003),
        print(1_400, 600_000, true),
        quote(1_500, 601_007, 601_009),
        print(1_600, 601_009, false),
        quote(1_700, 601_007, 601_009),
    ];
    let acts = vec![(1, open), (7, Intent::close(leg, "a test"))];
    let (backtest, summary) = play(&set(&ticks), Box::new(Script { seen: 0, acts }));
    let told = fills(&backtest);
    let expected = [("60000", "0.01", true), ("60100.7", "0.01", false)];
    assert_eq!(told, expected.map(|(price, qty, maker)| (price.to_owned(), qty.to_owned(), maker)));
    let at_ms: Vec<i64> = backtest
        .venue()
        .user_trades(AccountId(0), "BTCUSDT", None, Default::default())
        .unwrap()
        .iter()
        .map(|trade| trade.time_ms)
        .collect();
    assert_eq!(at_ms, [1_400, 1_600]);
    assert_eq!((summary.events, summary.warmup_bars), (8, 0));
    assert_eq!(backtest.progress(), (8, 8));
    is_conserved(&backtest, &summary);
}

#[test]
fn an_ask_that_comes_down_to_a_resting_bid_fills_it() {
    let leg = PositionKey::new(InstrumentId::binance("BTCUSDT").unwrap(), PositionSide::Long);
    let open = Intent::Open {
        position: leg,
        size: Size::Qty(Qty::parse("0.01").unwrap()),
        entry: Entry::Limit { price: Price::parse("60000").unwrap(), tif: Tif::Gtc },
        protection: Protection::Unprotected { because: "a test".into() },
        because: "a test".into(),
    };
    let ticks = [
        quote(1_000, 600_010, 600_011),
        quote(1_100, 600_003, 600_004),
        quote(1_200, 599_990, 600_000),
        quote(1_300, 599_980, 599_990),
    ];
    let (backtest, summary) = play(&set(&ticks), Box::new(Script { seen: 0, acts: vec![(1, open)] }));
    assert_eq!(fills(&backtest), [("60000".to_owned(), "0.01".to_owned(), true)]);
    is_conserved(&backtest, &summary);
}

#[test]
fn a_price_off_the_grid_is_an_error_that_names_it() {
    let data = set(&[quote(1_000, 600_010, 600_011)]);
    let mut rules = Instruments::built_in_of(data.symbols()).unwrap().rules;
    rules[0].tick = Decimal::ONE;
    let engine = Engine::new(EngineConfig::default(), Box::new(PermitAll), Vec::new());
    let mut backtest = Backtest::on_ticks(engine, data, rules, &BacktestConfig::default()).unwrap();
    let error = backtest.run(&mut ()).unwrap_err().to_string();
    assert!(error.contains("BTCUSDT") && error.contains("60001") && error.contains("tick grid 1"), "{error}");
}

#[test]
fn the_same_ticks_give_the_same_journal() {
    let ticks: Vec<Tick> = (0..6_000_i64)
        .map(|at| {
            let bid = 600_000 + (at / 3 * 7_919) % 401 - 200;
            match at % 3 {
                2 => print(1_000 + at * 50, bid + at % 2, at % 2 == 0),
                _ => quote(1_000 + at * 50, bid, bid + 1),
            }
        })
        .collect();
    let data = set(&ticks);
    let (backtest, first) = play(&data, Box::new(Quoter { seen: 0 }));
    let (_, second) = play(&data, Box::new(Quoter { seen: 0 }));
    assert_eq!(first, second);
    assert!(first.fills > 20 && first.fees_paid > Decimal::ZERO, "{first:?}");
    is_conserved(&backtest, &first);
}

#[test]
fn recorded_ticks_are_played_to_the_end_and_conserve_money() {
    let Some(folder) = std::env::var_os("HEDGE_TEST_DATA") else {
        println!("SKIP recorded_ticks_are_played_to_the_end_and_conserve_money: HEDGE_TEST_DATA is not set");
        return;
    };
    println!("DATA TEST recorded_ticks_are_played_to_the_end_and_conserve_money");
    let data = Arc::new(read_ticks(&PathBuf::from(folder).join("binance_um/ticks")).unwrap());
    let quotes =
        data.series()[0].ticks.iter().filter(|tick| matches!(tick.kind, TickKind::Quote { .. })).count();
    assert_eq!((data.series().len(), data.len() - quotes, quotes), (1, 21_313, 66_089));
    let (backtest, first) = play(&data, Box::new(Quoter { seen: 0 }));
    assert_eq!(first.events, 87_402);
    assert!(first.fills > 100, "{first:?}");
    is_conserved(&backtest, &first);
    assert_eq!(play(&data, Box::new(Quoter { seen: 0 })).1, first);
}
