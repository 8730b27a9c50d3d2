//! From records to the answer.

use std::collections::{BTreeMap, VecDeque};

use hedge_core::{
    Book, Decision, Envelope, Event, InstrumentId, Intent, Leg, OrderState, PositionKey, PositionSide,
    Posture, Reading, Seq, StrategyId, Symbol, Timestamp,
};
use thiserror::Error;

use super::{
    explain::{HaltNow, LegNow, LiveOrder, MuteNow, PostureNow, Seen, StopNow, UnknownNow, Why},
    headline::headline,
    tree::{Forest, record},
};
use crate::journal::{Lines, order_words};

/// How many openings and other decisions are told.
const TOLD: usize = 3;
/// Over how many of its last bars a strategy's vetoes are counted.
const TALLIED_BARS: usize = 96;

/// A question that the journal cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WhyError {
    /// There is nothing to look at.
    #[error("the journal has no records")]
    Empty,
    /// The moment lies before the journal.
    #[error("the journal begins at {first}, after {at}; ask about a later time")]
    TooEarly {
        /// What was asked about.
        at: Timestamp,
        /// When the journal begins.
        first: Timestamp,
    },
    /// The symbol is not traded there.
    #[error("{symbol} is not in this journal; it has {known}")]
    UnknownSymbol {
        /// What was asked about.
        symbol: Symbol,
        /// What it has.
        known: String,
    },
}

/// Explains a leg as it was at a moment, or at the end of the journal. Records are those of a whole journal, from the
/// first. Errors: [`WhyError`].
pub fn explain(
    records: &[Envelope],
    symbol: Symbol,
    side: PositionSide,
    at: Option<Timestamp>,
) -> Result<Why, WhyError> {
    let first = records.first().ok_or(WhyError::Empty)?;
    let end = at.map_or(records.len(), |at| records.partition_point(|record| record.at <= at));
    let records = &records[..end];
    let last = records.last().ok_or(WhyError::TooEarly { at: at.unwrap_or_default(), first: first.at })?;

    let mut notes = Notes::default();
    let mut lines = Lines::default();
    for envelope in records {
        lines.learn(envelope);
        notes.take(envelope, symbol);
    }
    let key = PositionKey::new(notes.instrument(symbol)?, side);
    let forest = Forest::grow(records, key);
    let (openings, since) = told(&forest, records);
    let tree = |seqs: &[Seq]| {
        seqs.iter().filter_map(|seq| forest.tree(*seq, records, &lines, &notes.book)).collect()
    };

    let asked = at.unwrap_or(last.at);
    let mut why = Why {
        symbol: symbol.to_string(),
        side: side.to_string(),
        as_of: last.seq,
        as_of_time: asked.to_string(),
        headline: String::new(),
        leg: leg_now(&notes.book, &key),
        posture: notes.posture(),
        halt: notes
            .book
            .leg_halt(&key)
            .map(|halt| HaltNow { forced: halt.forced.to_string(), since: halt.since.to_string() }),
        unknown: unknown_now(&notes.book, &key, asked),
        mute: notes.mute(asked),
        readings: notes.readings(),
        openings: tree(&openings),
        since: tree(&since),
    };
    why.headline = headline(&why, &notes.book, &key, records, &forest, &openings);
    Ok(why)
}

/// The last openings, and everything else after the oldest of them, newest first.
fn told(forest: &Forest, records: &[Envelope]) -> (Vec<Seq>, Vec<Seq>) {
    let is_opening = |seq: &Seq| {
        record(records, *seq).is_some_and(|envelope| {
            matches!(envelope.event, Event::Decision(Decision::Intended { intent: Intent::Open { .. }, .. }))
        })
    };
    let (openings, others): (Vec<Seq>, Vec<Seq>) =
        forest.roots().iter().rev().partition(|seq| is_opening(seq));
    let mut chosen: Vec<Seq> = openings.iter().take(TOLD).copied().collect();
    // The opening that filled last explains the leg, however many refused ones came after it.
    let filled = openings.iter().find(|&&root| {
        forest.all_under(root).iter().any(|seq| record(records, *seq).is_some_and(super::headline::is_fill))
    });
    chosen.extend(filled.filter(|root| !chosen.contains(root)));
    (chosen, others.into_iter().take(TOLD).collect())
}

/// What one pass over the journal notes down.
#[derive(Default)]
struct Notes {
    book: Book,
    posture: Option<(Posture, String, Timestamp)>,
    mute: Option<(Timestamp, String)>,
    readings: BTreeMap<StrategyId, VecDeque<(Seq, Timestamp, Reading)>>,
}

