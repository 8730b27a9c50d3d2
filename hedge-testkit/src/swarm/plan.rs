//! What happens in a run besides prices: wishes of the strategy, commands of people, faults. All of it follows from a seed,
//! and a run with fewer of them is a run too: that is how a failure is made small.

use std::fmt;

use super::dice::Dice;

/// When faults begin and end, and what follows. Units: milliseconds since the start of the run.
pub(super) mod times {
    pub(in super::super) const STORM_BEGINS_MS: i64 = 4_000;
    pub(in super::super) const STORM_ENDS_MS: i64 = 80_000;
    /// From here on a leg may not stand without a stop for longer than the engine promises.
    pub(in super::super) const STRICT_FROM_MS: i64 = 120_000;
    /// From here on nothing new is wanted.
    pub(in super::super) const LAST_WISH_MS: i64 = 160_000;
    pub(in super::super) const END_MS: i64 = 200_000;
}

/// Which leg: the place of the symbol in the run's list, and whether it is the SHORT one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LegIx {
    pub(super) symbol: u8,
    pub(super) short: bool,
}

impl fmt::Display for LegIx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            super::exchange::SYMBOLS[usize::from(self.symbol) % 3],
            if self.short { "SHORT" } else { "LONG" }
        )
    }
}

/// Something the strategy wants, if it fits when its time comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// An entry at the market.
    Market { notional_usdt: i64, stop_bps: i64, rungs: u8 },
    /// A limit entry, so far from the mark (negative: through it).
    Limit { notional_usdt: i64, stop_bps: i64, away_bps: i64, post_only: bool },
    /// A close of a part at the market.
    Close { percent: i64 },
    /// A close of a part by a limit order on the winning side.
    LimitClose { percent: i64, away_bps: i64 },
    /// The stop moves to so far from the mark.
    MoveStop { away_bps: i64 },
    /// A take-profit for a part.
    TakeProfit { percent: i64, away_bps: i64 },
    /// A trailing stop for a part.
    Trail { percent: i64, callback_bps: i64 },
    /// The resting entry is cancelled.
    CancelEntry,
}

/// The point in the life of a process at which it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrashPoint {
    /// At that instant, whatever it is doing.
    Now,
    /// A step with commands has been decided; nothing of it is on the disk.
    BeforeAppend,
    /// While records are being written: some of them are whole, one is torn.
    DuringAppend,
    /// The step is durable; none of its effects has left.
    AfterAppend,
    /// So many commands have left since the fault was armed.
    AfterSends(u8),
}

/// What is refused about the next stop.
pub(super) const STOP_REFUSALS: [i64; 3] = [-2021, -4142, -4045];

/// A fault. Those that concern a request or a stream event wait for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    LostRequest,
    LostAck,
    AckAfterFill,
    SlowRequest { ms: i64 },
    UnknownExecuted503,
    UnknownUnexecuted503,
    Unavailable503,
    Internal503,
    Throttled503,
    TooMany429,
    Banned418 { ms: i64 },
    Clock1021,
    Timeout1007 { executed: bool },
    Unexpected1006 { executed: bool },
    Unparsable { executed: bool },
    StopRefused { code: i64 },
    Duplicate,
    Reordered,
    Late { ms: i64 },
    Missing,
    FillAfterCancel,
    ThinBook { ms: i64 },
    Cut { ms: i64 },
    Silence { ms: i64 },
    ListenKeyExpired,
    NetworkDown { ms: i64 },
    StaleReads { ms: i64 },
    ModeFlipped { ms: i64 },
    PersonCloses { leg: LegIx },
    PersonOrders { leg: LegIx },
    FilterChange { symbol: u8, kind: u8 },
    Maintenance { ms: i64 },
    Liquidation { leg: LegIx },
    Adl { leg: LegIx, percent: i64 },
    Funding { symbol: u8, bps: i64 },
    Transfer { usdt: i64 },
    Countdown { symbol: u8 },
    Gap { symbol: u8, bps: i64 },
    StopRejected { leg: LegIx },
    StopRemainder { leg: LegIx },
    ClockStep { ms: i64 },
    ClockDrift { ppm: i64 },
    ClockAhead { ms: i64 },
    AppendFails,
    SlowDisk { ms: i64 },
    Crash(CrashPoint),
}

