//! Commands while no executor runs: the same record, written by whoever holds the journal's lock.

use std::num::NonZeroU32;

use hedge_core::{
    Clock, Fact, OperatorCommand, Posture, Seq, StateStore, StoreError, Term,
    engine::{Engine, Step},
};
use thiserror::Error;

use super::protocol::{Done, reason};
use crate::{fence::Fence, views::Standing};

/// Records per read of the journal.
const PAGE: u32 = 4_096;

/// A command could not be written down.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// The journal. [`StoreError::Locked`] means that an executor runs after all.
    #[error("journal: {0}")]
    Journal(#[from] StoreError),
    /// Another process leads the account.
    #[error("{because}; nothing was ordered")]
    Fenced {
        /// Which.
        because: String,
    },
    /// The command stands in the journal, but the fence could not be written.
    #[error(
        "the order is in the journal, but the fence could not be written: {because}; the next start may find it halted"
    )]
    Recorded {
        /// Why.
        because: String,
    },
    /// Nothing has ever run here.
    #[error("the journal is empty: nothing has run in this state directory, and nothing is open")]
    Empty,
    /// The reason cannot be used.
    #[error("{0}")]
    Reason(String),
}

/// A journal that was folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// Where it ends.
    pub next: Seq,
    /// What stands besides the book; for [`Status::of`](super::Status::of).
    pub standing: Standing,
}

/// Folds a whole journal into a fresh engine. Nothing is decided.
pub async fn fold(engine: &mut Engine, store: &dyn StateStore) -> Result<Folded, StoreError> {
    let mut standing = Standing::default();
    let limit = NonZeroU32::new(PAGE).unwrap_or(NonZeroU32::MIN);
    let mut from = Some(Seq(0));
    while let Some(place) = from {
        let page = store.read(place, limit).await?;
        for envelope in &page.records {
            engine.replay(envelope);
            standing.observe(envelope, engine.book());
        }
        from = page.next;
    }
    Ok(Folded { next: store.next_seq().await?, standing })
}

/// Writes a command into the journal of a stopped run; nothing is sent. The next start goes by it.
///
/// `engine` must be composed as the executor's is, so that a replay decides the same. The caller holds the journal's lock
/// by having opened `store` for writing. A posture that a panic close left in the fence comes into the journal first:
/// from then on it stands there, and a resume lifts it.
///
/// A flatten closes every leg at the next start; until then nothing changes at the venue. Where that cannot wait, use
/// `hedge-panic-close`.
pub async fn offline(
    mut engine: Engine,
    store: &dyn StateStore,
    clock: &dyn Clock,
    fence: &dyn Fence,
    command: OperatorCommand,
    because: &str,
) -> Result<Done, OfflineError> {
    let because = reason(because).map_err(OfflineError::Reason)?;
    let fenced = |because| OfflineError::Fenced { because };
    let mut next = fold(&mut engine, store).await?.next;
    if next == Seq(0) {
        return Err(OfflineError::Empty);
    }
    let leader = fence.leader().map_err(fenced)?;
    let term = Term(engine.book().term().max(leader.as_ref().map_or(Term(0), |leader| leader.term)).0 + 1);
    let left = leader.and_then(|leader| match leader.posture {
        Posture::Normal => None,
        Posture::ExitOnly => Some((OperatorCommand::ExitOnly, leader.because)),
        Posture::Halted => Some((OperatorCommand::Halt, leader.because)),
    });
    let command = if command == OperatorCommand::Flatten { OperatorCommand::FlattenAtStart } else { command };
    let mut step = Step::default();
    let mut seq = next;
    for (command, because) in left.into_iter().chain([(command, because)]) {
        seq = next;
        engine.step(clock.now(), Fact::Operator { command, because }, &mut step);
        fence.admits(term).map_err(fenced)?;
        next = store.append(next, &step.events).await?;
    }
    fence.lead(term, clock.now()).map_err(|because| OfflineError::Recorded { because })?;
    let book = engine.book();
    let (operator, because) = book.operator();
    Ok(Done {
        seq,
        posture: book.posture(),
        operator,
        because: because.to_owned(),
        open_legs: book.open_legs().count(),
    })
}
