//! What can be made to go wrong, and where.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::list::FaultError;
use crate::venue::SymbolStatus;

/// One thing that goes wrong.
///
/// ```
/// # #[cfg(feature = "binance-server")] {
/// use hedge_sim::binance::{Fault, FaultKind};
/// // The next order is executed, its answer never arrives.
/// let fault = Fault::new(FaultKind::AcceptThenDrop).on("POST", "/fapi/v1/order");
/// assert_eq!(fault.count, Some(1));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// What it befalls; everything of its kind when nothing is said.
    pub matching: Matching,
    /// How many times; `None`: until it is cleared or its time is over.
    pub count: Option<u32>,
    /// Venue time before it begins. Units: milliseconds.
    pub after_ms: i64,
    /// Venue time from its beginning to its end; `None`: no end. Units: milliseconds.
    pub for_ms: Option<i64>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// The request is executed, then the connection is cut instead of an answer.
    AcceptThenDrop,
    /// The connection is cut; the request is not executed.
    Drop,
    /// The answer comes late. The request is executed even when its sender hung up meanwhile.
    Delay {
        /// How late. Units: milliseconds of wall time, because time-outs of connections are.
        delay_ms: u64,
        /// Whether the request waits, or only its answer.
        when: When,
    },
    /// 429 with `retry-after`; not executed.
    Http429 {
        /// Which limit it speaks of.
        pool: OrderPool,
        /// What `retry-after` says; the end of the limit's window when absent. Units: seconds.
        retry_after_s: Option<u64>,
    },
    /// The next matching request bans its address: 418 for everything, for [`Fault::for_ms`] (2 minutes when absent).
    Http418,
    /// 503 "Unknown error, please check your request or try again later."
    Http503Unknown {
        /// Whether the request was executed. The answer does not tell.
        executed: bool,
    },
    /// 503 "Service Unavailable."; not executed.
    Http503Unavailable,
    /// 503 "Internal error; unable to process your request. Please try again."; not executed.
    Http503Internal,
    /// 503 with -1008, shedding of load; not executed.
    Http503Overload {
        /// Orders that close are exempt, as on the venue.
        spare_closes: bool,
    },
    /// 400 with this code: the exchange looked at the request and said no; not executed.
    Refuse {
        /// The venue's number, below zero.
        code: i64,
        /// The venue's text.
        msg: String,
    },
    /// The server clock is off: `serverTime` and the check of timestamps follow it.
    Skew {
        /// How far ahead of the venue clock; negative: behind. Units: milliseconds.
        skew_ms: i64,
    },
    /// Events come twice.
    Duplicate,
    /// An event comes behind the next one of its socket.
    Reorder {
        /// It comes alone when no other came for so long. Units: milliseconds of venue time.
        wait_ms: i64,
    },
    /// Events come late.
    Late {
        /// How late. Units: milliseconds of venue time.
        delay_ms: i64,
    },
    /// Events never come.
    Lose,
    /// WebSocket connections are cut without a closing handshake; new ones are refused while it lasts.
    Cut,
    /// WebSockets stay open and nothing is sent, pings and pongs included. What was due is lost.
    Silence,
    /// The listenKey expires now.
    ListenKeyExpired,
    /// Somebody switches the position mode elsewhere, where the venue would let them.
    ModeFlipped {
        /// Hedge mode on; `None`: the other mode than now.
        hedge: Option<bool>,
        /// Also with orders and positions, which the venue refuses: the account tells the other mode and refuses orders
        /// with -4061 while the fault lasts.
        force: bool,
    },
    /// An instrument's rules change.
    FilterChanged(FilterChange),
}

/// Whether a delayed request waits, or only its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The request is executed after the delay.
    Before,
    /// The request is executed at once, its answer waits.
    After,
}

/// The limit that a made-up 429 speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderPool {
    /// Request weight: -1003.
    Weight,
    /// Order count: -1015.
    Orders,
}

/// New rules of one instrument; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterChange {
    /// The instrument.
    pub symbol: String,
    /// Price step: a multiple of the present one.
    pub tick: Option<Decimal>,
    /// Quantity step: a multiple of the present one.
    pub step: Option<Decimal>,
    /// Smallest notional of an opening order.
    pub min_notional: Option<Decimal>,
    /// Trading status.
    pub status: Option<SymbolStatus>,
}

/// What a fault befalls. Everything that is named must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching {
    /// HTTP method.
    pub method: Option<String>,
    /// Beginning of the path in whole segments: of REST requests, or of the URL that a WebSocket was opened under
    /// (`/private`).
    pub path: Option<String>,
    /// The request's or event's symbol.
    pub symbol: Option<String>,
    /// Request parameters and their values.
    pub params: BTreeMap<String, String>,
    /// Name of user-data events, such as `ORDER_TRADE_UPDATE`.
    pub event: Option<String>,
    /// A market stream's name or a part of it: event faults befall market streams instead of user data.
    pub stream: Option<String>,
}

/// Whether a path begins with these segments.
pub(crate) fn lies_under(path: &str, beginning: &str) -> bool {
    let rest = path.strip_prefix(beginning.strip_suffix('/').unwrap_or(beginning));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// How a kind of fault spends its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Per request that it befalls.
    Requests,
    /// Per event.
    Events,
    /// It is a state; nothing is counted.
    State,
    /// It happens once.
    Act,
}

