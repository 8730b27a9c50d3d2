//! What operators find in the state directory.
#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use std::collections::BTreeMap;

use hedge_core::{
    AccountEvent, AccountSnapshot, Amount, Asset, Balance, CashFlow, CashFlowKind, Decimal, Fact,
    InstrumentIx, MarketEvent, PermitAll, Position, PositionKey, PositionMode, Price, Qty, RunId, RunStarted,
    SignedAmount, Term, Timestamp, VenueSnapshot,
    engine::{Engine, EngineConfig, Step},
    event::JOURNAL_FORMAT,
};
use hedge_runtime::Views;
use serde_json::Value;
use support::{START_MS, btc, spec};

/// An engine without strategies, and the views that follow it.
struct Bench {
    engine: Engine,
    views: Views,
    now: Timestamp,
}

impl Bench {
    fn new(positions: Vec<Position>) -> Self {
        let engine = Engine::new(EngineConfig::default(), Box::new(PermitAll), Vec::new());
        let mut bench = Self { engine, views: Views::default(), now: Timestamp::from_ms(START_MS) };
        bench.tell(Fact::RunStarted(RunStarted {
            run: RunId(START_MS / 1_000),
            term: Term(1),
            format: JOURNAL_FORMAT,
            code_version: String::new(),
            config_hash: String::new(),
            profile: "paper".into(),
            data_hash: None,
        }));
        bench.tell(Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(spec(btc())) });
        let account = AccountSnapshot {
            venue_time: bench.now,
            balances: vec![Balance {
                asset: Asset::usdt(),
                wallet: SignedAmount::from_decimal(Decimal::from(1_000)),
                available: None,
            }],
            mode: PositionMode::Hedge,
            multi_assets: false,
            can_trade: None,
            can_withdraw: None,
        };
        let (orders, fills, flows) = (Vec::new(), Vec::new(), Vec::new());
        bench.tell(Fact::Snapshot {
            snapshot: Box::new(VenueSnapshot { account, positions, orders, fills, flows }),
        });
        bench
    }
    fn tell(&mut self, fact: Fact) {
        let mut step = Step::default();
        self.engine.step(self.now, fact, &mut step);
        for envelope in &step.events {
            self.views.observe(envelope, self.engine.book());
        }
    }
    fn mark(&mut self, price: &str) {
        let event = MarketEvent::Mark {
            instrument: InstrumentIx(0),
            mark: Price::parse(price).unwrap(),
            venue_time: self.now,
        };
        self.tell(Fact::Market { event });
    }
    fn render(&self) -> BTreeMap<&'static str, String> {
        let rendered = self.views.render(self.engine.book(), self.now);
        rendered.into_iter().map(|(name, view)| (name.as_str(), view.json)).collect()
    }
    fn nav(&self) -> Value {
        serde_json::from_str(&self.render()["nav"]).unwrap()
    }
}

fn held(key: PositionKey, qty: &str, entry: &str) -> Position {
    Position::new(key, Qty::parse(qty).unwrap(), Price::parse(entry).unwrap())
}

#[test]
fn positions_have_one_row_a_leg_with_the_operators_names() {
    let positions =
        vec![held(PositionKey::long(btc()), "1.0", "100"), held(PositionKey::short(btc()), "2.50", "110")];
    let mut bench = Bench::new(positions);
    bench.mark("104");
    assert_eq!(
        bench.render()["positions"],
        concat!(
            r#"{"positions":[{"symbol":"BTCUSDT","side":"LONG","qty":"1","entry":"100","mark":"104","uPnl":"4"},"#,
            r#"{"symbol":"BTCUSDT","side":"SHORT","qty":"2.5","entry":"110","mark":"104","uPnl":"15"}]}"#
        )
    );
}

#[test]
fn drawdown_counts_from_the_peak_and_a_transfer_moves_the_peak() {
    let mut bench = Bench::new(vec![held(PositionKey::long(btc()), "1", "100")]);
    bench.mark("200");
    bench.mark("150");
    let before = bench.nav();
    assert_eq!((&before["nav"], &before["peak"]), (&Value::from("1050"), &Value::from("1100")));
    assert_eq!(before["drawdown_pct"], "4.5455");
    let flow = CashFlow {
        kind: CashFlowKind::Transfer,
        amount: Amount::usdt(Decimal::from(-550)),
        instrument: None,
        venue_time: bench.now,
        id: "t1".into(),
    };
    bench.tell(Fact::Account { event: Box::new(AccountEvent::CashFlow { flow }) });
    let after = bench.nav();
    assert_eq!((&after["nav"], &after["peak"]), (&Value::from("500"), &Value::from("550")));
    assert_eq!(after["transfers"], "-550");
}

#[test]
fn a_leg_without_a_stop_makes_health_degraded() {
    let bench = Bench::new(vec![held(PositionKey::long(btc()), "1", "100")]);
    let health: Value = serde_json::from_str(&bench.render()["health"]).unwrap();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["unprotected"][0], "BTCUSDT LONG");
    assert_eq!((&health["unknown_orders"], &health["unknown_age_seconds"]), (&Value::from(0), &Value::Null));
    assert_eq!(health["stop_validator_missing_total"], 0);
    assert_eq!(health["unprotected_max_ms"], 0, "it is bare since this moment: {health}");
    assert_eq!(
        serde_json::from_str::<Value>(&Bench::new(Vec::new()).render()["health"]).unwrap()["status"],
        "ok"
    );
}

/// Every object of a list, and every object that holds one.
fn rows<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.push(value);
            fields.values().filter(|field| field.is_array()).for_each(|list| rows(list, found));
        }
        Value::Array(list) => list.iter().for_each(|row| rows(row, found)),
        _ => {}
    }
}

#[test]
fn every_view_and_every_row_says_that_the_money_is_not_real_and_otherwise_none_does() {
    let position =
        Position::new(PositionKey::long(btc()), Qty::parse("2").unwrap(), Price::parse("100").unwrap());
    let mut bench = Bench::new(vec![position]);
    bench.mark("110");
    assert!(bench.render().values().all(|json| !json.contains("simulated")));
    let plain: Value = serde_json::from_str(&bench.render()["positions"]).unwrap();
    let real = std::mem::replace(&mut bench.views, Views::new(true));
    drop(real);
    bench.mark("111");
    let views = bench.render();
    assert_eq!(views.len(), 8);
    for (name, json) in &views {
        let value: Value = serde_json::from_str(json).unwrap();
        let mut found = Vec::new();
        rows(&value, &mut found);
        assert!(found.iter().all(|row| row["simulated"] == Value::Bool(true)), "{name}: {json}");
    }
    let mut marked: Value = serde_json::from_str(&views["positions"]).unwrap();
    assert_eq!(marked["positions"].as_array().unwrap().len(), 1);
    assert_eq!(marked["positions"][0]["qty"], plain["positions"][0]["qty"], "numbers look the same");
    assert_eq!(marked["positions"][0].as_object_mut().unwrap().remove("simulated"), Some(Value::Bool(true)));
}
