//! Rate limits: request weight per address, orders per account, the pools of funding and of statistics, and bans.
//!
//! Windows are calendar windows of the venue clock. Source: fact sheet 6.1 and 6.2. How much abuse leads to a ban is
//! not published; the rule here: more than [`REFUSALS_BEFORE_BAN`] refused requests in one minute, then 2 minutes,
//! doubling with every further ban up to 3 days.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::error::ApiError;
use super::ws_api::HANDSHAKE_WEIGHT;

pub(crate) const ORDERS_10S: u32 = 300;
pub(crate) const ORDERS_1M: u32 = 1_200;
const FUNDING_5M: u32 = 500;
const DATA_5M: u32 = 1_000;
/// Connections that an address may open in 5 minutes. UNCONFIRMED for this venue. Source: fact sheet 6.1.
const HANDSHAKES_5M: u32 = 300;
/// Sockets cut for too many messages inside 5 minutes that are not yet a ban. "Repeated" is all that is published.
const FLOODS_BEFORE_BAN: u32 = 5;
/// Refused requests inside one minute that are still answered with 429.
pub(crate) const REFUSALS_BEFORE_BAN: u32 = 20;
const FIRST_BAN_MS: i64 = 2 * 60_000;
const LONGEST_BAN_MS: i64 = 3 * 24 * 3_600_000;

/// All counters of the venue.
#[derive(Debug)]
pub(crate) struct Limits {
    weight_1m: u32,
    addresses: BTreeMap<IpAddr, Address>,
    orders_10s: Window,
    orders_1m: Window,
}

#[derive(Debug, Default)]
struct Address {
    weight: Window,
    funding: Window,
    data: Window,
    refused: Window,
    handshakes: Window,
    floods: Window,
    sockets_banned_until_ms: i64,
    banned_until_ms: i64,
    bans: u32,
    refused_while_banned: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Window {
    index: i64,
    count: u32,
}

impl Window {
    fn add(&mut self, index: i64, n: u32) -> u32 {
        if self.index != index {
            *self = Self { index, count: 0 };
        }
        self.count = self.count.saturating_add(n);
        self.count
    }

    const fn used(&self, index: i64) -> u32 {
        if self.index == index { self.count } else { 0 }
    }
}

impl Limits {
    pub(crate) fn new(weight_1m: u32) -> Self {
        Self {
            weight_1m,
            addresses: BTreeMap::new(),
            orders_10s: Window::default(),
            orders_1m: Window::default(),
        }
    }

    /// The address's ban, if one runs.
    pub(crate) fn ban(&self, ip: IpAddr, now_ms: i64) -> Option<ApiError> {
        let until_ms = self.addresses.get(&ip)?.banned_until_ms;
        (until_ms > now_ms).then(|| banned(ip, until_ms, now_ms))
    }

    /// Counts a request of an address that is banned: the venue lengthens the bans of those who go on.
    pub(crate) fn refused_by_ban(&mut self, ip: IpAddr, now_ms: i64) -> Option<ApiError> {
        let ban = self.ban(ip, now_ms)?;
        self.addresses.entry(ip).or_default().refused_while_banned += 1;
        Some(ban)
    }

    /// How many requests came while their address was banned, all together.
    pub(crate) fn refused_while_banned(&self) -> u64 {
        self.addresses.values().map(|address| address.refused_while_banned).sum()
    }

    /// Bans an address, or lengthens its ban; the refusal it gets.
    pub(crate) fn impose_ban(&mut self, ip: IpAddr, now_ms: i64, for_ms: i64) -> ApiError {
        let address = self.addresses.entry(ip).or_default();
        address.banned_until_ms = address.banned_until_ms.max(now_ms.saturating_add(for_ms));
        banned(ip, address.banned_until_ms, now_ms)
    }

    /// Ends the address's ban.
    pub(crate) fn lift_ban(&mut self, ip: IpAddr) {
        if let Some(address) = self.addresses.get_mut(&ip) {
            address.banned_until_ms = 0;
        }
    }

    /// Counts the weight of a request that arrived; returns the weight used in this minute.
    pub(crate) fn charge(&mut self, ip: IpAddr, now_ms: i64, weight: u32) -> u32 {
        self.addresses.entry(ip).or_default().weight.add(now_ms.div_euclid(60_000), weight)
    }

