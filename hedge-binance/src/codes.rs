//! Every error code we know, as data, and what an answer's status and code say about the world.
//!
//! Source of each row: vendor error-code page as gathered in the fact sheet; the last column names its sections.

use std::time::Duration;

use hedge_core::{Outcome, RejectReason};
use serde::Deserialize;

/// What kind of trouble a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A limit was passed; not executed.
    Rate,
    /// Not executed; may be asked again later.
    Retry,
    /// Execution unknown.
    Unknown,
    /// Timestamp; not executed.
    Clock,
    /// Key, signature, permission.
    Auth,
    /// Our request is malformed.
    Req,
    /// Off the grid or out of bounds.
    Filter,
    /// Not enough margin.
    Margin,
    /// Account or symbol restriction.
    Risk,
    /// The venue does not know the thing.
    NotFound,
    /// An id is in use.
    Dup,
    /// Already so: success.
    Noop,
    /// A precondition does not hold.
    State,
    /// Could not rest or fill as demanded.
    PostOnly,
    /// Nothing left to reduce.
    Reduce,
}

/// One error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The venue's number.
    pub code: i64,
    /// Kind of trouble.
    pub class: Class,
    /// What the engine makes of it.
    pub reason: RejectReason,
    /// Gist.
    pub gist: &'static str,
    /// Sections of the fact sheet that back it.
    pub source: &'static str,
}

const fn row(
    code: i64,
    class: Class,
    reason: RejectReason,
    gist: &'static str,
    source: &'static str,
) -> Code {
    Code { code, class, reason, gist, source }
}

