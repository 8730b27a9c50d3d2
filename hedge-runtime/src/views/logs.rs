//! The latest signals, executions and screener readings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hedge_core::{
    Action, Decimal, Decision, Envelope, Event, Fact, Fill, InstrumentId, Intent, PositionKey, Reading, Seq,
    StrategyId, Timestamp, Verdict,
};
use serde::Serialize;

use super::nav::tidy;

const KEPT_SIGNALS: usize = 100;
const KEPT_TRADES: usize = 500;
/// Executions that are recognised when they are told again. Far more than the overlap of two reads of an account holds.
const KNOWN_TRADES: usize = 20_000;

/// Rows of `signals.json`, `trade_log.json` and `screener.json`, folded from the journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs {
    signals: VecDeque<SignalRow>,
    trades: VecDeque<TradeRow>,
    known_trades: KnownTrades,
    screener: BTreeMap<(String, String, StrategyId), ScreenerRow>,
    attempted: u64,
    emitted: u64,
}

/// The latest ids of executions; the one that came first leaves first, for ids of different symbols do not compare.
#[derive(Clone, Debug, Default)]
struct KnownTrades {
    ids: BTreeSet<(InstrumentId, i64)>,
    order: VecDeque<(InstrumentId, i64)>,
}

impl KnownTrades {
    /// Whether that execution is a new one.
    fn insert(&mut self, id: (InstrumentId, i64)) -> bool {
        let is_new = self.ids.insert(id);
        if is_new {
            self.order.push_back(id);
            if self.order.len() > KNOWN_TRADES
                && let Some(oldest) = self.order.pop_front()
            {
                self.ids.remove(&oldest);
            }
        }
        is_new
    }
}

/// One intent and what became of it at the gate.
#[derive(Clone, Debug, Serialize)]
struct SignalRow {
    seq: Seq,
    at: String,
    strategy: String,
    symbol: String,
    side: &'static str,
    signal: &'static str,
    kind: &'static str,
    because: String,
    verdict: Option<Verdict>,
    #[serde(skip)]
    position: Option<PositionKey>,
}

/// One execution.
#[derive(Clone, Debug, Serialize)]
struct TradeRow {
    at: String,
    symbol: String,
    side: &'static str,
    order_side: &'static str,
    qty: Decimal,
    price: Decimal,
    fee: Decimal,
    pnl: Option<Decimal>,
    trade_id: i64,
    client_id: Option<String>,
}

/// The latest reading of one strategy on one symbol.
#[derive(Clone, Debug, Serialize)]
struct ScreenerRow {
    at: String,
    strategy: String,
    symbol: String,
    timeframe: &'static str,
    z: Option<f64>,
    rsi: Option<f64>,
    atr: Option<f64>,
    cross_up: bool,
    cross_down: bool,
    in_trade: bool,
    side: &'static str,
    emitted: bool,
    veto: Vec<String>,
}

/// `signals.json`, newest first.
#[derive(Debug, Serialize)]
pub(crate) struct SignalsView<'a> {
    signals: Vec<&'a SignalRow>,
}

/// `trade_log.json`, newest first.
#[derive(Debug, Serialize)]
pub(crate) struct TradesView<'a> {
    trades: Vec<&'a TradeRow>,
}

/// `screener.json`.
#[derive(Debug, Serialize)]
pub(crate) struct ScreenerView<'a> {
    attempted: u64,
    emitted: u64,
    readings: Vec<&'a ScreenerRow>,
}

impl Logs {
    pub(crate) fn observe(&mut self, envelope: &Envelope) {
        match &envelope.event {
            Event::Fact(Fact::Account { event }) => {
                if let hedge_core::AccountEvent::Fill { fill } = &**event {
                    self.trade(fill);
                }
            }
            Event::Fact(Fact::Snapshot { snapshot }) => {
                snapshot.fills.iter().for_each(|fill| self.trade(fill))
            }
            Event::Fact(Fact::QueryAnswered { answer, .. }) => {
                answer.fills.iter().for_each(|fill| self.trade(fill));
            }
            Event::Fact(_) => {}
            Event::Decision(decision) => self.decision(envelope, decision),
        }
    }

