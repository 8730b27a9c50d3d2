//! A journal's facts must reproduce its decisions. If they do not, the code changed meaning or was not deterministic.

use thiserror::Error;

use crate::{
    engine::{Engine, Step},
    event::{Envelope, Event, Fact},
    id::Seq,
};

/// Where a replay and its journal part.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("record {seq} differs: the journal has {recorded}, the replay made {recomputed}")]
pub struct Divergence {
    /// The first place that differs.
    pub seq: Seq,
    /// What the journal holds there.
    pub recorded: String,
    /// What the engine makes of the same facts.
    pub recomputed: String,
}

/// Feeds a journal's facts to fresh engines and compares every record.
///
/// A journal may hold several processes (each begins with `RunStarted`); `fresh` makes the engine of each. Only journals
/// that hold their market facts (live and paper) can be verified.
///
/// Errors: [`Divergence`] at the first record that differs.
pub fn verify(records: &[Envelope], mut fresh: impl FnMut() -> Engine) -> Result<u64, Divergence> {
    let mut engine = fresh();
    let mut step = Step::default();
    let mut compared = 0;
    let mut i = 0;
    let mut was_cut = false;
    while let Some(envelope) = records.get(i) {
        if matches!(&envelope.event, Event::Fact(Fact::RunStarted(_))) || was_cut {
            was_cut = false;
            engine = fresh();
            for old in &records[..i] {
                engine.replay(old);
            }
        }
        let Event::Fact(fact) = &envelope.event else {
            return Err(Divergence {
                seq: envelope.seq,
                recorded: text(Some(envelope)),
                recomputed: "no such decision".to_owned(),
            });
        };
        engine.step(envelope.at, fact.clone(), &mut step);
        for (place, recomputed) in step.events.iter().enumerate() {
            let recorded = records.get(i);
            // A power cut may leave only the beginning of the last step, before the next process starts or a person
            // commands something while none runs.
            let cut = recorded.is_none_or(|next| {
                matches!(&next.event, Event::Fact(Fact::RunStarted(_) | Fact::Operator { .. }))
            });
            if place > 0 && cut {
                was_cut = true;
                break;
            }
            if recorded != Some(recomputed) {
                return Err(Divergence {
                    seq: recomputed.seq,
                    recorded: text(recorded),
                    recomputed: text(Some(recomputed)),
                });
            }
            compared += 1;
            i += 1;
        }
        if step.events.is_empty() {
            return Err(Divergence {
                seq: envelope.seq,
                recorded: text(Some(envelope)),
                recomputed: "nothing: the fact was already known".to_owned(),
            });
        }
    }
    Ok(compared)
}

fn text(envelope: Option<&Envelope>) -> String {
    envelope.map_or_else(
        || "nothing".to_owned(),
        |envelope| serde_json::to_string(envelope).unwrap_or_else(|error| error.to_string()),
    )
}