    /// Refuses a request whose weight broke the limit.
    pub(crate) fn check_weight(&mut self, ip: IpAddr, now_ms: i64, used: u32) -> Result<(), ApiError> {
        if used <= self.weight_1m {
            return Ok(());
        }
        let limit = self.weight_1m;
        Err(self.refuse(ip, now_ms, 60_000, || {
            ApiError::new(
                429,
                -1003,
                format!(
                    "Too many requests; current limit of IP({ip}) is {limit} requests per minute. \
                     Please use the websocket for live updates to avoid polling the API."
                ),
            )
        }))
    }

    /// Counts one call of the funding pool (500 per 5 minutes and address).
    pub(crate) fn funding(&mut self, ip: IpAddr, now_ms: i64) -> Result<(), ApiError> {
        let used = self.addresses.entry(ip).or_default().funding.add(now_ms.div_euclid(300_000), 1);
        if used <= FUNDING_5M {
            return Ok(());
        }
        Err(self.refuse(ip, now_ms, 300_000, || {
            ApiError::new(
                429,
                -1003,
                format!(
                    "Too many requests; current limit of IP({ip}) is {FUNDING_5M} requests per 5 minutes."
                ),
            )
        }))
    }

    /// Counts one call of the pool of `/futures/data` (1000 per 5 minutes and address).
    pub(crate) fn data(&mut self, ip: IpAddr, now_ms: i64) -> Result<(), ApiError> {
        let used = self.addresses.entry(ip).or_default().data.add(now_ms.div_euclid(300_000), 1);
        if used <= DATA_5M {
            return Ok(());
        }
        Err(self.refuse(ip, now_ms, 300_000, || {
            let text =
                format!("Too many requests; current limit of IP({ip}) is {DATA_5M} requests per 5 minutes.");
            ApiError::new(429, -1003, text)
        }))
    }

    /// Counts one WebSocket handshake; what it is refused with.
    pub(crate) fn handshake(&mut self, ip: IpAddr, now_ms: i64) -> Result<(), ApiError> {
        let address = self.addresses.entry(ip).or_default();
        if address.sockets_banned_until_ms > now_ms {
            return Err(banned(ip, address.sockets_banned_until_ms, now_ms));
        }
        if address.handshakes.add(now_ms.div_euclid(300_000), 1) <= HANDSHAKES_5M {
            return Ok(());
        }
        let text =
            format!("Too many connections; current limit of IP({ip}) is {HANDSHAKES_5M} per 5 minutes.");
        let mut refusal = ApiError::new(429, -1003, text);
        refusal.retry_after_s = Some(seconds_up(300_000 - now_ms.rem_euclid(300_000)));
        Err(refusal)
    }

    /// Counts one socket that was cut for too many messages; repeated, the address opens no sockets for a while.
    pub(crate) fn flooded(&mut self, ip: IpAddr, now_ms: i64) {
        let address = self.addresses.entry(ip).or_default();
        if address.floods.add(now_ms.div_euclid(300_000), 1) > FLOODS_BEFORE_BAN {
            address.sockets_banned_until_ms = now_ms + FIRST_BAN_MS;
        }
    }

    /// Counts one order; returns the counts of the 10-second and of the 1-minute window.
    pub(crate) fn order(&mut self, now_ms: i64) -> (u32, u32) {
        (self.orders_10s.add(now_ms.div_euclid(10_000), 1), self.orders_1m.add(now_ms.div_euclid(60_000), 1))
    }

    /// Counts one batch: five orders in the 10-second window, one in the 1-minute window. Source: fact sheet 4.4.
    pub(crate) fn batch(&mut self, now_ms: i64) -> (u32, u32) {
        (self.orders_10s.add(now_ms.div_euclid(10_000), 5), self.orders_1m.add(now_ms.div_euclid(60_000), 1))
    }

    /// Refuses an order whose count broke one of the limits.
    pub(crate) fn check_orders(
        &mut self,
        ip: IpAddr,
        now_ms: i64,
        counts: (u32, u32),
    ) -> Result<(), ApiError> {
        let (limit, unit, span_ms) = match counts {
            (in_10s, _) if in_10s > ORDERS_10S => (ORDERS_10S, "10 SECOND", 10_000),
            (_, in_1m) if in_1m > ORDERS_1M => (ORDERS_1M, "1 MINUTE", 60_000),
            _ => return Ok(()),
        };
        Err(self.refuse(ip, now_ms, span_ms, || {
            ApiError::new(
                429,
                -1015,
                format!("Too many new orders; current limit is {limit} orders per {unit}."),
            )
        }))
    }