/// The table, highest code first.
pub const CODES: &[Code] = &[
    row(-1000, Class::Unknown, RejectReason::Unlisted, "unknown error", "11, 6.2"),
    row(-1001, Class::Retry, RejectReason::Unlisted, "disconnected or internal, please retry", "11, 6.2"),
    row(-1002, Class::Auth, RejectReason::Auth, "unauthorized", "11"),
    row(-1003, Class::Rate, RejectReason::Unlisted, "too many requests, or address banned", "11, 6.2"),
    row(-1004, Class::Auth, RejectReason::Auth, "address already on the whitelist", "11"),
    row(-1005, Class::Auth, RejectReason::Auth, "address not on the whitelist", "11"),
    row(-1006, Class::Unknown, RejectReason::Unlisted, "unexpected response, status unknown", "11, 6.2"),
    row(-1007, Class::Unknown, RejectReason::Unlisted, "backend time-out, status unknown", "11, 6.2"),
    row(-1008, Class::Retry, RejectReason::Unlisted, "overload; closes are exempt", "11, 6.2, 3"),
    row(-1010, Class::Unknown, RejectReason::Unlisted, "error message received; read the text", "11"),
    row(-1011, Class::Auth, RejectReason::Auth, "address may not use this route", "11"),
    row(-1013, Class::Req, RejectReason::BadRequest, "invalid message", "11"),
    row(-1014, Class::Req, RejectReason::BadRequest, "unsupported order combination", "11"),
    row(-1015, Class::Rate, RejectReason::Unlisted, "too many orders in the window", "11, 6.2"),
    row(-1016, Class::Retry, RejectReason::Unlisted, "service shutting down", "11, 6.2"),
    row(-1020, Class::Req, RejectReason::BadRequest, "unsupported operation", "11"),
    row(-1021, Class::Clock, RejectReason::Clock, "timestamp outside the window", "11, 2.2"),
    row(-1022, Class::Auth, RejectReason::Auth, "signature invalid", "11, 2.2"),
    row(-1023, Class::Req, RejectReason::BadRequest, "start after end", "11"),
    row(-1099, Class::Auth, RejectReason::Auth, "not found or unauthenticated", "11"),
    row(-1100, Class::Req, RejectReason::BadRequest, "illegal characters", "11"),
    row(-1101, Class::Req, RejectReason::BadRequest, "too many or duplicate parameters", "11"),
    row(-1102, Class::Req, RejectReason::BadRequest, "mandatory parameter missing or malformed", "11"),
    row(-1103, Class::Req, RejectReason::BadRequest, "unknown parameter", "11"),
    row(-1104, Class::Req, RejectReason::BadRequest, "unread parameter", "11"),
    row(-1105, Class::Req, RejectReason::BadRequest, "empty parameter", "11"),
    row(
        -1106,
        Class::Req,
        RejectReason::BadRequest,
        "parameter sent when not required (reduceOnly in hedge mode)",
        "11, 3",
    ),
    row(-1108, Class::Req, RejectReason::BadRequest, "bad asset", "11"),
    row(-1109, Class::Req, RejectReason::BadRequest, "bad account", "11"),
    row(-1110, Class::Req, RejectReason::BadRequest, "bad symbol type", "11"),
    row(-1111, Class::Filter, RejectReason::Filter, "precision over maximum", "11, 4.2"),
    row(-1112, Class::State, RejectReason::Unfilled, "no orders on the book", "11"),
    row(-1114, Class::Req, RejectReason::BadRequest, "time in force not required", "11"),
    row(-1115, Class::Req, RejectReason::BadRequest, "invalid time in force", "11"),
    row(-1116, Class::Req, RejectReason::BadRequest, "invalid order type", "11"),
    row(-1117, Class::Req, RejectReason::BadRequest, "invalid side", "11"),
    row(-1118, Class::Req, RejectReason::BadRequest, "empty new client id", "11"),
    row(-1119, Class::Req, RejectReason::BadRequest, "empty original client id", "11"),
    row(-1120, Class::Req, RejectReason::BadRequest, "bad interval", "11"),
    row(-1121, Class::Req, RejectReason::NotTrading, "bad symbol (also after a delisting)", "11"),
    row(-1122, Class::State, RejectReason::NotTrading, "symbol status invalid", "11"),
    row(-1125, Class::NotFound, RejectReason::NotFound, "listen key does not exist", "11, 4.10"),
    row(-1126, Class::Req, RejectReason::BadRequest, "asset unsupported", "11"),
    row(-1127, Class::Req, RejectReason::BadRequest, "range too long", "11"),
    row(-1128, Class::Req, RejectReason::BadRequest, "bad combination of parameters", "11"),
    row(-1130, Class::Req, RejectReason::BadRequest, "invalid value", "11"),
    row(-1136, Class::Req, RejectReason::BadRequest, "bad newOrderRespType", "11"),
    row(
        -2008,
        Class::Auth,
        RejectReason::Auth,
        "invalid key id; seen with a key of another environment",
        "11, 1",
    ),
    row(-2010, Class::State, RejectReason::Precondition, "new order rejected; read the text", "11"),
    row(-2011, Class::NotFound, RejectReason::NotFound, "cancel rejected: unknown order", "11, 6.3"),
    row(-2012, Class::Unknown, RejectReason::Unlisted, "batch cancel failed; per item", "11"),
    row(-2013, Class::NotFound, RejectReason::NotFound, "order does not exist; a replica may lag", "11, 6.3"),
    row(-2014, Class::Auth, RejectReason::Auth, "key format", "11"),
    row(-2015, Class::Auth, RejectReason::Auth, "key, address or permission", "11"),
    row(-2016, Class::State, RejectReason::NotTrading, "no trading window", "11"),
    row(-2017, Class::Auth, RejectReason::Auth, "keys locked", "11"),
    row(-2018, Class::Margin, RejectReason::InsufficientMargin, "balance insufficient", "11"),
    row(-2019, Class::Margin, RejectReason::InsufficientMargin, "margin insufficient", "11"),
    row(-2020, Class::State, RejectReason::Unfilled, "unable to fill", "11"),
    row(-2021, Class::State, RejectReason::WouldTrigger, "would trigger immediately", "11, 5.3"),
    row(
        -2022,
        Class::Reduce,
        RejectReason::NothingToClose,
        "reduce-only rejected: the leg is flat or smaller",
        "11, 3",
    ),
    row(-2023, Class::Risk, RejectReason::Restricted, "user in liquidation", "11"),
    row(-2024, Class::Reduce, RejectReason::NothingToClose, "position not sufficient", "11"),
    row(-2025, Class::Risk, RejectReason::TooManyOrders, "maximum of open orders", "11"),
    row(-2026, Class::Req, RejectReason::BadRequest, "type not allowed with reduce-only", "11"),
    row(
        -2027,
        Class::Risk,
        RejectReason::Restricted,
        "above the maximum position at this leverage",
        "11, 14.5",
    ),
    row(-2028, Class::Margin, RejectReason::InsufficientMargin, "leverage too small for the margin", "11"),
    row(-4000, Class::State, RejectReason::Precondition, "invalid order status", "11"),
    row(-4001, Class::Filter, RejectReason::Filter, "price below 0", "11, 4.2"),
    row(-4002, Class::Filter, RejectReason::Filter, "price above maximum", "11, 4.2"),
    row(-4003, Class::Filter, RejectReason::Filter, "quantity not above 0", "11, 4.2"),
    row(-4004, Class::Filter, RejectReason::Filter, "quantity below minimum", "11, 4.2"),
    row(-4005, Class::Filter, RejectReason::Filter, "quantity above maximum", "11, 4.2"),
    row(-4006, Class::Filter, RejectReason::Filter, "trigger not above 0", "11, 4.2"),
    row(-4007, Class::Filter, RejectReason::Filter, "trigger above maximum", "11, 4.2"),
    row(-4013, Class::Filter, RejectReason::Filter, "price below minimum", "11, 4.2"),
    row(-4014, Class::Filter, RejectReason::Filter, "price off the tick", "11, 4.2"),
    row(-4015, Class::Req, RejectReason::BadRequest, "client id invalid or longer than 36", "11, 7.1"),
    row(-4016, Class::Filter, RejectReason::Filter, "price above the percent band; mark moved", "11, 4.2"),
    row(-4021, Class::Req, RejectReason::BadRequest, "bad depth limit", "11"),
    row(-4023, Class::Filter, RejectReason::Filter, "quantity off the step", "11, 4.2"),
    row(-4024, Class::Filter, RejectReason::Filter, "price below the percent band; mark moved", "11, 4.2"),
    row(-4028, Class::Req, RejectReason::BadRequest, "invalid leverage", "11"),
    row(-4031, Class::Req, RejectReason::BadRequest, "working type", "11"),
    row(-4032, Class::Req, RejectReason::BadRequest, "too many cancels in one call", "11"),
    row(-4044, Class::Risk, RejectReason::Restricted, "balance type", "11"),
    row(
        -4045,
        Class::Risk,
        RejectReason::TooManyOrders,
        "maximum of open conditional orders (200 per account)",
        "11, 4.2",
    ),
    row(-4046, Class::Noop, RejectReason::AlreadySo, "margin type is so already", "11, 4.7"),
    row(-4047, Class::State, RejectReason::Precondition, "margin type blocked by open orders", "11"),
    row(-4048, Class::State, RejectReason::Precondition, "margin type blocked by a position", "11"),
    row(-4049, Class::State, RejectReason::Precondition, "isolated margin adjustment refused", "11, 4.7"),
    row(
        -4050,
        Class::Margin,
        RejectReason::InsufficientMargin,
        "isolated margin adjustment refused",
        "11, 4.7",
    ),
    row(
        -4051,
        Class::Margin,
        RejectReason::InsufficientMargin,
        "isolated margin adjustment refused",
        "11, 4.7",
    ),
    row(-4052, Class::State, RejectReason::Precondition, "isolated margin adjustment refused", "11, 4.7"),
    row(-4053, Class::State, RejectReason::Precondition, "isolated margin adjustment refused", "11, 4.7"),
    row(-4054, Class::State, RejectReason::Precondition, "isolated margin adjustment refused", "11, 4.7"),
    row(-4055, Class::State, RejectReason::Precondition, "isolated margin adjustment refused", "11, 4.7"),
    row(-4059, Class::Noop, RejectReason::AlreadySo, "position mode is so already", "11, 3"),
    row(-4060, Class::Req, RejectReason::ModeMismatch, "invalid positionSide", "11, 3"),
    row(
        -4061,
        Class::Req,
        RejectReason::ModeMismatch,
        "positionSide does not fit the account's mode",
        "11, 3",
    ),
    row(-4062, Class::Req, RejectReason::BadRequest, "reduceOnly conflict", "11"),
    row(-4067, Class::State, RejectReason::Precondition, "mode switch blocked by open orders", "11, 3"),
    row(-4068, Class::State, RejectReason::Precondition, "mode switch blocked by positions", "11, 3"),
    row(-4082, Class::Req, RejectReason::BadRequest, "batch size", "11"),
    row(-4083, Class::Req, RejectReason::BadRequest, "batch failure", "11"),
    row(-4084, Class::State, RejectReason::Precondition, "method not open yet", "11"),
    row(-4087, Class::Risk, RejectReason::Restricted, "only reduce-only orders allowed", "11"),
    row(-4088, Class::Risk, RejectReason::Restricted, "account may not place orders", "11"),
    row(-4104, Class::Req, RejectReason::BadRequest, "contract type", "11"),
    row(-4109, Class::Risk, RejectReason::Restricted, "account archived: transfer funds once", "11"),
    row(-4114, Class::Req, RejectReason::BadRequest, "clientTranId invalid", "11"),
    row(-4115, Class::Dup, RejectReason::DuplicateId, "clientTranId duplicate", "11"),
    row(-4116, Class::Dup, RejectReason::DuplicateId, "duplicate client order id", "11, 6.3, 7.1"),
    row(-4117, Class::State, RejectReason::Precondition, "conditional order is being triggered", "11, 5.4"),
    row(
        -4118,
        Class::Reduce,
        RejectReason::NothingToClose,
        "reduce-only would flip the leg with insufficient margin",
        "11",
    ),
    row(-4120, Class::Req, RejectReason::BadRequest, "conditional type on the plain endpoint", "11, 5.1"),
    row(
        -4130,
        Class::State,
        RejectReason::SecondCloseAll,
        "second close-all order of this leg and direction (UNCONFIRMED)",
        "vendor error list; not in 11",
    ),
    row(
        -4131,
        Class::State,
        RejectReason::Unfilled,
        "best opposite price violates the percent band",
        "11, 4.2",
    ),
    row(-4135, Class::Req, RejectReason::WouldTrigger, "activation price", "11"),
    row(-4137, Class::Req, RejectReason::BadRequest, "quantity beside closePosition", "11, 3"),
    row(-4138, Class::Req, RejectReason::BadRequest, "reduceOnly beside closePosition", "11, 3"),
    row(-4139, Class::Req, RejectReason::BadRequest, "type does not allow closePosition", "11"),
    row(-4140, Class::State, RejectReason::NotTrading, "symbol not open for new positions", "11"),
    row(-4141, Class::State, RejectReason::NotTrading, "symbol closed", "11"),
    row(
        -4142,
        Class::State,
        RejectReason::WouldTrigger,
        "take-profit or stop would trigger at once",
        "11, 5.3",
    ),
    row(-4144, Class::Req, RejectReason::BadRequest, "pair", "11"),
    row(
        -4161,
        Class::State,
        RejectReason::Precondition,
        "lowering leverage with an isolated position",
        "11, 4.7",
    ),
    row(-4164, Class::Filter, RejectReason::Filter, "notional below minimum (unless reducing)", "11, 4.2"),
    row(-4165, Class::Req, RejectReason::BadRequest, "interval too long", "11"),
    row(-4167, Class::State, RejectReason::Precondition, "multi-assets mode conflict", "11"),
    row(-4168, Class::State, RejectReason::Precondition, "multi-assets mode conflict", "11"),
    row(-4169, Class::State, RejectReason::Precondition, "multi-assets mode conflict", "11"),
    row(-4170, Class::State, RejectReason::Precondition, "multi-assets mode conflict", "11"),
    row(-4171, Class::Noop, RejectReason::AlreadySo, "multi-assets mode is so already", "11"),
    row(-4172, Class::State, RejectReason::Precondition, "multi-assets mode conflict", "11"),
    row(
        -4183,
        Class::Filter,
        RejectReason::Filter,
        "conditional limit price outside its multipliers",
        "11, 5.4",
    ),
    row(
        -4184,
        Class::Filter,
        RejectReason::Filter,
        "conditional limit price outside its multipliers",
        "11, 5.4",
    ),
    row(-4192, Class::Risk, RejectReason::Restricted, "cooling-off period", "11"),
    row(
        -4202,
        Class::Risk,
        RejectReason::Restricted,
        "leverage cap (identity check, account age, symbol)",
        "11, 4.7",
    ),
    row(
        -4203,
        Class::Risk,
        RejectReason::Restricted,
        "leverage cap (identity check, account age, symbol)",
        "11, 4.7",
    ),
    row(
        -4204,
        Class::Risk,
        RejectReason::Restricted,
        "leverage cap (identity check, account age, symbol)",
        "11, 4.7",
    ),
    row(
        -4205,
        Class::Risk,
        RejectReason::Restricted,
        "leverage cap (identity check, account age, symbol)",
        "11, 4.7",
    ),
    row(
        -4206,
        Class::Risk,
        RejectReason::Restricted,
        "leverage cap (identity check, account age, symbol)",
        "11, 4.7",
    ),
    row(
        -4207,
        Class::Risk,
        RejectReason::Restricted,
        "leverage cap (identity check, account age, symbol)",
        "11, 4.7",
    ),
    row(
        -4208,
        Class::Risk,
        RejectReason::Restricted,
        "leverage cap (identity check, account age, symbol)",
        "11, 4.7",
    ),
    row(
        -4209,
        Class::Risk,
        RejectReason::Restricted,
        "leverage cap (identity check, account age, symbol)",
        "11, 4.7",
    ),
    row(-4210, Class::Filter, RejectReason::Filter, "trigger price outside its multipliers", "11, 5.4"),
    row(-4211, Class::Filter, RejectReason::Filter, "trigger price outside its multipliers", "11, 5.4"),
    row(-4400, Class::Risk, RejectReason::Restricted, "quantitative rules: reduce only", "11, 4.9"),
    row(-4401, Class::Risk, RejectReason::Restricted, "large position rule: reduce only", "11"),
    row(-4402, Class::Risk, RejectReason::Restricted, "region restriction", "11"),
    row(-4403, Class::Risk, RejectReason::Restricted, "leverage cap (region)", "11, 4.7"),
    row(
        -4509,
        Class::State,
        RejectReason::NothingToClose,
        "position-tied order needs an open position",
        "11, 5.2",
    ),
    row(-4531, Class::State, RejectReason::Precondition, "position-mode sync with COIN-M refused", "11, 3"),
    row(-5021, Class::PostOnly, RejectReason::Unfilled, "fill-or-kill not fillable", "11, 7.2"),
    row(-5022, Class::PostOnly, RejectReason::WouldTake, "post-only would take", "11, 7.2"),
    row(-5024, Class::State, RejectReason::NotTrading, "amendment: symbol halted", "11, 4.5"),
    row(-5025, Class::State, RejectReason::Precondition, "amendment: not a limit order", "11, 4.5"),
    row(-5026, Class::State, RejectReason::TooManyOrders, "amendment: too many", "11, 4.5"),
    row(-5027, Class::Noop, RejectReason::AlreadySo, "amendment: nothing changed", "11, 4.5"),
    row(
        -5028,
        Class::Clock,
        RejectReason::Clock,
        "the matching engine found the timestamp too old",
        "11, 2.2",
    ),
    row(-5029, Class::Filter, RejectReason::Filter, "amended notional too small", "11"),
    row(-5037, Class::Req, RejectReason::BadRequest, "invalid price match", "11"),
    row(-5038, Class::Req, RejectReason::BadRequest, "price match does not fit the type", "11"),
    row(-5039, Class::Req, RejectReason::BadRequest, "invalid self-trade prevention", "11"),
    row(-5040, Class::Req, RejectReason::BadRequest, "good-till date out of range", "11, 4.5"),
    row(-5041, Class::State, RejectReason::Unfilled, "no depth for the price match", "11, 7.4"),
    row(-5043, Class::State, RejectReason::Precondition, "an amendment is pending", "11, 4.5"),
    row(
        -5047,
        Class::Req,
        RejectReason::BadRequest,
        "amendment reduceOnly differs from the original",
        "11, 4.5",
    ),
    row(-21015, Class::Req, RejectReason::BadRequest, "endpoint gone", "11"),
];

