//! Faults of REST requests.

use std::time::Duration;

use super::fault::{FaultKind, Matching, OrderPool, When, lies_under};
use super::list::Faults;
use crate::binance::error::ApiError;
use crate::binance::params::Params;

/// A request as faults see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// The path of the WS-API method it came by.
    pub(crate) alias: Option<&'a str>,
    pub(crate) params: &'a Params,
}

/// What becomes of a request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) before: Duration,
    pub(crate) end: End,
    pub(crate) after: Duration,
}

/// How a request ends.
#[derive(Debug, Default)]
pub(crate) enum End {
    /// As it should.
    #[default]
    Answered,
    /// Executed, and the connection cut.
    ExecutedThenCut,
    /// The connection cut.
    Cut,
    /// Executed, and answered with an error.
    ExecutedThenRefused(ApiError),
    /// Answered with an error.
    Refused(ApiError),
    /// A ban of the sender, by the fault of that number.
    Banned { fault: u64, for_ms: i64 },
}

const DEFAULT_BAN_MS: i64 = 2 * 60_000;

impl Plan {
    /// Whether nothing happens to the request.
    pub(crate) const fn is_plain(&self) -> bool {
        self.before.is_zero() && self.after.is_zero() && matches!(self.end, End::Answered)
    }
}

impl Faults {
    /// Decides what becomes of a request: delays add up, of the rest the first fault wins.
    pub(crate) fn plan(&self, seen: Request<'_>, now_ms: i64) -> Plan {
        let mut plan = Plan::default();
        self.hit(now_ms, |armed| {
            let decided = !matches!(plan.end, End::Answered);
            if !fits(&armed.fault.matching, seen) {
                return None;
            }
            if let FaultKind::Delay { delay_ms, when } = armed.fault.kind {
                let delay = Duration::from_millis(delay_ms);
                match when {
                    When::Before => plan.before += delay,
                    When::After => plan.after += delay,
                }
            } else if decided {
                return None;
            } else {
                let ban_ms = armed.fault.for_ms.unwrap_or(DEFAULT_BAN_MS);
                plan.end = end(&armed.fault.kind, seen, now_ms).map(|end| match end {
                    End::Banned { .. } => End::Banned { fault: armed.id, for_ms: ban_ms },
                    other => other,
                })?;
            }
            Some(told(seen))
        });
        plan
    }

    /// How far the server clock is off for this request.
    pub(crate) fn skew_ms(&self, seen: Request<'_>, now_ms: i64) -> i64 {
        let mut sum = 0_i64;
        self.hit(now_ms, |armed| match armed.fault.kind {
            FaultKind::Skew { skew_ms } if fits(&armed.fault.matching, seen) => {
                sum = sum.saturating_add(skew_ms);
                Some(told(seen))
            }
            _ => None,
        });
        sum
    }
}

/// How a request ends that meets such a fault; nothing for faults of another kind, and for exempt requests.
fn end(kind: &FaultKind, seen: Request<'_>, now_ms: i64) -> Option<End> {
    Some(match kind {
        FaultKind::AcceptThenDrop => End::ExecutedThenCut,
        FaultKind::Drop => End::Cut,
        FaultKind::Http429 { pool, retry_after_s } => End::Refused(limited(*pool, *retry_after_s, now_ms)),
        FaultKind::Http418 => End::Banned { fault: 0, for_ms: 0 },
        FaultKind::Http503Unknown { executed: true } => End::ExecutedThenRefused(unknown_outcome()),
        FaultKind::Http503Unknown { executed: false } => End::Refused(unknown_outcome()),
        FaultKind::Http503Unavailable => End::Refused(ApiError::new(503, -1001, "Service Unavailable.")),
        FaultKind::Http503Internal => End::Refused(ApiError::internal()),
        FaultKind::Http503Overload { spare_closes } if !(*spare_closes && reduces(seen)) => {
            End::Refused(overload())
        }
        FaultKind::Refuse { code, msg } => End::Refused(ApiError::new(400, *code, msg.clone())),
        _ => return None,
    })
}

/// Source: fact sheet 6.2.
fn unknown_outcome() -> ApiError {
    ApiError::new(503, -1000, "Unknown error, please check your request or try again later.")
}

/// Source: fact sheet 6.2 (-1008).
fn overload() -> ApiError {
    ApiError::new(
        503,
        -1008,
        "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again.",
    )
}

/// The texts of the real limits. Source: fact sheet 6.1, 6.2.
fn limited(pool: OrderPool, retry_after_s: Option<u64>, now_ms: i64) -> ApiError {
    let (code, text, span_ms) = match pool {
        OrderPool::Weight => (
            -1003,
            "Too many requests; please use the websocket for live updates to avoid polling the API.",
            60_000_i64,
        ),
        OrderPool::Orders => {
            (-1015, "Too many new orders; current limit is 300 orders per 10 SECOND.", 10_000)
        }
    };
    let left_ms = span_ms - now_ms.rem_euclid(span_ms);
    let mut error = ApiError::new(429, code, text);
    error.retry_after_s = Some(retry_after_s.unwrap_or(left_ms.unsigned_abs().div_ceil(1_000)));
    error
}

/// Whether an order only takes risk away. Source: fact sheet 3 (exemption from shedding).
fn reduces(seen: Request<'_>) -> bool {
    let is =
        |name: &str, value: &str| seen.params.get(name).is_some_and(|sent| sent.eq_ignore_ascii_case(value));
    is("closePosition", "true")
        || is("reduceOnly", "true")
        || (is("side", "SELL") && is("positionSide", "LONG"))
        || (is("side", "BUY") && is("positionSide", "SHORT"))
}

fn fits(matching: &Matching, seen: Request<'_>) -> bool {
    let by_symbol = |symbol: &String| {
        seen.params.get("symbol") == Some(symbol)
            // A batch names its symbols inside.
            || seen.params.get("batchOrders").is_some_and(|batch| batch.contains(&format!("\"{symbol}\"")))
    };
    matching.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(seen.method))
        && matching.path.as_ref().is_none_or(|path| {
            lies_under(seen.path, path) || seen.alias.is_some_and(|alias| lies_under(alias, path))
        })
        && matching.symbol.as_ref().is_none_or(by_symbol)
        && matching.params.iter().all(|(name, value)| seen.params.get(name) == Some(value))
}

/// What a request asked for, without what it signed with.
fn told(seen: Request<'_>) -> String {
    let mut text = match seen.alias {
        Some(alias) => alias.to_owned(),
        None => format!("{} {}", seen.method, seen.path),
    };
    for name in
        ["symbol", "side", "positionSide", "type", "newClientOrderId", "clientAlgoId", "origClientOrderId"]
    {
        if let Some(value) = seen.params.get(name) {
            text.push_str(&format!(" {name}={}", value.escape_debug()));
        }
    }
    text
}
