//! Trading hours of equity and commodity perpetuals, none of which is listed here: a plain week in UTC.
//!
//! Crypto trades at all hours. The hours are ours; the shapes are those of the vendor's pages on `tradingSchedule` and
//! of its trading session stream, the latter UNCONFIRMED.

use serde_json::{Value, json};

use super::rest_market::DAY_MS;

const HOUR_MS: i64 = 3_600_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970-01-05 was a Monday.
const MONDAY_MS: i64 = 4 * DAY_MS;

/// One market's working day: hours of the day and the session that begins then.
type Day = &'static [(i64, &'static str)];

const EQUITY: Day = &[(0, "OVERNIGHT"), (8, "PRE_MARKET"), (14, "REGULAR"), (21, "AFTER_MARKET")];
const COMMODITY: Day = &[(0, "REGULAR"), (22, "NO_TRADING")];
const MARKETS: [(&str, &str, Day); 2] =
    [("EQUITY", "EquityUpdate", EQUITY), ("COMMODITY", "CommodityUpdate", COMMODITY)];

struct Session {
    start_ms: i64,
    end_ms: i64,
    kind: &'static str,
}

/// The sessions of the week that begins at `monday_ms`.
fn week(day: Day, monday_ms: i64) -> Vec<Session> {
    let mut sessions = Vec::new();
    for n in 0..5 {
        let day_ms = monday_ms + n * DAY_MS;
        for (at, (hour, kind)) in day.iter().enumerate() {
            let end_hour = day.get(at + 1).map_or(24, |(hour, _)| *hour);
            let (start_ms, end_ms) = (day_ms + hour * HOUR_MS, day_ms + end_hour * HOUR_MS);
            sessions.push(Session { start_ms, end_ms, kind });
        }
    }
    let saturday_ms = monday_ms + 5 * DAY_MS;
    sessions.push(Session { start_ms: saturday_ms, end_ms: monday_ms + WEEK_MS, kind: "NO_TRADING" });
    sessions
}

fn monday_of(now_ms: i64) -> i64 {
    now_ms - (now_ms - MONDAY_MS).rem_euclid(WEEK_MS)
}

/// Answers `tradingSchedule`: this week's sessions.
pub(crate) fn schedule(now_ms: i64) -> Value {
    let monday_ms = monday_of(now_ms);
    let mut markets = serde_json::Map::new();
    for (name, _, day) in MARKETS {
        let row = |one: &Session| json!({"startTime": one.start_ms, "endTime": one.end_ms, "type": one.kind});
        let sessions: Vec<Value> = week(day, monday_ms).iter().map(row).collect();
        markets.insert(name.to_owned(), json!({"sessions": sessions}));
    }
    json!({"updateTime": monday_ms, "marketSchedules": markets})
}

/// What `tradingSession` tells: the session that each market is in.
pub(crate) fn now(now_ms: i64) -> Vec<Value> {
    let event = |(_, name, day): (&str, &str, Day)| {
        let sessions = week(day, monday_of(now_ms));
        let one = sessions.into_iter().find(|one| (one.start_ms..one.end_ms).contains(&now_ms))?;
        Some(json!({"e": name, "E": now_ms, "t": one.start_ms, "T": one.end_ms, "S": one.kind}))
    };
    MARKETS.into_iter().filter_map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instant_lies_in_one_session_of_each_market() {
        // 2026-11-20, a Friday, 17:00 UTC.
        let friday_ms = 1_795_194_000_000;
        let kinds = |at_ms| now(at_ms).iter().map(|event| event["S"].clone()).collect::<Vec<_>>();
        assert_eq!(kinds(friday_ms), ["REGULAR", "REGULAR"]);
        assert_eq!(kinds(friday_ms + 6 * HOUR_MS), ["AFTER_MARKET", "NO_TRADING"]);
        assert_eq!(kinds(friday_ms + DAY_MS), ["NO_TRADING", "NO_TRADING"]);
        for hour in 0..168 {
            assert_eq!(now(friday_ms + hour * HOUR_MS).len(), 2);
        }
    }

    #[test]
    fn the_schedule_covers_its_week_without_a_hole() {
        let schedule = schedule(1_795_194_000_000);
        let monday_ms = schedule["updateTime"].as_i64().unwrap();
        for market in ["EQUITY", "COMMODITY"] {
            let sessions = schedule["marketSchedules"][market]["sessions"].as_array().unwrap();
            let mut at_ms = monday_ms;
            for session in sessions {
                assert_eq!(session["startTime"].as_i64(), Some(at_ms), "{market}");
                at_ms = session["endTime"].as_i64().unwrap();
            }
            assert_eq!(at_ms, monday_ms + WEEK_MS);
        }
    }
}
