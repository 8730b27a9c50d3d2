//! Wrong engines: the real one with one thing done badly, by rewriting what goes in and what comes out. Each is a mistake
//! that somebody has made. The swarm is worth something only because it finds all of them.

/// One way of being wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// An order whose outcome is unknown is sent again, as it is.
    RetryOnTimeOut,
    /// An order whose outcome is unknown is sent again under another id.
    RetryUnderNewId,
    /// Every fourth execution is never heard of.
    ForgetFill,
    /// Every execution that is told twice counts twice.
    CountFillTwice,
    /// Every other stop is believed to rest and never sent.
    DropStop,
    /// Every other order is sent under the id of the one before.
    ReuseId,
    /// HALT and EXIT-ONLY change nothing.
    IgnoreHalt,
    /// The old stop goes before the new one is placed.
    CancelOldStopFirst,
    /// Commands leave before their records are durable.
    SkipDurabilityBarrier,
    /// "Not found" counts as cancelled.
    NotFoundIsCancelled,
    /// A close has the largest size that the leg ever had.
    StaleCloseSize,
    /// An order of unknown outcome counts as never sent.
    UnknownIsNotSent,
    /// Questions are answered with what was known first.
    TrustOldReport,
    /// Executions of somebody else's orders are taken for our own.
    AdoptForeignAsOwn,
    /// After a crash the last durable record is not read.
    LoseTail,
    /// Every other cancel is believed to be done and never sent.
    ForgetCancel,
    /// A lost account stream is not noticed.
    IgnoreDisconnect,
    /// Old approvals are sent all the same.
    SendStaleApprovals,
    /// A journal that cannot be written is ignored.
    IgnoreAppendFailure,
    /// Money that flows without a trade is not booked.
    ForgetFlows,
    /// The clock in the engine stands still: nothing falls due.
    NeverDue,
    /// A stop or a close waits for the answer to an opening of its leg.
    ExitsFollowOpenings,
    /// A close waits for the answer to a stop of its leg, however long that takes.
    ExitsWaitForever,
}

/// A mutant, its name on the command line, and what is wrong with it.
type Row = (Mutant, &'static str, &'static str);

const ROWS: [Row; 23] = [
    (Mutant::RetryOnTimeOut, "retry-on-time-out", "sends an order of unknown outcome again"),
    (
        Mutant::RetryUnderNewId,
        "retry-under-new-id",
        "sends an order of unknown outcome again under another id",
    ),
    (Mutant::ForgetFill, "forget-fill", "never hears of every fourth execution"),
    (Mutant::CountFillTwice, "count-fill-twice", "counts an execution that is told twice as two"),
    (Mutant::DropStop, "drop-stop", "believes every other stop to rest that was never sent"),
    (Mutant::ReuseId, "reuse-id", "sends every other order under the id of the one before"),
    (Mutant::IgnoreHalt, "ignore-halt", "goes on opening after HALT and EXIT-ONLY"),
    (
        Mutant::CancelOldStopFirst,
        "cancel-old-stop-first",
        "cancels the old stop before the new one is placed",
    ),
    (
        Mutant::SkipDurabilityBarrier,
        "skip-durability-barrier",
        "sends commands before their records are durable",
    ),
    (Mutant::NotFoundIsCancelled, "not-found-is-cancelled", "takes \"not found\" for cancelled"),
    (Mutant::StaleCloseSize, "stale-close-size", "closes the largest size that a leg ever had"),
    (Mutant::UnknownIsNotSent, "unknown-is-not-sent", "ignores orders of unknown outcome in the exposure"),
    (Mutant::TrustOldReport, "trust-old-report", "answers questions with what was known first"),
    (Mutant::AdoptForeignAsOwn, "adopt-foreign-as-own", "takes somebody else's executions for its own"),
    (Mutant::LoseTail, "lose-tail", "does not read the last durable record after a crash"),
    (Mutant::ForgetCancel, "forget-cancel", "believes every other cancel to be done that was never sent"),
    (Mutant::IgnoreDisconnect, "ignore-disconnect", "goes on opening without an account stream"),
    (Mutant::SendStaleApprovals, "send-stale-approvals", "sends an opening long after its approval"),
    (Mutant::IgnoreAppendFailure, "ignore-append-failure", "goes on when the journal cannot be written"),
    (Mutant::ForgetFlows, "forget-flows", "does not book funding and transfers"),
    (Mutant::NeverDue, "never-due", "never looks at its deadlines"),
    (Mutant::ExitsFollowOpenings, "exits-follow-openings", "lets exits wait for the answers to openings"),
    (Mutant::ExitsWaitForever, "exits-wait-forever", "lets exits wait for an answer however long it takes"),
];

impl Mutant {
    /// All of them, in the order of the list.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|(mutant, ..)| *mutant)
    }

    /// By its name on the command line.
    pub fn parse(name: &str) -> Option<Self> {
        ROWS.iter().find(|(_, known, _)| *known == name).map(|(mutant, ..)| *mutant)
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|(mutant, ..)| *mutant == self)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        self.row().map_or("", |(_, name, _)| name)
    }

    /// What it does wrong, after "an engine that".
    pub fn about(self) -> &'static str {
        self.row().map_or("", |(.., about)| about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_is_found_by_its_name() {
        for mutant in Mutant::all() {
            assert_eq!(Mutant::parse(mutant.name()), Some(mutant));
            assert!(!mutant.about().is_empty());
        }
        assert_eq!(Mutant::parse("healthy"), None);
    }
}