impl Fault {
    /// The name of its kind: what coverage is counted by.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::LostRequest => "lost-request",
            Self::LostAck => "lost-ack",
            Self::AckAfterFill => "ack-after-fill",
            Self::SlowRequest { .. } => "slow-request",
            Self::UnknownExecuted503 => "503-unknown-executed",
            Self::UnknownUnexecuted503 => "503-unknown-not-executed",
            Self::Unavailable503 => "503-unavailable",
            Self::Internal503 => "503-internal",
            Self::Throttled503 => "503-throttled",
            Self::TooMany429 => "429",
            Self::Banned418 { .. } => "418",
            Self::Clock1021 => "-1021",
            Self::Timeout1007 { .. } => "-1007",
            Self::Unexpected1006 { .. } => "-1006",
            Self::Unparsable { .. } => "unparsable-answer",
            Self::StopRefused { .. } => "stop-refused",
            Self::Duplicate => "duplicate-event",
            Self::Reordered => "reordered-event",
            Self::Late { .. } => "late-event",
            Self::Missing => "missing-event",
            Self::FillAfterCancel => "fill-after-cancel",
            Self::ThinBook { .. } => "partial-fills",
            Self::Cut { .. } => "cut",
            Self::Silence { .. } => "silence",
            Self::ListenKeyExpired => "listen-key-expired",
            Self::NetworkDown { .. } => "network-down",
            Self::StaleReads { .. } => "stale-reads",
            Self::ModeFlipped { .. } => "mode-flipped",
            Self::PersonCloses { .. } => "person-closes",
            Self::PersonOrders { .. } => "person-orders",
            Self::FilterChange { .. } => "filter-change",
            Self::Maintenance { .. } => "maintenance",
            Self::Liquidation { .. } => "liquidation",
            Self::Adl { .. } => "adl",
            Self::Funding { .. } => "funding",
            Self::Transfer { .. } => "transfer",
            Self::Countdown { .. } => "countdown",
            Self::Gap { .. } => "price-gap",
            Self::StopRejected { .. } => "stop-rejected-at-trigger",
            Self::StopRemainder { .. } => "stop-expired-with-remainder",
            Self::ClockStep { .. } => "clock-step",
            Self::ClockDrift { .. } => "clock-drift",
            Self::ClockAhead { .. } => "clock-ahead",
            Self::AppendFails => "append-fails",
            Self::SlowDisk { .. } => "slow-disk",
            Self::Crash(CrashPoint::DuringAppend) => "torn-write",
            Self::Crash(_) => "crash",
        }
    }

    /// One fault of that kind, its details drawn.
    fn draw(kind: usize, dice: &mut Dice, symbols: u8) -> Self {
        let leg = LegIx { symbol: dice.below(u64::from(symbols)) as u8, short: dice.percent(50) };
        let symbol = leg.symbol;
        let executed = dice.percent(50);
        match kind {
            0 => Self::LostRequest,
            1 => Self::LostAck,
            2 => Self::AckAfterFill,
            3 => Self::SlowRequest { ms: dice.range(500, 8_000) },
            4 => Self::UnknownExecuted503,
            5 => Self::UnknownUnexecuted503,
            6 => Self::Unavailable503,
            7 => Self::Internal503,
            8 => Self::Throttled503,
            9 => Self::TooMany429,
            10 => Self::Banned418 { ms: dice.range(2_000, 9_000) },
            11 => Self::Clock1021,
            12 => Self::Timeout1007 { executed },
            13 => Self::Unexpected1006 { executed },
            14 => Self::Unparsable { executed },
            15 => Self::StopRefused { code: dice.pick(&STOP_REFUSALS).unwrap_or(-2021) },
            16 => Self::Duplicate,
            17 => Self::Reordered,
            18 => Self::Late { ms: dice.range(300, 9_000) },
            19 => Self::Missing,
            20 => Self::FillAfterCancel,
            21 => Self::ThinBook { ms: dice.range(5_000, 20_000) },
            22 => Self::Cut { ms: dice.range(100, 9_000) },
            23 => Self::Silence { ms: dice.range(1_000, 12_000) },
            24 => Self::ListenKeyExpired,
            25 => Self::NetworkDown { ms: dice.range(500, 8_000) },
            26 => Self::StaleReads { ms: dice.range(2_000, 10_000) },
            27 => Self::ModeFlipped { ms: dice.range(2_000, 12_000) },
            28 => Self::PersonCloses { leg },
            29 => Self::PersonOrders { leg },
            30 => Self::FilterChange { symbol, kind: dice.below(4) as u8 },
            31 => Self::Maintenance { ms: dice.range(2_000, 12_000) },
            32 => Self::Liquidation { leg },
            33 => Self::Adl { leg, percent: dice.range(20, 100) },
            34 => Self::Funding { symbol, bps: dice.range(-30, 30) },
            35 => Self::Transfer { usdt: dice.range(-900, 900) },
            36 => Self::Countdown { symbol },
            37 => Self::Gap { symbol, bps: dice.range(80, 350) * if executed { 1 } else { -1 } },
            38 => Self::StopRejected { leg },
            39 => Self::StopRemainder { leg },
            40 => Self::ClockStep { ms: dice.range(-20_000, 20_000) },
            41 => Self::ClockDrift { ppm: dice.range(-400, 400) },
            42 => Self::AppendFails,
            43 => Self::SlowDisk { ms: dice.range(2_000, 8_000) },
            44 => Self::Crash(CrashPoint::DuringAppend),
            _ => Self::Crash(match dice.below(5) {
                0 => CrashPoint::Now,
                1 => CrashPoint::BeforeAppend,
                2 => CrashPoint::AfterAppend,
                _ => CrashPoint::AfterSends(dice.range(1, 6) as u8),
            }),
        }
    }
}

