//! How the next leader shall find the account.

use std::borrow::Cow;

use hedge_core::{Book, Decision, Envelope, Event, Posture, Stance, Timestamp, engine::Step};
use hedge_runtime::{Observer, START};
use tokio::sync::watch;

use super::posture::OURS;
use crate::trade::DISK;

/// Reads from the records what follows the account and not the process: what a person has ordered, and the kill switch. What a
/// guard of this host has ordered, for its disk, its lease or its want of a consent, says nothing to another one; a limit
/// that ends with the day is counted anew there.
#[derive(Debug)]
pub(crate) struct AccountStance {
    /// Why the posture is what it is.
    because: Cow<'static, str>,
    tell: watch::Sender<Option<Stance>>,
}

impl AccountStance {
    pub(crate) fn new() -> Self {
        Self { because: Cow::Borrowed(""), tell: watch::channel(None).0 }
    }

    /// `None` before the journal is folded.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Stance>> {
        self.tell.subscribe()
    }

    fn note(&mut self, envelope: &Envelope) {
        if let Event::Decision(Decision::PostureChanged { because, .. }) = &envelope.event {
            self.because = because.clone();
        }
    }
}

impl Observer for AccountStance {
    fn on_replay(&mut self, envelope: &Envelope, _: &Book) {
        self.note(envelope);
    }

    fn on_step(&mut self, _: Timestamp, step: &Step, book: &Book) {
        step.events.iter().for_each(|envelope| self.note(envelope));
        let (operator, because) = book.operator();
        let (posture, because) = follows(operator, because, book.posture(), &self.because);
        self.tell.send_if_modified(|known| {
            let is_news =
                known.as_ref().is_none_or(|known| known.posture != posture || known.because != because);
            if is_news {
                *known = Some(Stance { posture, because: because.to_owned().into() });
            }
            is_news
        });
    }
}

/// Whether a guard of this host has ordered it, who lifts it again.
pub(super) fn is_of_this_host(because: &str) -> bool {
    [OURS, DISK, START].iter().any(|ours| because.starts_with(ours))
}

/// Given what the operator has ordered and what stands with the risk managers.
fn follows<'a>(
    operator: Posture,
    ordered_because: &'a str,
    posture: Posture,
    because: &'a str,
) -> (Posture, &'a str) {
    let operator = if is_of_this_host(ordered_because) { Posture::Normal } else { operator };
    match (operator, posture) {
        (Posture::Normal | Posture::ExitOnly, Posture::Halted) => (posture, because),
        (Posture::Normal, _) => (Posture::Normal, ""),
        _ => (operator, ordered_because),
    }
}

#[cfg(test)]
mod tests {
    use Posture::{ExitOnly, Halted, Normal};

    use super::*;

    #[test]
    fn what_a_person_ordered_and_the_kill_switch_follow_the_account_and_a_guards_order_does_not() {
        for (operator, ordered, posture, because, expected) in [
            (Normal, "", Normal, "", (Normal, "")),
            (Normal, "ann: go on", Normal, "", (Normal, "")),
            (Halted, "ann: what is this?", Halted, "ann: what is this?", (Halted, "ann: what is this?")),
            (ExitOnly, "ann: news", ExitOnly, "ann: news", (ExitOnly, "ann: news")),
            (Normal, "", Halted, "drawdown 12 %", (Halted, "drawdown 12 %")),
            (ExitOnly, "ann: news", Halted, "drawdown 12 %", (Halted, "drawdown 12 %")),
            // Until the day ends, on this host.
            (Normal, "", ExitOnly, "daily loss", (Normal, "")),
            (ExitOnly, "lease: it is over", ExitOnly, "lease: it is over", (Normal, "")),
            (ExitOnly, "journal disk: full", ExitOnly, "journal disk: full", (Normal, "")),
            (ExitOnly, "start: no consent", ExitOnly, "start: no consent", (Normal, "")),
            (ExitOnly, "start: no consent", Halted, "drawdown 12 %", (Halted, "drawdown 12 %")),
        ] {
            assert_eq!(follows(operator, ordered, posture, because), expected, "{ordered} {because}");
        }
    }
}
