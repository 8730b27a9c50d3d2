//! Reads a whole account so that the parts belong together.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use hedge_core::{
    AccountSnapshot, BrokerError, InstrumentId, Position, Timestamp, VenueReader, VenueSnapshot,
};

/// Reads in a row that may disagree with themselves before the reader gives up.
const ATTEMPTS: u32 = 5;
/// Pause before the third read in a row, doubled from there: an account in motion comes to rest, and each read costs the
/// request budget that questions about doubtful orders need too.
const PAUSE: Duration = Duration::from_millis(250);
/// Fills and flows are read from this much before the last known one; known ones are recognised by their ids.
const OVERLAP: Duration = Duration::from_secs(60);

/// Counts everything that may move the account: account events that came in, commands that left or were answered.
#[derive(Debug, Default)]
pub(crate) struct Traffic(AtomicU64);

impl Traffic {
    pub(crate) fn touch(&self) {
        self.0.fetch_add(1, SeqCst);
    }
    fn seen(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// Reads the account with fills and flows since an instant.
///
/// The answers of several requests are one truth only if nothing moved in between: legs and balances are read first
/// and last and must be equal, and no account event or command may have come in between. Otherwise a fill could stand
/// in the legs and not in the fills, or the other way round, and the engine would correct what was right.
pub(crate) async fn read_account(
    venue: &dyn VenueReader,
    instruments: &[InstrumentId],
    since: Timestamp,
    traffic: &Traffic,
) -> Result<VenueSnapshot, BrokerError> {
    let since = since.minus(OVERLAP);
    for attempt in 0..ATTEMPTS {
        if attempt > 1 {
            tokio::time::sleep(PAUSE * (1 << (attempt - 2))).await;
        }
        let before = traffic.seen();
        let first = (venue.account().await?, venue.positions().await?);
        let orders = venue.open_orders().await?;
        let flows = venue.cash_flows_since(since).await?;
        let mut fills = Vec::new();
        for instrument in instruments {
            fills.extend(venue.fills_since(instrument, since).await?);
        }
        fills.sort_by_key(|fill| (fill.venue_time, fill.instrument, fill.trade_id));
        let positions = venue.positions().await?;
        let account = venue.account().await?;
        if traffic.seen() == before && is_same(&first, &account, &positions) {
            return Ok(VenueSnapshot { account, positions, orders, fills, flows });
        }
    }
    Err(BrokerError::NotSent { source: "the account kept changing while it was read".into() })
}

fn is_same(
    first: &(AccountSnapshot, Vec<Position>),
    account: &AccountSnapshot,
    positions: &[Position],
) -> bool {
    let wallet = |snapshot: &AccountSnapshot| {
        snapshot.balances.iter().map(|balance| (balance.asset, balance.wallet)).collect::<Vec<_>>()
    };
    let legs = |positions: &[Position]| {
        let mut legs: Vec<_> = positions.iter().map(|leg| (*leg.key(), leg.qty(), leg.entry())).collect();
        legs.sort_unstable();
        legs
    };
    first.0.mode == account.mode && wallet(&first.0) == wallet(account) && legs(&first.1) == legs(positions)
}