impl Notes {
    fn take(&mut self, envelope: &Envelope, symbol: Symbol) {
        self.book.apply(envelope, &mut Vec::new());
        let Event::Decision(decision) = &envelope.event else { return };
        match decision {
            Decision::PostureChanged { posture, because } => {
                self.posture = Some((*posture, because.to_string(), envelope.at));
            }
            Decision::Muted { instrument, until, because } if instrument.symbol == symbol => {
                self.mute = Some((*until, because.to_string()));
            }
            Decision::Screened { strategy, reading } if reading.instrument.symbol == symbol => {
                let kept = self.readings.entry(*strategy).or_default();
                if kept.len() == TALLIED_BARS {
                    kept.pop_front();
                }
                kept.push_back((envelope.seq, envelope.at, reading.clone()));
            }
            _ => {}
        }
    }

    fn instrument(&self, symbol: Symbol) -> Result<InstrumentId, WhyError> {
        let known: Vec<InstrumentId> = self.book.instruments().map(|(_, spec)| spec.id).collect();
        known.iter().find(|id| id.symbol == symbol).copied().ok_or_else(|| {
            let known: Vec<&str> = known.iter().map(|id| id.symbol.as_str()).collect();
            let known = if known.is_empty() { "no symbols yet".to_owned() } else { known.join(", ") };
            WhyError::UnknownSymbol { symbol, known }
        })
    }

    fn posture(&self) -> PostureNow {
        match &self.posture {
            Some((posture, because, since)) => {
                PostureNow { posture: *posture, because: because.clone(), since: Some(since.to_string()) }
            }
            None => PostureNow { posture: Posture::Normal, because: String::new(), since: None },
        }
    }

    fn mute(&self, now: Timestamp) -> Option<MuteNow> {
        self.mute.as_ref().map(|(until, because)| MuteNow {
            until: until.to_string(),
            because: because.clone(),
            holds: now < *until,
        })
    }

    fn readings(&self) -> Vec<Seen> {
        let seen = |(strategy, kept): (&StrategyId, &VecDeque<(Seq, Timestamp, Reading)>)| {
            let (seq, at, reading) = kept.back()?;
            Some(Seen {
                strategy: *strategy,
                seq: *seq,
                at: at.to_string(),
                reading: reading.clone(),
                bars: kept.len(),
                tally: tally(kept.iter().map(|(_, _, reading)| reading)),
            })
        };
        self.readings.iter().filter_map(seen).collect()
    }
}

fn tally<'r>(readings: impl Iterator<Item = &'r Reading>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reading in readings {
        if reading.emitted {
            *counts.entry("entered").or_default() += 1;
        }
        for word in &reading.veto {
            *counts.entry(word).or_default() += 1;
        }
    }
    let mut counts: Vec<(String, usize)> =
        counts.into_iter().map(|(word, times)| (word.to_owned(), times)).collect();
    counts.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    counts
}

fn unknown_now(book: &Book, key: &PositionKey, now: Timestamp) -> Vec<UnknownNow> {
    let unknown = book.live_orders_of(key).filter(|order| order.state == OrderState::Unknown);
    unknown
        .filter_map(|order| {
            let doubt = order.doubt.as_ref()?;
            Some(UnknownNow {
                order: order.client_id,
                what: order_words(order.purpose, &order.position, &order.leg, order.qty),
                since: doubt.since.to_string(),
                age_seconds: now.since(doubt.since).as_secs(),
                asked: doubt.asked,
                absent: doubt.absent,
                because: order.refusal.clone().unwrap_or_default(),
            })
        })
        .collect()
}