/// The row of a code.
pub fn lookup(code: i64) -> Option<&'static Code> {
    CODES.binary_search_by(|row| code.cmp(&row.code)).ok().map(|at| &CODES[at])
}

/// The body of an error answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ErrorBody {
    /// The venue's number.
    pub code: i64,
    /// The venue's text.
    #[serde(default)]
    pub msg: String,
}

impl ErrorBody {
    /// Reads an error body; `None` when it is something else (a gateway's page, say).
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// What an answer that is no success says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not executed, and not looked at.
    NotExecuted,
    /// Not executed: one budget is used up.
    Limited,
    /// Not executed: the address is banned.
    Banned {
        /// Until when (milliseconds of the venue's clock), where the text says so.
        until_ms: Option<i64>,
    },
    /// Not executed: our clock. May be re-signed once.
    Clock,
    /// Looked at and refused.
    Refused(&'static Code),
    /// The thing asked for is so already.
    AlreadySo,
    /// It may have been executed.
    Unknown,
}

impl Verdict {
    /// What is known about the effect on a command.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::NotExecuted | Self::Limited | Self::Banned { .. } | Self::Clock => Outcome::NotSent,
            Self::Refused(_) | Self::AlreadySo => Outcome::Rejected,
            Self::Unknown => Outcome::Unknown,
        }
    }
}