    /// What is used of every limit now.
    pub(crate) fn used(&self, now_ms: i64) -> Value {
        let share = |window: &Window, span_ms: i64, limit: u32| json!({"used": window.used(now_ms.div_euclid(span_ms)), "limit": limit});
        let address = |(ip, address): (&IpAddr, &Address)| {
            json!({
                "address": ip.to_string(),
                "weight_1m": share(&address.weight, 60_000, self.weight_1m),
                "funding_5m": share(&address.funding, 300_000, FUNDING_5M),
                "data_5m": share(&address.data, 300_000, DATA_5M),
                "handshakes_5m": share(&address.handshakes, 300_000, HANDSHAKES_5M),
                "refused_1m": share(&address.refused, 60_000, REFUSALS_BEFORE_BAN),
                "banned_until_ms": Some(address.banned_until_ms).filter(|until_ms| *until_ms > now_ms),
                "refused_while_banned": address.refused_while_banned,
                "sockets_banned_until_ms": Some(address.sockets_banned_until_ms).filter(|until_ms| *until_ms > now_ms),
            })
        };
        json!({
            "addresses": self.addresses.iter().map(address).collect::<Vec<_>>(),
            "orders_10s": share(&self.orders_10s, 10_000, ORDERS_10S),
            "orders_1m": share(&self.orders_1m, 60_000, ORDERS_1M),
        })
    }

    /// Counts the weight of a WS-API handshake; what it is refused with.
    pub(crate) fn api_handshake(&mut self, ip: IpAddr, now_ms: i64) -> Result<(), ApiError> {
        if let Some(ban) = self.ban(ip, now_ms) {
            return Err(ban);
        }
        let used = self.charge(ip, now_ms, HANDSHAKE_WEIGHT);
        self.check_weight(ip, now_ms, used)
    }

    fn refuse(
        &mut self,
        ip: IpAddr,
        now_ms: i64,
        span_ms: i64,
        error: impl FnOnce() -> ApiError,
    ) -> ApiError {
        let address = self.addresses.entry(ip).or_default();
        if address.refused.add(now_ms.div_euclid(60_000), 1) > REFUSALS_BEFORE_BAN {
            let length_ms = FIRST_BAN_MS.saturating_mul(1 << address.bans.min(20)).min(LONGEST_BAN_MS);
            address.bans += 1;
            address.banned_until_ms = now_ms + length_ms;
            return banned(ip, address.banned_until_ms, now_ms);
        }
        let mut refusal = error();
        refusal.retry_after_s = Some(seconds_up(span_ms - now_ms.rem_euclid(span_ms)));
        refusal
    }
}

fn banned(ip: IpAddr, until_ms: i64, now_ms: i64) -> ApiError {
    let msg = format!(
        "Way too many requests; IP({ip}) banned until {until_ms}. Please use the websocket for live updates to avoid bans."
    );
    ApiError { status: 418, code: -1003, msg, retry_after_s: Some(seconds_up(until_ms - now_ms)) }
}

fn seconds_up(ms: i64) -> u64 {
    ms.max(1).unsigned_abs().div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_window_is_the_calendar_minute() {
        let mut limits = Limits::new(10);
        assert_eq!(limits.charge(IP, 59_999, 8), 8);
        assert_eq!(limits.charge(IP, 60_000, 1), 1);
    }

    #[test]
    fn breaking_the_weight_is_429_until_the_minute_ends_and_persisting_is_418() {
        let mut limits = Limits::new(10);
        let first = limits.check_weight(IP, 30_500, 11).unwrap_err();
        assert_eq!((first.status, first.code, first.retry_after_s), (429, -1003, Some(30)));
        let mut last = first;
        for _ in 0..REFUSALS_BEFORE_BAN {
            last = limits.check_weight(IP, 30_500, 11).unwrap_err();
        }
        assert_eq!((last.status, last.retry_after_s), (418, Some(120)));
        assert!(last.msg.contains("banned until 150500"));
        assert!(limits.ban(IP, 150_499).is_some());
        assert!(limits.ban(IP, 150_500).is_none());
    }

    #[test]
    fn orders_have_their_own_windows() {
        let mut limits = Limits::new(10);
        let mut counts = (0, 0);
        for _ in 0..301 {
            counts = limits.order(1_000);
        }
        assert_eq!(counts, (301, 301));
        let error = limits.check_orders(IP, 1_000, counts).unwrap_err();
        assert_eq!((error.status, error.code, error.retry_after_s), (429, -1015, Some(9)));
        assert_eq!(limits.order(10_000), (1, 302));
    }
}
