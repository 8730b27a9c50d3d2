//! What the loop is told by the program that composes it.

use std::{path::PathBuf, time::Duration};

use hedge_core::{Failpoints, InstrumentId, Leverage, MarginMode};

/// One configured instrument and how its account side must be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Leverage it is set to at start-up, if it differs.
    pub leverage: Leverage,
    /// Margin mode it is set to at start-up, if it differs.
    pub margin: MarginMode,
}

/// Plain settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Profile that runs, for the journal (`paper`, …).
    pub profile: String,
    /// Version of the program, for the journal.
    pub code_version: String,
    /// Hash of the effective configuration, for the journal.
    pub config_hash: String,
    /// Hash of recorded market data that stays outside the journal.
    pub data_hash: Option<String>,
    /// The instruments; the place in this list is the engine's index of it in a new journal.
    pub universe: Vec<Listing>,
    /// Bars of history per instrument and interval; more if a strategy needs more.
    pub history_bars: usize,
    /// How often the account is read again and compared with the book.
    pub reconcile_every: Duration,
    /// How often the venue's instrument rules are read again.
    pub instruments_every: Duration,
    /// How many legs may have a command on its way at the same time, per venue. Holds openings back; with 1 everything, exits
    /// for a second at most.
    pub parallel_legs: usize,
    /// How long a fact that nothing waits for may stay unwritten; at most 100 ms.
    pub journal_linger: Duration,
    /// How often views are written at most.
    pub views_every: Duration,
    /// How long the venue's dead-man timer for resting entries runs; `None` leaves it alone. Not for a venue in lockstep.
    pub dead_man: Option<Duration>,
    /// How long a stop waits for answers that are still on their way.
    pub drain_within: Duration,
    /// Why this process must not open anything, if it must not: openings stay forbidden, and nobody can resume them. The
    /// next process without such a reason lifts what this one has forbidden.
    pub hold: Option<String>,
    /// Why nothing may be opened at first, if nothing may: an order to close only, as long as no other one stands. Whoever
    /// gave the reason lifts it.
    pub closing_at_first: Option<String>,
    /// Whether nothing shows that this process follows the one that wrote the journal last, so that another process may write
    /// a copy of it: then a run of its own begins, and no client id of the two is the same.
    pub begins_run: bool,
    /// Whether the money is not real although the market is: every row of every view says so.
    pub simulated: bool,
    /// The state directory whose control socket is served; `None` serves none.
    pub control: Option<PathBuf>,
    /// Places at which a test may end or stop the process; none outside of tests.
    pub failpoints: Failpoints,
}

impl Settings {
    /// Settings for a universe, with the usual intervals.
    pub fn new(universe: Vec<Listing>) -> Self {
        Self {
            profile: "paper".to_owned(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: String::new(),
            data_hash: None,
            universe,
            history_bars: 500,
            reconcile_every: Duration::from_secs(60),
            instruments_every: Duration::from_secs(3_600),
            parallel_legs: 4,
            journal_linger: Duration::from_millis(50),
            views_every: Duration::from_secs(1),
            dead_man: None,
            drain_within: Duration::from_secs(3),
            hold: None,
            closing_at_first: None,
            begins_run: false,
            simulated: false,
            control: None,
            failpoints: Failpoints::NONE,
        }
    }
}

/// How the reason of an order begins that a start has given because its process must not open. The next start that may
/// open lifts exactly such an order.
pub const START: &str = "start: ";

/// The standing order of a process that is held.
pub(crate) fn held(reason: &str) -> String {
    format!("{START}{reason}")
}