/// Reads status and body of an answer that is no success.
///
/// Only what the vendor documents as "not executed" counts as such; everything else with a 5xx, a 429 without its documented
/// code, and every code that is not in the table, leaves the outcome unknown. Source: fact sheet 6.2.
pub fn judge(status: u16, body: Option<&ErrorBody>) -> Verdict {
    match (status, body) {
        (418, body) => Verdict::Banned { until_ms: body.and_then(|body| banned_until_ms(&body.msg)) },
        (503, Some(body)) => judge_503(body),
        (403, None) => Verdict::NotExecuted,
        (408 | 500..=599, _) => Verdict::Unknown,
        (400..=499, Some(body)) => judge_code(body),
        _ => Verdict::Unknown,
    }
}

/// The three kinds of 503, and the overload code. Source: fact sheet 6.2.
fn judge_503(body: &ErrorBody) -> Verdict {
    let text = body.msg.trim().trim_end_matches('.').to_ascii_lowercase();
    let not_executed = body.code == -1008
        || text == "service unavailable"
        || text == "internal error; unable to process your request. please try again";
    if not_executed { Verdict::NotExecuted } else { Verdict::Unknown }
}

fn judge_code(body: &ErrorBody) -> Verdict {
    let Some(row) = lookup(body.code) else { return Verdict::Unknown };
    match row.class {
        Class::Rate => match banned_until_ms(&body.msg) {
            Some(until_ms) => Verdict::Banned { until_ms: Some(until_ms) },
            None => Verdict::Limited,
        },
        Class::Retry => Verdict::NotExecuted,
        // An id of ours is never used twice: "duplicate" means that our order is there, and somebody must look.
        Class::Unknown | Class::Dup => Verdict::Unknown,
        // Only -1021 proves that nothing was looked at; -5028 comes from the matching engine and ends the order.
        Class::Clock if row.code == -1021 => Verdict::Clock,
        Class::Noop => Verdict::AlreadySo,
        Class::Clock
        | Class::Auth
        | Class::Req
        | Class::Filter
        | Class::Margin
        | Class::Risk
        | Class::NotFound
        | Class::State
        | Class::PostOnly
        | Class::Reduce => Verdict::Refused(row),
    }
}

