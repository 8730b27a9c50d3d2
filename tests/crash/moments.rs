//! When the executor is killed: at seeded random moments, and at every failpoint.

use std::{fs, time::Duration};

use hedge_core::Failpoint;
use hedge_tests::workspace;

/// One way to be killed.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// So long after the start of the process.
    DuringStart(Duration),
    /// So long after the start is over.
    WhileTrading(Duration),
    /// At that visit of a place.
    At(Failpoint, u64),
}

/// xorshift64*: the same moments for the same seed.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// Less than `limit`.
    pub const fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    pub const fn up_to_ms(&mut self, limit: u64) -> Duration {
        Duration::from_millis(self.below(limit))
    }

    /// Two of three are at a failpoint, all of them in turn; of the others one in five falls into the start.
    pub fn moment(&mut self, number: usize) -> Moment {
        if number % 3 < 2 {
            let point = Failpoint::ALL[(number / 3 * 2 + number % 3) % Failpoint::ALL.len()];
            return Moment::At(point, 1 + self.below(visits(point)));
        }
        match self.below(5) {
            0 => Moment::DuringStart(self.up_to_ms(150)),
            _ => Moment::WhileTrading(self.up_to_ms(700)),
        }
    }
}

/// How often a process comes by within a second or two of trading.
const fn visits(point: Failpoint) -> u64 {
    match point {
        Failpoint::LeadBeforeFence
        | Failpoint::LeadAfterFence
        | Failpoint::BootBeforeSnapshot
        | Failpoint::BootAfterSnapshot
        | Failpoint::BootReady
        | Failpoint::QueryBeforeSend
        | Failpoint::QueryAfterSend
        | Failpoint::JournalBeforeRotate
        | Failpoint::JournalAfterRotate => 1,
        Failpoint::CancelBeforeSend | Failpoint::CancelAfterSend => 3,
        Failpoint::ViewBeforeRename | Failpoint::ViewAfterRename => 12,
        Failpoint::MarketReceived => 200,
        Failpoint::JournalBeforeWrite
        | Failpoint::JournalMidWrite
        | Failpoint::JournalAfterWrite
        | Failpoint::JournalAfterSync => 40,
        _ => 8,
    }
}

#[test]
fn every_failpoint_stands_in_the_documentation() {
    let page = fs::read_to_string(workspace().join("docs/reliability.md")).unwrap();
    for point in Failpoint::ALL {
        let row = format!("| `{point}` | {} |", point.about());
        assert!(page.lines().any(|line| line == row), "docs/reliability.md lacks {row}");
    }
}
