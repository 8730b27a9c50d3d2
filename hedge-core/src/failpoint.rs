//! Named places at which a test may end, stop or disturb the process. Nothing here does so: whoever composes a program
//! brings the hands, and without hands every place costs one comparison.

use std::{fmt, io, sync::Arc};

macro_rules! failpoints {
    ($($point:ident, $name:literal, $can_fail:literal, $doc:literal;)*) => {
        /// A place at which a process may be ended, stopped or disturbed on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Failpoint {
            $(#[doc = $doc] $point,)*
        }

        impl Failpoint {
            /// All of them, in the order in which an order passes them.
            pub const ALL: &'static [Self] = &[$(Self::$point,)*];

            /// The name that people use.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)*
                }
            }

            /// What has just happened, or is about to.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$point => $doc,)*
                }
            }

            /// Whether an error can be made up here: a write that the disk refuses.
            pub const fn can_fail(self) -> bool {
                match self {
                    $(Self::$point => $can_fail,)*
                }
            }
        }
    };
}

failpoints! {
    LeadBeforeFence, "lead.before_fence", false, "The start is durable in the journal; the fence still names the process before.";
    LeadAfterFence, "lead.after_fence", false, "The fence names this process; nothing was asked of the venue in its term.";
    BootBeforeSnapshot, "boot.before_snapshot", false, "Connected and set up; the account was not read yet.";
    BootAfterSnapshot, "boot.after_snapshot", false, "The account is compared and journalled; no market was read yet.";
    BootReady, "boot.ready", false, "The start is over; live facts follow.";
    AccountReceived, "account.received", false, "An event of the account has come in and is not queued yet.";
    MarketReceived, "market.received", false, "A market event has come in and is not queued yet.";
    StepDecided, "step.decided", false, "The engine has decided on commands; nothing of it was handed to the journal.";
    StepDurable, "step.durable", false, "A step with commands is durable; none of them was handed to its worker.";
    StepDispatched, "step.dispatched", false, "The commands of a step are with their workers, not sent.";
    SubmitBeforeSend, "submit.before_send", false, "Every check of the loop has passed an order; the client is called next.";
    RequestBeforeWrite, "request.before_write", false, "The fence has admitted a command whose timestamp is taken; its first byte is written next.";
    RequestAfterAnswer, "request.after_answer", false, "The venue has answered a command, or there will be no answer; nothing of it was read.";
    SubmitAfterSend, "submit.after_send", false, "The client has answered about an order; the loop does not know yet.";
    CancelBeforeSend, "cancel.before_send", false, "As submit.before_send, for a cancel.";
    CancelAfterSend, "cancel.after_send", false, "As submit.after_send, for a cancel.";
    QueryBeforeSend, "query.before_send", false, "The venue is about to be asked what became of an order.";
    QueryAfterSend, "query.after_send", false, "It has answered; the loop does not know yet.";
    JournalBeforeWrite, "journal.before_write", true, "Records are about to be written.";
    JournalMidWrite, "journal.mid_write", true, "Half of their bytes are written.";
    JournalAfterWrite, "journal.after_write", true, "They are written and not synced.";
    JournalAfterSync, "journal.after_sync", false, "They are durable; nobody was told.";
    JournalBeforeRotate, "journal.before_rotate", true, "A new segment is about to be made.";
    JournalAfterRotate, "journal.after_rotate", false, "The new segment is there and empty.";
    ViewBeforeRename, "view.before_rename", true, "A view is written beside the old one.";
    ViewAfterRename, "view.after_rename", false, "The new view has taken its place.";
}

impl Failpoint {
    /// The place of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|point| point.name() == name)
    }
}

impl fmt::Display for Failpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens at the places. Called on whatever thread comes by; it may block, and it may not return.
pub trait FailpointHandler: fmt::Debug + Send + Sync + 'static {
    /// The process has come to this place. Errors: the write that comes next is to fail with it, where
    /// [`Failpoint::can_fail`]; anywhere else it is ignored.
    fn reached(&self, point: Failpoint) -> io::Result<()>;
}

/// The hands, if there are any. None by default.
#[derive(Clone, Debug, Default)]
pub struct Failpoints(Option<Arc<dyn FailpointHandler>>);

impl Failpoints {
    /// No hands: nothing ever happens.
    pub const NONE: Self = Self(None);

    /// These hands.
    pub fn new(handler: Arc<dyn FailpointHandler>) -> Self {
        Self(Some(handler))
    }

    /// Whether there are hands.
    pub const fn is_armed(&self) -> bool {
        self.0.is_some()
    }

    /// Comes by a place where nothing can fail.
    #[inline]
    pub fn pass(&self, point: Failpoint) {
        // There is nothing here that an error could be an error of.
        let _ = self.write(point);
    }

    /// Comes by a place before or after a write. Errors: the write is to fail with it.
    #[inline]
    pub fn write(&self, point: Failpoint) -> io::Result<()> {
        match &self.0 {
            None => Ok(()),
            Some(handler) => handler.reached(point),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_again_and_none_is_there_twice() {
        for point in Failpoint::ALL {
            assert_eq!(Failpoint::parse(point.name()), Some(*point));
            assert!(point.about().ends_with('.'), "{point}");
        }
        assert_eq!(Failpoint::parse("submit"), None);
    }

    #[test]
    fn without_hands_nothing_fails() {
        for point in Failpoint::ALL {
            assert!(Failpoints::NONE.write(*point).is_ok());
        }
        assert!(!Failpoints::default().is_armed());
    }
}
