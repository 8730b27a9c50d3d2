//! Client ids of closes that no journal knows.

use hedge_core::{ClientOrderId, OrderIds, OrderPurpose, RunId, Seq, Term, Timestamp};

/// The greatest term that three base-36 digits can write. No executor reaches it: terms grow by one with each start.
const PANIC_TERM: Term = Term(36 * 36 * 36 - 1);
/// Closes of one invocation.
const COUNTER_BITS: u32 = 20;

/// Ids in the form of our own, so that they are recognised, with a term that no journal has (`zzz`). The second and the
/// nanosecond of the start make them unique: `h` + second (7) + `zzz` + nanosecond and counter (≤ 10) + `c`.
#[derive(Debug)]
pub struct PanicIds {
    ids: OrderIds,
    next: u64,
}

impl PanicIds {
    /// Ids of an invocation that began then.
    pub fn new(began: Timestamp) -> Self {
        let (seconds, ns) = (began.ns().div_euclid(1_000_000_000), began.ns().rem_euclid(1_000_000_000));
        Self { ids: OrderIds::new(RunId(seconds), PANIC_TERM), next: ns.unsigned_abs() << COUNTER_BITS }
    }

    /// The term of approvals made here.
    pub const fn term(&self) -> Term {
        PANIC_TERM
    }

    /// An id that was not given out before.
    pub fn another(&mut self) -> ClientOrderId {
        self.next += 1;
        self.ids.derive(Seq(self.next), OrderPurpose::Close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_recognisably_ours_of_no_journal_and_never_given_twice() {
        let began = Timestamp::from_ns(1_795_168_800_999_999_999);
        let mut ids = PanicIds::new(began);
        let (first, second) = (ids.another(), ids.another());
        assert_ne!(first, second);
        for id in [first, second] {
            assert!(OrderIds::is_ours(id.as_str()), "{id}");
            assert_eq!(&id.as_str()[8..11], "zzz", "{id}");
            assert!(id.as_str().len() <= 22 && id.as_str().ends_with('c'), "{id}");
        }
        let mut later = PanicIds::new(Timestamp::from_ns(began.ns() + 1));
        assert_ne!(later.another(), first, "not even in the same millisecond");
    }
}
