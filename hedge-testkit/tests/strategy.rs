//! The suite accepts a decent strategy and catches three bad ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::sync::atomic::{AtomicU64, Ordering};

use hedge_core::{
    DataNeed, Decimal, InstrumentId, Intent, Interval, Notional, Output, PositionKey, Price, Ratio, Size,
    Strategy, StrategyEvent, StrategyId, StrategyView,
};
use hedge_testkit::{bars::market, conformance::strategy, rehearsal::Rehearsal};

const WARMUP: usize = 12;

/// Opens with the move of the last bars, on either leg, with a stop; closes when the move has turned.
#[derive(Debug, Default)]
struct Momentum {
    closes: Vec<f64>,
    vice: Vice,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Vice {
    #[default]
    None,
    /// Decides on half of its warm-up.
    Hasty,
    /// Keeps its closes over a gap.
    Forgetful,
    /// Lets a global decide.
    Moody,
}

static MOOD: AtomicU64 = AtomicU64::new(0);

fn btc() -> InstrumentId {
    InstrumentId::binance("BTCUSDT").unwrap()
}

impl Strategy for Momentum {
    fn id(&self) -> StrategyId {
        StrategyId::parse("momentum").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: btc(), interval: Interval::M15, warmup_bars: WARMUP }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let (bar, decides) = match event {
            StrategyEvent::History { bar, .. } => (bar, false),
            StrategyEvent::Bar { bar, .. } => (bar, true),
            StrategyEvent::Gap { .. } if self.vice != Vice::Forgetful => return self.closes.clear(),
            _ => return,
        };
        self.closes.push(bar.close_f64());
        let enough = if self.vice == Vice::Hasty { WARMUP / 2 } else { WARMUP };
        if !decides || self.closes.len() < enough {
            return;
        }
        if self.vice == Vice::Moody && MOOD.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            return;
        }
        let ago = self.closes[self.closes.len() - enough];
        let change = bar.close_f64() / ago - 1.0;
        for (key, wanted) in
            [(PositionKey::long(btc()), change > 0.004), (PositionKey::short(btc()), change < -0.004)]
        {
            if wanted && view.is_free(&key) {
                let away = Ratio::new(Decimal::new(-5 * key.side.sign(), 3)).unwrap();
                let stop: Price = bar.close_price().unwrap().moved_by(away).unwrap();
                let size = Size::Notional(Notional::new(Decimal::from(1_000)).unwrap());
                out.want(Intent::open(key, size, stop, "momentum"));
            } else if !wanted && view.leg(&key).is_some() && change.abs() > 0.002 {
                out.want(Intent::close(key, "turned"));
            }
        }
    }
}

fn with(vice: Vice) -> impl Fn() -> Box<dyn Strategy> {
    move || Box::new(Momentum { vice, ..Momentum::default() })
}

#[test]
fn a_decent_strategy_passes_and_trades() {
    assert!(strategy::is_deterministic(with(Vice::None)) > 20);
    assert!(strategy::survives_replay(with(Vice::None)) > 20);
    assert!(strategy::is_silent_during_warmup(with(Vice::None)) > 10);
}

#[test]
#[should_panic(expected = "it opened during its warm-up")]
fn a_strategy_that_opens_during_its_warmup_is_caught() {
    strategy::is_silent_during_warmup(with(Vice::Hasty));
}

#[test]
#[should_panic(expected = "before it was warm again after a gap")]
fn a_strategy_that_ignores_a_gap_is_caught() {
    strategy::is_silent_during_warmup(with(Vice::Forgetful));
}

#[test]
#[should_panic(expected = "two runs over the same market differ")]
fn a_strategy_with_a_global_is_caught_by_a_second_run() {
    strategy::is_deterministic(with(Vice::Moody));
}

#[test]
#[should_panic(expected = "differs: the journal has")]
fn a_strategy_with_a_global_is_caught_by_its_journal() {
    strategy::survives_replay(with(Vice::Moody));
}

#[test]
fn a_rehearsal_opens_both_legs_protects_them_and_keeps_the_books_straight() {
    let strategy = Momentum::default();
    let bars = market(&strategy.needs(), 2, 600);
    let mut rehearsal = Rehearsal::new(Box::new(strategy));
    for bar in &bars {
        rehearsal.bar(&bar.instrument, &bar.bar);
        for leg in rehearsal.state().book().open_legs() {
            assert!(leg.unprotected_since.is_none(), "{} stands without its stop", leg.key);
        }
    }
    let book = rehearsal.state().book();
    let closes = rehearsal.intents().filter(|intent| matches!(intent, Intent::Close { .. })).count();
    let opens = rehearsal.intents().count() - closes;
    assert!(opens > 5 && closes > 0, "{opens} openings, {closes} closes");
    assert!(rehearsal.fills() > opens + closes, "no stop ever fired: {} fills", rehearsal.fills());
    for key in [PositionKey::long(btc()), PositionKey::short(btc())] {
        assert!(!book.leg(&key).unwrap().realized.is_zero(), "{key} never closed");
    }
    let totals = book.totals();
    assert_eq!(totals.corrections, Decimal::ZERO);
    assert_eq!(totals.nav_start + totals.realized + book.unrealized() - totals.fees, book.equity());
}