    pub(crate) fn signals(&self) -> SignalsView<'_> {
        SignalsView { signals: self.signals.iter().rev().collect() }
    }
    pub(crate) fn trades(&self) -> TradesView<'_> {
        TradesView { trades: self.trades.iter().rev().collect() }
    }
    pub(crate) fn screener(&self) -> ScreenerView<'_> {
        ScreenerView {
            attempted: self.attempted,
            emitted: self.emitted,
            readings: self.screener.values().collect(),
        }
    }

    fn decision(&mut self, envelope: &Envelope, decision: &Decision) {
        match decision {
            Decision::Screened { strategy, reading } => self.screened(envelope.at, *strategy, reading),
            Decision::Intended { strategy, intent } => {
                self.signals.push_back(signal(envelope, *strategy, intent));
                if self.signals.len() > KEPT_SIGNALS {
                    self.signals.pop_front();
                }
            }
            Decision::Assessed { position, verdict, .. } => {
                let row = self.signals.iter_mut().rev().find(|row| row.position == Some(*position));
                if let Some(row) = row
                    && row.verdict.is_none()
                {
                    row.verdict = Some(verdict.clone());
                }
            }
            _ => {}
        }
    }

    /// Executions come by stream, snapshot and query; each is listed once.
    fn trade(&mut self, fill: &Fill) {
        if !self.known_trades.insert((fill.instrument, fill.trade_id.0)) {
            return;
        }
        let symbol = fill.instrument.symbol.to_string();
        self.trades.push_back(TradeRow {
            at: fill.venue_time.to_string(),
            symbol,
            side: fill.side.leg().map_or("BOTH", |leg| leg.as_str()),
            order_side: fill.order_side.as_str(),
            qty: fill.qty.get(),
            price: fill.price.get(),
            fee: fill.fee.value.get(),
            pnl: fill.realized.map(|realized| tidy(realized.get())),
            trade_id: fill.trade_id.0,
            client_id: fill.client_id.as_ref().map(|id| id.as_str().to_owned()),
        });
        if self.trades.len() > KEPT_TRADES {
            self.trades.pop_front();
        }
    }

    fn screened(&mut self, at: Timestamp, strategy: StrategyId, reading: &Reading) {
        self.attempted += 1;
        self.emitted += u64::from(reading.emitted);
        let symbol = reading.instrument.symbol.to_string();
        let timeframe = reading.timeframe.as_str();
        let row = ScreenerRow {
            at: at.to_string(),
            strategy: strategy.to_string(),
            symbol: symbol.clone(),
            timeframe,
            z: reading.z,
            rsi: reading.rsi,
            atr: reading.atr,
            cross_up: reading.cross_up,
            cross_down: reading.cross_down,
            in_trade: reading.in_trade,
            side: reading.side.map_or("-", |side| side.as_str()),
            emitted: reading.emitted,
            veto: reading.veto.iter().map(|word| word.clone().into_owned()).collect(),
        };
        self.screener.insert((symbol, timeframe.to_owned(), strategy), row);
    }
}

fn signal(envelope: &Envelope, strategy: StrategyId, intent: &Intent) -> SignalRow {
    let position = intent.position().copied();
    let (kind, action) = match intent {
        Intent::Open { .. } => ("open", Some(Action::Open)),
        Intent::Close { .. } => ("close", Some(Action::Close)),
        Intent::Protect { .. } => ("protect", Some(Action::Close)),
        Intent::Cancel { .. } => ("cancel", None),
    };
    let signal =
        position.zip(action).map_or("-", |(position, action)| position.side.order_side(action).as_str());
    SignalRow {
        seq: envelope.seq,
        at: envelope.at.to_string(),
        strategy: strategy.to_string(),
        symbol: position.map(|position| position.instrument.symbol.to_string()).unwrap_or_default(),
        side: position.map_or("-", |position| position.side.as_str()),
        signal,
        kind,
        because: intent.because().to_owned(),
        verdict: None,
        position,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_trades_are_bounded_and_the_latest_are_recognised_whatever_their_numbers() {
        let [btc, eth] = ["BTCUSDT", "ETHUSDT"].map(|symbol| InstrumentId::binance(symbol).unwrap());
        let mut known = KnownTrades::default();
        for id in 0..2 * KNOWN_TRADES as i64 {
            assert!(known.insert((btc, 1_000_000 + id)));
        }
        assert!(known.insert((eth, 1)) && !known.insert((eth, 1)), "a small number is not the oldest");
        assert!(!known.insert((btc, 1_000_000 + 2 * KNOWN_TRADES as i64 - 1)));
        assert_eq!((known.ids.len(), known.order.len()), (KNOWN_TRADES, KNOWN_TRADES));
    }
}
