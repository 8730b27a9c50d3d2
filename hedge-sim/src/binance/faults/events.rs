//! Faults of events and of the sockets that carry them.

use serde_json::Value;

use super::fault::{FaultKind, Matching, lies_under};
use super::list::Faults;

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is sent.
    Sent,
    /// It is sent twice.
    SentTwice,
    /// It is never sent.
    Lost,
    /// It is sent when its time has come, or behind the next event of its feed.
    Held {
        /// The fault that holds it.
        fault: u64,
        /// When it is sent at the latest. Units: venue milliseconds since 1970.
        due_ms: i64,
        /// Whether the next event of the feed brings it along.
        behind_next: bool,
    },
}

impl Faults {
    /// Decides what becomes of a user-data event.
    pub(crate) fn user_event(&self, name: &str, text: &str, now_ms: i64) -> Fate {
        let fits = |matching: &Matching| {
            matching.stream.is_none()
                && matching.event.as_ref().is_none_or(|wanted| wanted == name)
                && matching.symbol.as_ref().is_none_or(|symbol| speaks_of(text, symbol))
        };
        self.fate(now_ms, name, fits)
    }

    /// Decides what becomes of a market event.
    pub(crate) fn market_event(&self, stream: impl FnOnce() -> String, now_ms: i64) -> Fate {
        if self.is_quiet() {
            return Fate::Sent;
        }
        let stream = stream();
        let fits = |matching: &Matching| {
            matching.stream.as_ref().is_some_and(|wanted| stream.contains(wanted.as_str()))
                && matching.symbol.as_ref().is_none_or(|symbol| stream.starts_with(&symbol.to_lowercase()))
        };
        self.fate(now_ms, &stream, fits)
    }

    fn fate(&self, now_ms: i64, told: &str, fits: impl Fn(&Matching) -> bool) -> Fate {
        let mut fate = Fate::Sent;
        self.hit(now_ms, |armed| {
            if fate != Fate::Sent {
                return None;
            }
            let hold = |wait_ms: i64, behind_next| Fate::Held {
                fault: armed.id,
                due_ms: now_ms.saturating_add(wait_ms),
                behind_next,
            };
            let chosen = match armed.fault.kind {
                FaultKind::Duplicate => Fate::SentTwice,
                FaultKind::Lose => Fate::Lost,
                FaultKind::Late { delay_ms } => hold(delay_ms, false),
                FaultKind::Reorder { wait_ms } => hold(wait_ms, true),
                _ => return None,
            };
            if !fits(&armed.fault.matching) {
                return None;
            }
            fate = chosen;
            Some(told.to_owned())
        });
        fate
    }

    /// Whether a socket opened under `path` is silent now.
    pub(crate) fn is_silent(&self, path: &str, now_ms: i64) -> bool {
        self.befalls_socket(path, now_ms, |kind| matches!(kind, FaultKind::Silence))
    }

    /// Whether sockets under `path` are refused now.
    pub(crate) fn refuses_socket(&self, path: &str, now_ms: i64) -> bool {
        self.befalls_socket(path, now_ms, |kind| matches!(kind, FaultKind::Cut))
    }

    fn befalls_socket(&self, path: &str, now_ms: i64, is_kind: impl Fn(&FaultKind) -> bool) -> bool {
        let found = self.active(now_ms, |armed| {
            let fits = armed.fault.matching.path.as_ref().is_none_or(|beginning| lies_under(path, beginning));
            (is_kind(&armed.fault.kind) && fits).then_some(())
        });
        found.is_some()
    }
}

/// Whether an event is about a symbol; the letters are the venue's. Source: fact sheet 5.6, 9.2 to 9.5.
fn speaks_of(text: &str, symbol: &str) -> bool {
    let Ok(event) = serde_json::from_str::<Value>(text) else { return false };
    let places = ["/s", "/o/s", "/ac/s", "/a/S"];
    let lists = ["/a/P", "/p"];
    places.iter().any(|place| event.pointer(place).is_some_and(|found| found == symbol))
        || lists
            .iter()
            .filter_map(|list| event.pointer(list)?.as_array())
            .flatten()
            .any(|row| row["s"] == symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_speaks_of_the_symbol_in_any_of_its_places() {
        for text in [
            r#"{"e":"TRADE_LITE","s":"ETHUSDT"}"#,
            r#"{"e":"ORDER_TRADE_UPDATE","o":{"s":"ETHUSDT"}}"#,
            r#"{"e":"ACCOUNT_UPDATE","a":{"P":[{"s":"BTCUSDT"},{"s":"ETHUSDT"}]}}"#,
            r#"{"e":"ACCOUNT_UPDATE","a":{"P":[],"S":"ETHUSDT"}}"#,
            r#"{"e":"ACCOUNT_CONFIG_UPDATE","ac":{"s":"ETHUSDT"}}"#,
        ] {
            assert!(speaks_of(text, "ETHUSDT"), "{text}");
            assert!(!speaks_of(text, "SOLUSDT"), "{text}");
        }
    }
}
