//! Records: their text, and what a venue's facts do to the book.

use hedge_binance::decode::{Explainer, Source};
use hedge_core::{AccountEvent, Book, Envelope, Event, Fact, Seq, Timestamp};
use hedge_desk::journal::Lines;

/// A record's content a line, of every kind. Read here: the crate that has them is a large one for a fuzz target.
const EVERY_KIND: &str = include_str!("../../../hedge-testkit/src/every_kind.jsonl");

/// Records of a journal, a line each, without their checksums. What is read is written, read again and shown.
pub(crate) fn record(bytes: &[u8]) {
    let mut lines = Lines::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(record) = serde_json::from_slice::<Envelope>(line) else { continue };
        let text = serde_json::to_string(&record).unwrap();
        let again: Envelope = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(again, record);
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        let shown = lines.line(&record);
        assert!(shown.len() <= 4_096 + 16 * line.len(), "{} bytes about {}", shown.len(), line.len());
    }
}

/// What a venue tells, a line each, as events of the user stream or as facts. The book takes everything that the decoders let
/// through, however large.
pub(crate) fn fold(bytes: &[u8]) {
    let mut book = Book::default();
    let mut changes = Vec::new();
    let mut next = 0;
    let mut apply = |fact: Fact| {
        let at = Timestamp::from_ms(1_795_168_800_000 + next);
        let record = Envelope { seq: Seq(next as u64), at, cause: None, event: Event::Fact(fact) };
        next += 1;
        changes.clear();
        book.apply(&record, &mut changes);
        let _ = book.equity();
    };
    for line in EVERY_KIND.lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        if let Event::Fact(fact @ (Fact::RunStarted(_) | Fact::Instrument { .. })) = event {
            apply(fact);
        }
    }
    let mut explainer = Explainer::new(Source::Ws);
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Ok(fact) = serde_json::from_str::<Fact>(line) {
            if is_told_by_a_venue(&fact) {
                apply(fact);
            }
            continue;
        }
        for row in explainer.each(line).into_iter().flatten() {
            for fact in row.facts {
                let Ok(event) = serde_json::from_value::<AccountEvent>(fact) else { continue };
                apply(Fact::Account { event: Box::new(event) });
            }
        }
    }
}

/// Commands and starts are ours.
fn is_told_by_a_venue(fact: &Fact) -> bool {
    match fact {
        Fact::Market { .. }
        | Fact::Account { .. }
        | Fact::Snapshot { .. }
        | Fact::SubmitAcked { .. }
        | Fact::SubmitFailed { .. }
        | Fact::CancelAcked { .. }
        | Fact::CancelFailed { .. }
        | Fact::QueryAnswered { .. }
        | Fact::QueryFailed { .. }
        | Fact::Tick => true,
        Fact::RunStarted(_) | Fact::Instrument { .. } | Fact::Operator { .. } | Fact::RunStopped { .. } => {
            false
        }
    }
}