fn leg_now(book: &Book, key: &PositionKey) -> LegNow {
    let Some(leg) = book.leg(key) else { return LegNow::default() };
    let mark = book.mark_of(&key.instrument).map(|(mark, _)| mark);
    let open = leg.is_open();
    LegNow {
        qty: leg.qty,
        entry: leg.entry().map(|entry| entry.get()),
        mark: mark.map(|mark| mark.get()),
        unrealised: mark.filter(|_| open).map(|mark| leg.unrealized(mark)),
        opened_at: leg.opened_at.map(|at| at.to_string()),
        owner: leg.owner,
        stop: book.stop_of(key).filter(|_| open).map(|stop| StopNow {
            order: stop.client_id,
            trigger: match &stop.leg {
                Leg::Close(exit, _) => exit.trigger().map(|trigger| trigger.get()),
                Leg::Open(_) => None,
            },
            state: format!("{:?}", stop.state),
        }),
        unprotected_since: leg.unprotected_since.filter(|_| open).map(|since| since.to_string()),
        live_orders: book
            .live_orders_of(key)
            .map(|order| LiveOrder {
                order: order.client_id,
                what: order_words(order.purpose, &order.position, &order.leg, order.qty),
                state: format!("{:?}", order.state),
                filled: order.filled,
            })
            .collect(),
        realised: leg.realized,
        fees: leg.fees,
        funding: leg.funding,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hedge_core::{Engine, EngineConfig, Interval, PermitAll};
    use hedge_risk::{DayCalendar, RiskStack};
    use hedge_sim::{
        backtest::{Backtest, BacktestConfig, Instruments},
        market::GeneratedMarket,
    };

    use super::*;
    use crate::{
        config::Config,
        env::Env,
        journal::{rule_meaning, veto_meaning},
    };

    /// The shipped strategies on a generated market.
    fn records() -> Vec<Envelope> {
        let config = Config::load(None, &Env::from_pairs([])).unwrap();
        let symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map(|symbol| Symbol::parse(symbol).unwrap());
        let mut market = GeneratedMarket::built_in(3);
        let data = market.data_set(&symbols, Interval::M15, 1_767_225_600_000, 1_500, 200).unwrap();
        let rules = Instruments::built_in(&data).unwrap().rules;
        let risk = RiskStack::from_limits(&config.limits, DayCalendar::utc(0).unwrap()).unwrap();
        let settings = EngineConfig { journal_market: false, ..EngineConfig::default() };
        let engine = Engine::new(settings, Box::new(risk), config.strategies.build().unwrap());
        let settings = BacktestConfig { history: 200, ..BacktestConfig::default() };
        let mut backtest = Backtest::new(engine, Arc::new(data), rules, &settings).unwrap();
        backtest.run(&mut ()).unwrap();
        backtest.records().unwrap().to_vec()
    }

    #[test]
    fn every_rule_and_veto_word_of_the_shipped_parts_is_put_in_plain_words() {
        let mut rules = 0;
        for record in records() {
            match record.event {
                Event::Decision(Decision::Assessed { checks, .. }) => {
                    for check in checks {
                        assert!(rule_meaning(&check.rule).is_some(), "{}", check.rule);
                        rules += 1;
                    }
                }
                Event::Decision(Decision::Screened { reading, .. }) => {
                    for word in reading.veto {
                        assert!(veto_meaning(&word).is_some(), "{word}");
                    }
                }
                _ => {}
            }
        }
        assert!(rules > 100);
    }

    #[test]
    fn a_leg_is_explained_at_every_moment_of_a_run() {
        let records = records();
        let symbol = Symbol::parse("BTCUSDT").unwrap();
        let (mut open, mut flat) = (0, 0);
        for record in records.iter().step_by(97) {
            let why = explain(&records, symbol, PositionSide::Long, Some(record.at)).unwrap();
            match why.leg.entry {
                Some(_) => {
                    open += 1;
                    assert!(why.headline.starts_with("BTCUSDT LONG is open: "), "{}", why.headline);
                    assert!(why.headline.contains(" opened it: "), "{}", why.headline);
                    assert!(why.headline.contains("Stop h"), "{}", why.headline);
                }
                None => {
                    flat += 1;
                    assert!(why.headline.starts_with("BTCUSDT LONG is flat. "), "{}", why.headline);
                }
            }
        }
        assert!(open > 0 && flat > 0, "{open} {flat}");
    }

    #[test]
    fn a_leg_that_the_venue_closed_by_force_says_so_before_everything_else() {
        let mut records = records();
        let symbol = Symbol::parse("BTCUSDT").unwrap();
        let last = records.last().unwrap().clone();
        let position = PositionKey::long(InstrumentId::binance("BTCUSDT").unwrap());
        let forced = hedge_core::ForcedClose::Liquidation;
        let because = "liquidation by order autoclose-1".into();
        let halted = Event::Decision(Decision::LegHalted { position, forced, because });
        records.push(Envelope { seq: last.seq.next(), cause: None, event: halted, ..last });
        let why = explain(&records, symbol, PositionSide::Long, None).unwrap();
        assert!(why.headline.contains("by force (liquidation at "), "{}", why.headline);
        assert!(why.to_string().contains("Halted     liquidation at "), "{why}");
        assert!(why.since.iter().any(|node| node.text.contains("autoclose-1")), "{:?}", why.since);
        let short = explain(&records, symbol, PositionSide::Short, None).unwrap();
        assert_eq!(short.halt, None, "the other leg is its own");
    }

    #[test]
    fn an_order_of_unknown_outcome_has_a_line_of_its_own() {
        let mut records = records();
        // The last order that opened BTCUSDT LONG, and then no answer.
        let key = PositionKey::long(InstrumentId::binance("BTCUSDT").unwrap());
        let at = records.iter().rposition(|record| {
            matches!(&record.event, Event::Decision(Decision::OrderApproved { position, leg: Leg::Open(_), .. }) if *position == key)
        });
        records.truncate(at.unwrap() + 1);
        let last = records.last().unwrap().clone();
        let Event::Decision(Decision::OrderApproved { client_id, .. }) = &last.event else {
            panic!("an order")
        };
        let failed = hedge_core::Fact::SubmitFailed {
            order: *client_id,
            outcome: hedge_core::Outcome::Unknown,
            reason: None,
            code: None,
            message: "the answer did not come in time".to_owned(),
            acceptable_until: None,
            retry_at: None,
        };
        let seq = last.seq.next();
        records.push(Envelope { seq, cause: None, event: Event::Fact(failed), ..last.clone() });
        let at = last.at.plus(std::time::Duration::from_secs(42));
        let tick = Event::Fact(hedge_core::Fact::Tick);
        records.push(Envelope { seq: seq.next(), at, cause: None, event: tick });
        let why = explain(&records, key.instrument.symbol, key.side, None).unwrap();
        assert_eq!(why.unknown.len(), 1);
        assert_eq!((why.unknown[0].order, why.unknown[0].age_seconds), (*client_id, 42));
        let page = why.to_string();
        let line = page.lines().find(|line| line.starts_with("Unknown    ")).unwrap();
        assert!(line.contains(client_id.as_str()) && line.contains("for 42 s"), "{line}");
        assert!(line.ends_with("the answer did not come in time"), "{line}");
        let other = explain(&records, key.instrument.symbol, PositionSide::Short, None).unwrap();
        assert!(other.unknown.is_empty(), "the other leg has none");
    }

    #[test]
    fn a_refused_opening_names_the_rule_with_value_and_limit() {
        let mut records = records();
        // The last opening, as if one rule had refused it; nothing came after it.
        let at = records.iter().rposition(|record| {
            matches!(record.event, Event::Decision(Decision::Intended { intent: Intent::Open { .. }, .. }))
        });
        let at = at.unwrap();
        records.truncate(at + 2);
        let Event::Decision(Decision::Assessed { position, checks, verdict }) = &mut records[at + 1].event
        else {
            panic!("an assessment follows an intent")
        };
        let key = *position;
        let mut all = checks.to_vec();
        let check = all.iter_mut().find(|check| check.rule == "max_positions").unwrap();
        check.verdict = hedge_core::CheckVerdict::Refuse;
        check.value = 9.into();
        *checks = all.into();
        *verdict = hedge_core::Verdict::Refuse { rule: "max_positions".into() };
        let why = explain(&records, key.instrument.symbol, key.side, None).unwrap();
        assert!(
            why.headline.contains("was refused by max_positions (value 9, limit 8): too many legs"),
            "{}",
            why.headline
        );
    }

    #[test]
    fn an_engine_without_strategies_is_said_to_want_nothing() {
        let symbol = Symbol::parse("BTCUSDT").unwrap();
        let data = GeneratedMarket::built_in(3)
            .data_set(&[symbol], Interval::M15, 1_577_836_800_000, 20, 5)
            .unwrap();
        let rules = Instruments::built_in(&data).unwrap().rules;
        let engine = Engine::new(EngineConfig::default(), Box::new(PermitAll), Vec::new());
        let settings = BacktestConfig { history: 5, ..BacktestConfig::default() };
        let mut backtest = Backtest::new(engine, Arc::new(data), rules, &settings).unwrap();
        backtest.run(&mut ()).unwrap();
        let why = explain(backtest.records().unwrap(), symbol, PositionSide::Short, None).unwrap();
        assert!(why.headline.contains("no strategy has decided on a bar"), "{}", why.headline);
        assert_eq!(explain(&[], symbol, PositionSide::Short, None), Err(WhyError::Empty));
    }
}