/// The 13-digit epoch in "banned until 1795169400000"; the words before it vary. Source: fact sheet appendix A.
pub fn banned_until_ms(msg: &str) -> Option<i64> {
    let at = msg.to_ascii_lowercase().find("until")?;
    msg.get(at..)?
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() == 13)
        .and_then(|digits| digits.parse().ok())
}

/// How long to keep still when the venue bans without saying for how long. Source: fact sheet 6.2 (2 minutes at least).
pub const SHORTEST_BAN: Duration = Duration::from_secs(120);

/// No ban is longer. Source: fact sheet 6.2 (3 days at most).
pub const LONGEST_BAN: Duration = Duration::from_secs(3 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, code: i64, msg: &str) -> Verdict {
        judge(status, Some(&ErrorBody { code, msg: msg.to_owned() }))
    }

    #[test]
    fn the_table_is_sorted_and_has_no_code_twice() {
        assert!(CODES.windows(2).all(|pair| pair[0].code > pair[1].code));
        assert!(CODES.iter().all(|row| lookup(row.code) == Some(row)));
    }

    #[test]
    fn every_row_names_its_source_and_gist() {
        assert!(CODES.iter().all(|row| !row.source.is_empty() && !row.gist.is_empty()));
    }

    #[test]
    fn of_the_three_kinds_of_503_one_leaves_the_outcome_unknown() {
        let unknown = "Unknown error, please check your request or try again later.";
        assert_eq!(verdict(503, -1000, unknown), Verdict::Unknown);
        assert_eq!(verdict(503, -1001, "Service Unavailable."), Verdict::NotExecuted);
        let internal = "Internal error; unable to process your request. Please try again.";
        assert_eq!(verdict(503, -1001, internal), Verdict::NotExecuted);
        assert_eq!(
            verdict(503, -1008, "Request throttled by system-level protection."),
            Verdict::NotExecuted
        );
        assert_eq!(judge(503, None), Verdict::Unknown, "a gateway's page proves nothing");
        assert_eq!(verdict(503, -1001, "Something new"), Verdict::Unknown);
    }

    #[test]
    fn time_outs_and_other_server_errors_are_unknown() {
        assert_eq!(judge(408, None), Verdict::Unknown);
        assert_eq!(verdict(400, -1007, "Timeout waiting for response"), Verdict::Unknown);
        assert_eq!(verdict(400, -1006, ""), Verdict::Unknown);
        assert_eq!(verdict(500, -2019, ""), Verdict::Unknown);
        assert_eq!(judge(502, None), Verdict::Unknown);
    }

    #[test]
    fn limits_bans_and_the_firewall_are_not_executed() {
        assert_eq!(verdict(429, -1003, "Too many requests"), Verdict::Limited);
        assert_eq!(verdict(400, -1015, "Too many new orders"), Verdict::Limited);
        let ban =
            "Way too many requests; IP(203.0.113.9) banned until 1795169400000. Please use the websocket";
        assert_eq!(verdict(418, -1003, ban), Verdict::Banned { until_ms: Some(1_795_169_400_000) });
        assert_eq!(judge(418, None), Verdict::Banned { until_ms: None });
        assert_eq!(judge(403, None), Verdict::NotExecuted);
        assert_eq!(judge(429, None), Verdict::Unknown, "a gateway's limit proves nothing about the venue");
        for verdict in
            [Verdict::Limited, Verdict::Banned { until_ms: None }, Verdict::NotExecuted, Verdict::Clock]
        {
            assert_eq!(verdict.outcome(), Outcome::NotSent);
        }
    }

    #[test]
    fn a_code_that_is_not_in_the_table_is_unknown() {
        assert_eq!(verdict(400, -9_999, "new rule"), Verdict::Unknown);
    }

    #[test]
    fn a_duplicate_id_is_not_a_rejection() {
        assert_eq!(verdict(400, -4116, "ClientOrderId is duplicated."), Verdict::Unknown);
    }

    #[test]
    fn only_one_clock_code_may_be_signed_again() {
        assert_eq!(verdict(400, -1021, ""), Verdict::Clock);
        assert!(
            matches!(verdict(400, -5028, ""), Verdict::Refused(row) if row.reason == RejectReason::Clock)
        );
    }

    #[test]
    fn a_thing_that_is_so_already_is_success() {
        for code in [-4046, -4059, -4171, -5027] {
            assert_eq!(verdict(400, code, ""), Verdict::AlreadySo, "{code}");
        }
    }

    #[test]
    fn refusals_carry_the_reason_the_engine_acts_on() {
        let reason = |code| match verdict(400, code, "") {
            Verdict::Refused(row) => row.reason,
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(reason(-2019), RejectReason::InsufficientMargin);
        assert_eq!(reason(-2022), RejectReason::NothingToClose);
        assert_eq!(reason(-2021), RejectReason::WouldTrigger);
        assert_eq!(reason(-4142), RejectReason::WouldTrigger);
        assert_eq!(reason(-4061), RejectReason::ModeMismatch);
        assert_eq!(reason(-4045), RejectReason::TooManyOrders);
        assert_eq!(reason(-4130), RejectReason::SecondCloseAll);
        assert_eq!(reason(-4131), RejectReason::Unfilled);
        assert_eq!(reason(-4164), RejectReason::Filter);
        assert_eq!(reason(-5022), RejectReason::WouldTake);
        assert_eq!(reason(-2015), RejectReason::Auth);
    }
}