impl FaultKind {
    /// Every name, in the order of the documentation.
    pub const NAMES: [&'static str; 20] = [
        "accept_then_drop",
        "drop",
        "delay",
        "http_429",
        "http_418",
        "http_503_unknown",
        "http_503_unavailable",
        "http_503_internal",
        "http_503_overload",
        "refuse",
        "skew",
        "duplicate",
        "reorder",
        "late",
        "lose",
        "cut",
        "silence",
        "listen_key_expired",
        "mode_flipped",
        "filter_changed",
    ];

    /// The name in requests and listings.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AcceptThenDrop => "accept_then_drop",
            Self::Drop => "drop",
            Self::Delay { .. } => "delay",
            Self::Http429 { .. } => "http_429",
            Self::Http418 => "http_418",
            Self::Http503Unknown { .. } => "http_503_unknown",
            Self::Http503Unavailable => "http_503_unavailable",
            Self::Http503Internal => "http_503_internal",
            Self::Http503Overload { .. } => "http_503_overload",
            Self::Refuse { .. } => "refuse",
            Self::Skew { .. } => "skew",
            Self::Duplicate => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::Late { .. } => "late",
            Self::Lose => "lose",
            Self::Cut => "cut",
            Self::Silence => "silence",
            Self::ListenKeyExpired => "listen_key_expired",
            Self::ModeFlipped { .. } => "mode_flipped",
            Self::FilterChanged(_) => "filter_changed",
        }
    }

    pub(crate) const fn scope(&self) -> Scope {
        match self {
            Self::AcceptThenDrop
            | Self::Drop
            | Self::Delay { .. }
            | Self::Http429 { .. }
            | Self::Http418
            | Self::Http503Unknown { .. }
            | Self::Http503Unavailable
            | Self::Http503Internal
            | Self::Http503Overload { .. }
            | Self::Refuse { .. }
            | Self::Skew { .. } => Scope::Requests,
            Self::Duplicate | Self::Reorder { .. } | Self::Late { .. } | Self::Lose => Scope::Events,
            Self::Silence => Scope::State,
            Self::Cut | Self::ListenKeyExpired | Self::ModeFlipped { .. } | Self::FilterChanged(_) => {
                Scope::Act
            }
        }
    }

    /// Whether a fault of this kind can end by itself.
    pub(crate) const fn may_last(&self) -> bool {
        !matches!(self, Self::ListenKeyExpired | Self::ModeFlipped { force: false, .. })
    }

    /// Whether it goes on when nobody says how often: a state that one request ends is of no use.
    const fn goes_on(&self) -> bool {
        matches!(self, Self::Skew { .. } | Self::Silence)
    }
}

impl Fault {
    /// A fault that begins now, befalls everything of its kind, and happens once (a skew or silence: until cleared).
    pub fn new(kind: FaultKind) -> Self {
        let count = if kind.goes_on() { None } else { Some(1) };
        Self { kind, matching: Matching::default(), count, after_ms: 0, for_ms: None }
    }

    /// Reads a fault as `POST /sim/faults` takes it.
    ///
    /// # Errors
    /// [`FaultError::Invalid`]: one line that says what was expected.
    pub fn parse(json: &str) -> Result<Self, FaultError> {
        super::read::fault(json).map_err(FaultError::Invalid)
    }

    /// Only requests of that method whose path begins so.
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.matching.method = Some(method.to_owned());
        self.matching.path = Some(path.to_owned());
        self
    }

    /// Only requests or sockets whose path begins so.
    pub fn under(mut self, path: &str) -> Self {
        self.matching.path = Some(path.to_owned());
        self
    }

    /// Only requests or events of that symbol.
    pub fn symbol(mut self, symbol: &str) -> Self {
        self.matching.symbol = Some(symbol.to_owned());
        self
    }

    /// Only requests with that parameter.
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.matching.params.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Only user-data events of that name.
    pub fn event(mut self, name: &str) -> Self {
        self.matching.event = Some(name.to_owned());
        self
    }

    /// Only events of market streams whose name contains this.
    pub fn stream(mut self, name: &str) -> Self {
        self.matching.stream = Some(name.to_owned());
        self
    }

    /// So many times.
    pub const fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// As often as it fits, until it is cleared or over.
    pub const fn always(mut self) -> Self {
        self.count = None;
        self
    }

    /// Begins after so many milliseconds of venue time.
    pub const fn after_ms(mut self, after_ms: i64) -> Self {
        self.after_ms = after_ms;
        self
    }

    /// Ends so many milliseconds of venue time after its beginning; until then as often as it fits.
    pub const fn for_ms(mut self, for_ms: i64) -> Self {
        self.for_ms = Some(for_ms);
        if matches!(self.kind.scope(), Scope::Requests | Scope::Events)
            && !matches!(self.kind, FaultKind::Http418)
        {
            self.count = None;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_under_whole_segments() {
        for beginning in ["/fapi/v1/order", "/fapi/v1/", "/fapi", "/"] {
            assert!(lies_under("/fapi/v1/order", beginning), "{beginning}");
        }
        assert!(lies_under("/fapi/v1/order/test", "/fapi/v1/order"));
        assert!(!lies_under("/fapi/v1/orderAmendment", "/fapi/v1/order"));
        assert!(!lies_under("/fapi/v1/order", "/fapi/v1/order/test"));
    }
}
