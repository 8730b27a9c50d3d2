//! The report of a backtest: the same page as of a paper run, made after the fact from journal and bars.

use hedge_core::{
    Bar, Book, Envelope, Event, Fact, InstrumentIx, MarketEvent, RunStarted, Seq, Step, Timestamp,
};
use hedge_runtime::Observer;
use hedge_sim::backtest::BacktestError;

use super::{market::RecordedMarket, play::Played};
use crate::report::{Heading, Recorder, render};

/// Renders `report.html`.
///
/// Errors: [`BacktestError::Unreadable`].
pub fn report(played: &Played, market: &RecordedMarket) -> Result<String, BacktestError> {
    let records = played.backtest.records()?;
    let mut recorder = Recorder::default();
    let mut book = Book::default();
    let mut closes = closes(records, market).into_iter().peekable();
    for record in records {
        // A bar at the same time comes after what was decided on it, so that each sample has the fills of its bar.
        while let Some((at, instrument, bar)) = closes.next_if(|(at, ..)| *at < record.at) {
            show_bar(&mut recorder, &mut book, at, instrument, bar);
        }
        book.apply(record, &mut Vec::new());
        recorder.on_replay(record, &book);
    }
    for (at, instrument, bar) in closes {
        show_bar(&mut recorder, &mut book, at, instrument, bar);
    }
    let mut record = recorder.record();
    // Counted bar by bar while it was played; here the closes of one time come after everything of that time.
    record.set_hedged_bars(played.line.hedged_bars);
    Ok(render(&heading(records, played), &record, &book))
}

/// The bars after the warm-up, as they close.
fn closes(records: &[Envelope], market: &RecordedMarket) -> Vec<(Timestamp, InstrumentIx, Bar)> {
    let start = started(records).map_or(Timestamp::EPOCH, |run| Timestamp::from_ms(run.run.0 * 1_000));
    let mut closes: Vec<(Timestamp, InstrumentIx, Bar)> = Vec::new();
    for (ix, series) in market.data.series.iter().enumerate() {
        let Ok(ix) = u16::try_from(ix) else { continue };
        let played = series.bars.iter().filter(|bar| bar.open_time >= start);
        closes.extend(played.map(|bar| (bar.end(), InstrumentIx(ix), *bar)));
    }
    closes.sort_by_key(|(at, instrument, _)| (*at, *instrument));
    closes
}

fn show_bar(recorder: &mut Recorder, book: &mut Book, at: Timestamp, instrument: InstrumentIx, bar: Bar) {
    let event = MarketEvent::Bar { instrument, bar };
    book.apply_market(at, &event);
    let record = Envelope { seq: Seq(0), at, cause: None, event: Event::Fact(Fact::Market { event }) };
    let step = Step { expected_next: Seq(0), events: vec![record], effects: Vec::new() };
    recorder.on_step(at, &step, book);
}

fn started(records: &[Envelope]) -> Option<&RunStarted> {
    records.iter().find_map(|record| match &record.event {
        Event::Fact(Fact::RunStarted(run)) => Some(run),
        _ => None,
    })
}

fn heading(records: &[Envelope], played: &Played) -> Heading {
    let line = &played.line;
    let mut facts = vec![
        ("symbols".to_owned(), line.symbols.join(", ")),
        ("bars of all symbols, warm-up included".to_owned(), format!("{} of {}", line.bars, line.interval)),
        ("journal".to_owned(), line.journal_sha256.clone()),
    ];
    if let Some(run) = started(records) {
        facts.push(("configuration".to_owned(), run.config_hash.clone()));
        facts.push(("data".to_owned(), run.data_hash.clone().unwrap_or_default()));
    }
    Heading { title: "backtest".to_owned(), facts }
}
