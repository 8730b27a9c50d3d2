//! What many scenarios begin with.

use hedge_core::*;

use crate::rig::*;

/// To open LONG at 99 with a limit order that rests, and a stop at 95.
pub(crate) fn resting_entry(qty: &str) -> Intent {
    Intent::Open {
        position: long(),
        size: Size::Qty(q(qty)),
        entry: Entry::Limit { price: px("99"), tif: Tif::Gtc },
        protection: Protection::Stop { trigger: px("95"), take_profits: Vec::new() },
        because: "test".into(),
    }
}

/// To close all of LONG with a limit order at 110 that rests.
pub(crate) fn limit_close() -> Intent {
    Intent::Close {
        position: long(),
        portion: Portion::All,
        exit: Exit::Limit { price: px("110"), tif: Tif::Gtc },
        because: "target".into(),
    }
}

impl Rig {
    /// An entry that rests at the venue.
    pub(crate) fn resting_entry(&mut self, qty: &str) -> Sent {
        let entry = self.want(resting_entry(qty)).only();
        self.ack(&entry);
        entry
    }

    pub(crate) fn cancel_failed(
        &mut self,
        order: ClientOrderId,
        outcome: Outcome,
        reason: Option<RejectReason>,
    ) -> Outcomes {
        self.feed(Fact::CancelFailed { order, outcome, reason, message: "test".to_owned(), retry_at: None })
    }
}

/// Every state that a report can have, and a word that is none.
pub(crate) fn every_state() -> Vec<ReportedState> {
    use ReportedState::*;
    vec![
        Working,
        PartiallyFilled,
        Triggering,
        Triggered,
        Filled,
        Finished,
        Canceled,
        Expired,
        Rejected,
        Unknown("ODD".to_owned()),
    ]
}

/// The orders in which `n` things can come.
pub(crate) fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    permutations(n - 1)
        .into_iter()
        .flat_map(|shorter| {
            (0..n).map(move |place| {
                let mut longer = shorter.clone();
                longer.insert(place, n - 1);
                longer
            })
        })
        .collect()
}
