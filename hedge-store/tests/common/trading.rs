//! A journal of a strategy that trades: screened bars, gate checks, orders, fills, stops, two processes.

use hedge_core::{
    DataNeed, Decimal, Envelope, InstrumentId, Intent, Interval, Notional, Output, PositionKey, Price, Ratio,
    Reading, Size, Strategy, StrategyEvent, StrategyId, StrategyView,
};
use hedge_testkit::{bars, rehearsal::Rehearsal};

/// Opens LONG after a rise and SHORT after a fall, closes when the price turns.
#[derive(Debug, Default)]
struct Turns {
    last: f64,
}

fn btc() -> InstrumentId {
    InstrumentId::binance("BTCUSDT").unwrap()
}

impl Strategy for Turns {
    fn id(&self) -> StrategyId {
        StrategyId::parse("turns").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: btc(), interval: Interval::M15, warmup_bars: 1 }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let StrategyEvent::Bar { bar, .. } = event else { return };
        let rises = bar.close_f64() > self.last;
        self.last = bar.close_f64();
        out.saw(Reading {
            instrument: btc(),
            timeframe: Interval::M15,
            z: Some(0.5),
            rsi: None,
            atr: None,
            cross_up: rises,
            cross_down: !rises,
            in_trade: false,
            side: None,
            emitted: false,
            veto: vec!["z_low".into(), "no_cross".into()],
        });
        for (key, wanted) in [(PositionKey::long(btc()), rises), (PositionKey::short(btc()), !rises)] {
            if wanted && view.is_free(&key) {
                let away = Ratio::new(Decimal::new(-5 * key.side.sign(), 3)).unwrap();
                let stop: Price = bar.close_price().unwrap().moved_by(away).unwrap();
                let size = Size::Notional(Notional::new(Decimal::from(1_000)).unwrap());
                out.want(Intent::open(key, size, stop, "the price turned"));
            } else if !wanted && view.leg(&key).is_some() {
                out.want(Intent::close(key, "it turned back"));
            }
        }
    }
}

/// A journal over so many bars, of two processes.
pub(crate) fn rehearse(bars: usize) -> Rehearsal {
    let strategy = || Box::new(Turns::default());
    let mut rehearsal = Rehearsal::new(strategy());
    for (n, bar) in bars::market(&Turns::default().needs(), 7, bars).iter().enumerate() {
        if n == bars / 2 {
            rehearsal.restart(strategy());
        }
        rehearsal.bar(&bar.instrument, &bar.bar);
    }
    rehearsal
}

/// Its records.
pub(crate) fn journal(bars: usize) -> Vec<Envelope> {
    rehearse(bars).records().to_vec()
}
