//! Reads a whole account so that the parts belong together.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use hedge_core::{
    AccountSnapshot, BrokerError, InstrumentId, Position, Timestamp, VenueReader, VenueSnapshot,
};
use tokio::time::Instant;
use tracing::warn;

/// Reads in a row that may disagree with themselves before the reader gives up.
const ATTEMPTS: u32 = 5;
/// Pause before the third read in a row, doubled from there: an account in motion comes to rest, and each read costs the
/// request budget that questions about doubtful orders need too.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two reads of a start that waits for an account to come to rest.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Fills and flows are read from this much before the last known one; known ones are recognised by their ids.
const OVERLAP: Duration = Duration::from_secs(60);

/// The income ledger may show a flow minutes after it was booked: it is read from so much further back.
const FLOW_LAG: Duration = Duration::from_secs(600);

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
    for attempt in 0..ATTEMPTS {
        pause(attempt).await;
        if let Some(snapshot) = read_once(venue, instruments, since, traffic).await? {
            return Ok(snapshot);
        }
    }
    Err(moving())
}

/// Like [`read_account`], and waits up to `patience` for an account that keeps changing: for the start, which has nothing
/// to fall back on.
pub(crate) async fn read_account_within(
    patience: Duration,
    venue: &dyn VenueReader,
    instruments: &[InstrumentId],
    since: Timestamp,
    traffic: &Traffic,
) -> Result<VenueSnapshot, BrokerError> {
    let until = Instant::now() + patience;
    let mut attempt = 0;
    loop {
        if let Some(snapshot) = read_once(venue, instruments, since, traffic).await? {
            return Ok(snapshot);
        }
        if Instant::now() >= until {
            return Err(moving());
        }
        attempt += 1;
        if attempt == ATTEMPTS {
            warn!(
                seconds = patience.as_secs(),
                "the account keeps changing; the start waits for it to come to rest"
            );
        }
        pause(attempt).await;
    }
}

/// Before that attempt, counted from zero.
async fn pause(attempt: u32) {
    if attempt > 1 {
        tokio::time::sleep((PAUSE * (1 << (attempt - 2).min(10))).min(LONGEST_PAUSE)).await;
    }
}

fn moving() -> BrokerError {
    BrokerError::NotSent { source: "the account kept changing while it was read".into() }
}

/// `None` when something moved meanwhile.
async fn read_once(
    venue: &dyn VenueReader,
    instruments: &[InstrumentId],
    since: Timestamp,
    traffic: &Traffic,
) -> Result<Option<VenueSnapshot>, BrokerError> {
    let since = since.minus(OVERLAP);
    let before = traffic.seen();
    let first = (venue.account().await?, venue.positions().await?);
    let orders = venue.open_orders().await?;
    let flows = venue.cash_flows_since(since.minus(FLOW_LAG)).await?;
    let mut fills = Vec::new();
    for instrument in instruments {
        fills.extend(venue.fills_since(instrument, since).await?);
    }
    fills.sort_by_key(|fill| (fill.venue_time, fill.instrument, fill.trade_id));
    let positions = venue.positions().await?;
    let account = venue.account().await?;
    let is_whole = traffic.seen() == before && is_same(&first, &account, &positions);
    Ok(is_whole.then_some(VenueSnapshot { account, positions, orders, fills, flows }))
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