/// How many kinds [`Fault::draw`] knows.
const KINDS: usize = 46;
/// Crashes are the last kind; they are drawn more often than others.
const CRASH: usize = 45;

/// Names of every kind of fault, as `--verbose` and the coverage table show them.
pub fn fault_kinds() -> Vec<&'static str> {
    let mut dice = Dice::new(0, 0);
    let drawn = (0..KINDS).map(|kind| Fault::draw(kind, &mut dice, 2));
    drawn.chain([Fault::ClockAhead { ms: 0 }]).map(|fault| fault.kind()).collect()
}

/// What a person commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Halt,
    ExitOnly,
    Resume,
    Flatten,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Wish(LegIx, Wish),
    Command(Order),
    Fault(Fault),
}

/// One thing that happens, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) at_ms: i64,
    pub(super) what: What,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.3} s  ", self.at_ms as f64 / 1_000.0)?;
        match &self.what {
            What::Wish(leg, wish) => write!(f, "wish   {leg}: {wish:?}"),
            What::Command(order) => write!(f, "person {order:?}"),
            What::Fault(fault) => write!(f, "fault  {}: {fault:?}", fault.kind()),
        }
    }
}

/// How a run's world is, before anything happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) symbols: u8,
    /// Whether a second close-all stop of a leg is refused (unconfirmed at the vendor).
    pub(super) one_close_all: bool,
    /// Whether a countdown takes conditional orders too (unconfirmed at the vendor).
    pub(super) countdown_kills_stops: bool,
    pub(super) adopt_foreign: bool,
    /// Whether resting entries carry an end.
    pub(super) entries_vanish: bool,
    pub(super) slowest_net_ms: i64,
    pub(super) slowest_disk_ms: i64,
    /// How long a client waits for an answer.
    pub(super) time_out_ms: i64,
}

/// Everything that a run is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) setup: Setup,
    /// By time.
    pub(super) items: Vec<Item>,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let setup = Setup {
            symbols: if dice.percent(60) { 2 } else { 3 },
            one_close_all: dice.percent(50),
            countdown_kills_stops: dice.percent(50),
            adopt_foreign: dice.percent(50),
            entries_vanish: dice.percent(50),
            slowest_net_ms: dice.pick(&[20, 60, 200]).unwrap_or(60),
            slowest_disk_ms: dice.pick(&[2, 5, 30]).unwrap_or(5),
            // What is configured where nothing else is said, and a hasty one.
            time_out_ms: if seed.is_multiple_of(2) { 10_000 } else { 2_500 },
        };
        let mut items = Vec::new();
        draw_wishes(&mut dice, &setup, &mut items);
        draw_faults(&mut dice, &setup, &mut items);
        if dice.percent(25) {
            let order = dice.pick(&[Order::Halt, Order::ExitOnly, Order::Flatten]).unwrap_or(Order::Halt);
            let at_ms = dice.range(times::STORM_BEGINS_MS, times::STORM_ENDS_MS - 15_000);
            items.push(Item { at_ms, what: What::Command(order) });
            let at_ms = at_ms + dice.range(2_000, 12_000);
            items.push(Item { at_ms, what: What::Command(Order::Resume) });
        }
        draw_clock_ahead(seed, &mut items);
        items.sort_by_key(|item| item.at_ms);
        Self { seed, setup, items }
    }
}

