//! What the public side remembers per symbol between two pushes.

use rust_decimal::Decimal;

use super::streams::DepthPace;
use super::tape::Tape;
use crate::venue::DepthView;

/// Price and quantity of one level.
pub(crate) type Level = (Decimal, Decimal);

/// The public side of one symbol.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) tape: Tape,
    chains: [Chain; 3],
    /// Id of the last best bid and ask that were pushed.
    pub(crate) best_pushed: u64,
    /// Klines that end at or before this time were pushed as closed.
    pub(crate) closed_until_ms: i64,
}

/// One diff-depth stream: the book as its subscribers have it.
#[derive(Debug, Default)]
struct Chain {
    pushed: Option<DepthView>,
}

/// A `depthUpdate`: first and last id, id of the update before, changed levels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DepthDiff {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) before: u64,
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
}

impl Feed {
    pub(crate) fn new(tape: Tape, closed_until_ms: i64) -> Self {
        Self { tape, chains: Default::default(), best_pushed: 0, closed_until_ms }
    }

    /// The changes since the stream's last update. The first call after silence only takes the starting book;
    /// an unchanged book gives nothing.
    pub(crate) fn diff(&mut self, pace: DepthPace, now: DepthView) -> Option<DepthDiff> {
        let chain = self.chain(pace);
        let before = chain.pushed.replace(now)?;
        let now = chain.pushed.as_ref()?;
        if now.last_update_id <= before.last_update_id {
            return None;
        }
        Some(DepthDiff {
            first: before.last_update_id + 1,
            last: now.last_update_id,
            before: before.last_update_id,
            bids: changed(&before.bids, &now.bids),
            asks: changed(&before.asks, &now.asks),
        })
    }

    /// Nobody listens: the next subscriber starts from the book of its time.
    pub(crate) fn forget(&mut self, pace: DepthPace) {
        self.chain(pace).pushed = None;
    }

    fn chain(&mut self, pace: DepthPace) -> &mut Chain {
        let [fast, usual, slow] = &mut self.chains;
        match pace {
            DepthPace::Ms100 => fast,
            DepthPace::Ms250 => usual,
            DepthPace::Ms500 => slow,
        }
    }
}

/// Levels that are new or different, and those that are gone with quantity zero. Both sides are sorted alike.
fn changed(before: &[Level], now: &[Level]) -> Vec<Level> {
    let mut old: std::collections::BTreeMap<Decimal, Decimal> = before.iter().copied().collect();
    let mut out = Vec::new();
    for (price, qty) in now {
        if old.remove(price) != Some(*qty) {
            out.push((*price, *qty));
        }
    }
    out.extend(old.into_keys().map(|price| (price, Decimal::ZERO)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(id: u64, bids: &[(i64, i64)]) -> DepthView {
        let bids = bids.iter().map(|(price, qty)| (Decimal::from(*price), Decimal::from(*qty))).collect();
        DepthView { last_update_id: id, bids, asks: Vec::new() }
    }

    #[test]
    fn updates_of_one_stream_are_chained_and_applying_them_gives_the_book() {
        let mut feed = Feed::new(Tape::starting_at(1), 0);
        assert_eq!(feed.diff(DepthPace::Ms100, book(5, &[(10, 1), (9, 2)])), None);
        let diff = feed.diff(DepthPace::Ms100, book(8, &[(11, 3), (10, 1)])).unwrap();
        assert_eq!((diff.before, diff.first, diff.last), (5, 6, 8));
        assert_eq!(diff.bids, [(Decimal::from(11), Decimal::from(3)), (Decimal::from(9), Decimal::ZERO)]);
        assert_eq!(feed.diff(DepthPace::Ms100, book(8, &[(11, 3), (10, 1)])), None);
        let next = feed.diff(DepthPace::Ms100, book(9, &[(11, 3)])).unwrap();
        assert_eq!(next.before, 8);
    }

    #[test]
    fn a_stream_that_nobody_hears_starts_anew() {
        let mut feed = Feed::new(Tape::starting_at(1), 0);
        feed.diff(DepthPace::Ms500, book(5, &[]));
        feed.forget(DepthPace::Ms500);
        assert_eq!(feed.diff(DepthPace::Ms500, book(9, &[])), None);
    }
}
