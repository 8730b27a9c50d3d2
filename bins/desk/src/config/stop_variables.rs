//! The operators' names for the stop validator: `STOP_VALIDATOR_…`, turned into keys once.
//!
//! A switch may only forbid: `0` switches off what the file allows, `1` never switches on what the file forbids. None of them
//! reaches the first line of protection: an opening's stop, and the close of a leg that stays bare, cannot be switched off.

use figment::value::Value;

use super::{
    json::assignment,
    problem::Problem,
    runtime_keys::{Kind, find},
};
use crate::env::{Env, yes_or_no};

/// Switches, and the keys that they switch off.
pub(super) const SWITCHES: [(&str, &str); 3] = [
    ("STOP_VALIDATOR_ENABLED", "stops.validator"),
    ("STOP_VALIDATOR_REPAIR", "stops.repair"),
    ("STOP_VALIDATOR_REPAIR_TP", "stops.repair_tp"),
];
/// Times in seconds, and the keys that they set in milliseconds.
pub(super) const TIMES: [(&str, &str); 2] =
    [("STOP_VALIDATOR_GRACE_SEC", "stops.grace_ms"), ("STOP_VALIDATOR_INTERVAL_SEC", "stops.interval_ms")];

/// What they set: key, value, variable.
pub(super) fn read(env: &Env, problems: &mut Vec<Problem>) -> Vec<(&'static str, Value, &'static str)> {
    let mut set = Vec::new();
    for (name, key) in SWITCHES {
        match env.get(name).map(|text| (text, yes_or_no(text))) {
            None | Some((_, Some(true))) => {}
            Some((_, Some(false))) => set.push((key, Value::from(false), name)),
            Some((text, None)) => {
                problems.push(refused(env, name, text, "1, 0, true, false, yes, no, on, off"))
            }
        }
    }
    for (name, key) in TIMES {
        let Some(text) = env.get(name) else { continue };
        match milliseconds(text, key) {
            Ok(ms) => set.push((key, Value::from(ms), name)),
            Err(range) => problems.push(refused(env, name, text, &range)),
        }
    }
    set
}

fn refused(env: &Env, name: &str, text: &str, range: &str) -> Problem {
    let text = assignment(name, &format!("{text:?}"));
    Problem::new(env.origin(name), format!("{text}: expected {range}"))
}

/// Seconds, with up to three decimals. Errors: what is accepted.
fn milliseconds(text: &str, key: &str) -> Result<i64, String> {
    let (min, max) = match find(key).map(|key| key.kind) {
        Some(Kind::Whole { min, max }) => (min, max),
        _ => (0, 0),
    };
    let seconds = hedge_core::Decimal::from_str_exact(text.trim()).ok();
    let ms = seconds.and_then(|seconds| seconds.checked_mul(hedge_core::Decimal::ONE_THOUSAND));
    let whole = ms.filter(|ms| ms.fract().is_zero()).and_then(|ms| i64::try_from(ms).ok());
    whole.filter(|ms| (min..=max).contains(ms)).ok_or_else(|| {
        let second = |ms: i64| hedge_core::Decimal::new(ms, 3).normalize();
        format!("seconds, {} to {}", second(min), second(max))
    })
}
