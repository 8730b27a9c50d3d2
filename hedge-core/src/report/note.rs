//! What a person should know besides the numbers.

use std::{fmt, time::Duration};

use crate::{position::PositionKey, risk::Posture, time::Timestamp};

/// One remark. Its `Display` is the text behind the bullet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Which profile runs, where it is not real money.
    Profile {
        /// Its name.
        profile: String,
        /// What it means for the numbers.
        meaning: &'static str,
    },
    /// Something is missing from the report.
    Missing {
        /// What.
        topic: Topic,
        /// Why, and what to do.
        why: String,
    },
    /// Where numbers come from, when not from the state directory.
    Source {
        /// Which numbers, and from where.
        what: String,
    },
    /// The state directory is not kept current.
    OldState {
        /// How long ago it was last written.
        age: Duration,
        /// Whether an executor is there all the same.
        is_running: bool,
    },
    /// There is no value from a day ago yet.
    FirstDay {
        /// The first value there is.
        since: Option<Timestamp>,
    },
    /// The engine opens nothing, or decides nothing at all.
    Posture {
        /// Its stance.
        posture: Posture,
        /// Why.
        because: String,
    },
    /// The account stream is not connected.
    Disconnected,
    /// Legs without a confirmed stop.
    Unprotected {
        /// Which.
        legs: Vec<String>,
    },
    /// Orders of which nobody knows what became of them.
    Doubtful {
        /// How many.
        orders: u64,
    },
    /// The ledger or the mirror does not have what the journal has.
    Behind {
        /// Which, how far, and why.
        what: String,
    },
    /// Legs whose mark price is not known, so that the value is not either.
    NoMark {
        /// Which.
        legs: Vec<PositionKey>,
    },
}

/// What may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The state directory as a whole.
    State,
    /// The net asset value.
    Nav,
    /// Open legs.
    Positions,
    /// Executions.
    Trades,
    /// The screener's counts.
    Screener,
    /// The configuration, and with it the risk limits.
    Configuration,
    /// What the exchange would say.
    Exchange,
    /// Local time.
    Zone,
}

impl Topic {
    const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Nav => "NAV",
            Self::Positions => "positions",
            Self::Trades => "trades",
            Self::Screener => "screener",
            Self::Configuration => "configuration",
            Self::Exchange => "exchange",
            Self::Zone => "time zone",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { profile, meaning } => write!(f, "Profile: {profile} ({meaning})"),
            Self::Missing { topic, why } => write!(f, "Missing: {} ({why})", topic.as_str()),
            Self::Source { what } => write!(f, "Source: {what}"),
            Self::OldState { age, is_running } => {
                let executor = if *is_running { "runs and writes nothing" } else { "is not running" };
                write!(f, "State: last written {} ago; hedge-executor {executor}", Age(*age))
            }
            Self::FirstDay { since: Some(since) } => {
                write!(f, "No NAV from 24 h ago: the first one is of {}", minute(*since))
            }
            Self::FirstDay { since: None } => f.write_str("No NAV from 24 h ago"),
            Self::Posture { posture, because } => {
                let stance = match posture {
                    Posture::Normal => "normal",
                    Posture::ExitOnly => "EXIT ONLY, nothing is opened",
                    Posture::Halted => "HALTED, nothing new is decided",
                };
                f.write_str("Posture: ")?;
                f.write_str(stance)?;
                if because.is_empty() { Ok(()) } else { write!(f, " ({because})") }
            }
            Self::Disconnected => f.write_str("Exchange stream: not connected"),
            Self::Unprotected { legs } => write!(f, "Without a confirmed stop: {}", legs.join(", ")),
            Self::Doubtful { orders } => write!(f, "Orders with unknown outcome: {orders}"),
            Self::Behind { what } => write!(f, "Behind: {what}"),
            Self::NoMark { legs } => {
                let legs: Vec<String> = legs.iter().map(PositionKey::to_string).collect();
                write!(f, "Missing: NAV (no mark price of {})", legs.join(", "))
            }
        }
    }
}

/// `2025-08-22 08:00 UTC`.
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

/// `47 min`, `5 h 03 min`, `3 d 2 h`.
struct Age(Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.as_secs() / 60;
        let (days, hours) = (minutes / 1_440, minutes / 60 % 24);
        match (days, hours) {
            (0, 0) => write!(f, "{minutes} min"),
            (0, _) => write!(f, "{hours} h {:02} min", minutes % 60),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_two_units_at_most() {
        for (seconds, text) in
            [(59, "0 min"), (2_820, "47 min"), (18_180, "5 h 03 min"), (266_400, "3 d 2 h")]
        {
            assert_eq!(Age(Duration::from_secs(seconds)).to_string(), text);
        }
    }

    #[test]
    fn a_note_says_what_is_wrong_and_why() {
        let halted = Note::Posture { posture: Posture::Halted, because: "drawdown".into() };
        assert_eq!(halted.to_string(), "Posture: HALTED, nothing new is decided (drawdown)");
        let first = Note::FirstDay { since: Some(Timestamp::from_ms(1_755_849_600_000)) };
        assert_eq!(first.to_string(), "No NAV from 24 h ago: the first one is of 2025-08-22 08:00 UTC");
        let old = |is_running| Note::OldState { age: Duration::from_secs(18_180), is_running }.to_string();
        assert_eq!(old(false), "State: last written 5 h 03 min ago; hedge-executor is not running");
        assert_eq!(old(true), "State: last written 5 h 03 min ago; hedge-executor runs and writes nothing");
        let missing = Note::Missing { topic: Topic::Screener, why: "no reading yet".into() };
        assert_eq!(missing.to_string(), "Missing: screener (no reading yet)");
    }
}