fn draw_wishes(dice: &mut Dice, setup: &Setup, items: &mut Vec<Item>) {
    let storm = dice.range(40, 80);
    let calm = dice.range(8, 14);
    for number in 0..storm + calm {
        let at_ms = if number < storm {
            dice.range(1_500, times::STORM_ENDS_MS)
        } else {
            dice.range(times::STRICT_FROM_MS + 1_000, times::LAST_WISH_MS)
        };
        let leg = LegIx { symbol: dice.below(u64::from(setup.symbols)) as u8, short: dice.percent(50) };
        let (notional_usdt, stop_bps) = (dice.range(120, 560), dice.range(25, 300));
        let percent = dice.pick(&[25, 50, 100, 100]).unwrap_or(100);
        let wish = match dice.below(100) {
            0..=29 => Wish::Market { notional_usdt, stop_bps, rungs: dice.below(3) as u8 },
            30..=39 => Wish::Limit {
                notional_usdt,
                stop_bps,
                away_bps: dice.range(2, 40),
                post_only: dice.percent(30),
            },
            40..=46 => {
                Wish::Limit { notional_usdt, stop_bps, away_bps: dice.range(-25, 0), post_only: false }
            }
            47..=62 => Wish::Close { percent },
            63..=68 => Wish::LimitClose { percent, away_bps: dice.range(1, 40) },
            69..=82 => Wish::MoveStop { away_bps: dice.range(15, 200) },
            83..=88 => Wish::TakeProfit { percent, away_bps: dice.range(5, 60) },
            89..=93 => Wish::Trail { percent, callback_bps: dice.range(10, 60) },
            _ => Wish::CancelEntry,
        };
        items.push(Item { at_ms, what: What::Wish(leg, wish) });
    }
}

fn draw_faults(dice: &mut Dice, setup: &Setup, items: &mut Vec<Item>) {
    let subset = dice.range(3, 12);
    let mut kinds: Vec<usize> = (0..subset).map(|_| dice.below(KINDS as u64) as usize).collect();
    if dice.percent(35) {
        kinds.push(CRASH);
    }
    for kind in kinds {
        for _ in 0..dice.range(1, 4) {
            let at_ms = dice.range(times::STORM_BEGINS_MS, times::STORM_ENDS_MS);
            items.push(Item { at_ms, what: What::Fault(Fault::draw(kind, dice, setup.symbols)) });
        }
    }
}

/// The machine's clock goes ten minutes ahead and is set right again: a process that has looked meanwhile stays ahead. From dice
/// of its own, so that whatever else a seed means stays what it was.
fn draw_clock_ahead(seed: u64, items: &mut Vec<Item>) {
    let mut dice = Dice::new(seed, 6);
    if dice.percent(10) {
        let at_ms = dice.range(times::STORM_BEGINS_MS, times::STORM_ENDS_MS - 10_000);
        let ms = dice.range(50, 5_000);
        items.push(Item { at_ms, what: What::Fault(Fault::ClockAhead { ms }) });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_of_fault_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = fault_kinds().into_iter().collect();
        assert_eq!(names.len(), KINDS + 1);
    }

    #[test]
    fn every_kind_of_fault_is_drawn_often() {
        let mut seen = std::collections::BTreeMap::new();
        for seed in 0..2_000 {
            for item in Plan::of(seed).items {
                if let What::Fault(fault) = item.what {
                    *seen.entry(fault.kind()).or_insert(0) += 1;
                }
            }
        }
        for kind in fault_kinds() {
            assert!(seen.get(kind).is_some_and(|count| *count > 50), "{kind}: {:?}", seen.get(kind));
        }
    }
}
