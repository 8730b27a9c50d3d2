//! What is open at the venue: whose it is, and whether a stop stands behind it.

use hedge_binance::wire::text::LegWord;
use hedge_core::{
    Action, Book, ClientOrderId, Coverage, InstrumentId, InstrumentSpec, OrderReport, OrderSpace,
    PositionKey, PositionSide, PreflightCheck, ReportedId, ReportedKind, Symbol, Venue,
};
use rust_decimal::Decimal;

use super::{
    check::{Findings, failed, ok, warning},
    venue::{Answer, Held, Seen},
};
use crate::config::{Config, Mode, Strangers};

/// Openings are refused with fewer free places: closing and protecting may need them.
const RESERVED_CONDITIONAL_ORDERS: usize = 10;
/// How many rows are named before the rest is counted.
const NAMED: usize = 12;

impl Held {
    /// The leg; `None` for a one-way position.
    fn side(&self) -> Option<PositionSide> {
        match self.leg {
            LegWord::Long => Some(PositionSide::Long),
            LegWord::Short => Some(PositionSide::Short),
            _ => None,
        }
    }
    pub(super) fn is_leg(&self) -> bool {
        self.side().is_some()
    }
    fn key(&self) -> Option<PositionKey> {
        let instrument = InstrumentId::new(Venue::Binance, Symbol::parse(&self.symbol).ok()?);
        Some(PositionKey::new(instrument, self.side()?))
    }
    fn words(&self) -> String {
        format!("{} {} {}", self.symbol, self.leg.as_str(), self.qty)
    }
}

/// What is known besides the venue's own word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ours<'a> {
    pub(super) book: Option<&'a Book>,
    pub(super) config: &'a Config,
    pub(super) symbols: &'a [Symbol],
    pub(super) mode: &'a Mode,
}

impl Ours<'_> {
    fn has(&self, key: &PositionKey) -> bool {
        self.book.and_then(|book| book.leg(key)).is_some_and(|leg| leg.is_open())
    }
    /// An opening of that leg whose end the journal does not have: the process was killed before it could write that down.
    /// What is open may be its. A dry run's orders are at no venue.
    fn opening(&self, key: &PositionKey) -> Option<ClientOrderId> {
        let mut live = self.book.filter(|_| !self.mode.is_dry())?.live_orders_of(key);
        live.find(|order| order.leg.action() == Action::Open).map(|order| order.client_id)
    }
    fn may_have(&self, key: &PositionKey) -> bool {
        self.has(key) || self.opening(key).is_some()
    }
    fn is_traded(&self, key: &PositionKey) -> bool {
        self.symbols.contains(&key.instrument.symbol)
    }
    /// Whether nothing has been taken over from the venue yet.
    fn is_first_start(&self) -> bool {
        !self.book.is_some_and(Book::is_started)
    }
    fn takes_over(&self) -> bool {
        let runtime = &self.config.runtime;
        runtime.foreign.positions == Strangers::Adopt && runtime.engine.adopt_stop_bps > 0
    }
    /// Whether the executor puts a stop behind a leg that has none. At its first start it does so for every symbol that the
    /// venue lists, later for those that it trades or has traded.
    fn protects(&self, key: &PositionKey, listed: &Answer<Vec<InstrumentSpec>>) -> bool {
        let is_known =
            self.is_traded(key) || self.book.is_some_and(|book| book.ix(&key.instrument).is_some());
        let is_listed = || listed.iter().flatten().any(|spec| spec.id == key.instrument);
        self.may_have(key) || (self.takes_over() && (is_known || (self.is_first_start() && is_listed())))
    }
}

/// Open positions that the journal does not know are named.
pub(super) fn positions(seen: &Seen, ours: Ours<'_>) -> PreflightCheck {
    let mut findings = Findings::new("positions", "only legs that this journal knows");
    let held = match &seen.held {
        Ok(held) => held,
        Err(error) => {
            findings.fail(error.as_str(), "look again");
            return findings.check("");
        }
    };
    for row in held {
        let words = row.words();
        let Some(key) = row.key() else {
            findings.fail(
                format!("{words} is a one-way position, or has a symbol that cannot be understood"),
                "close it at the venue",
            );
            continue;
        };
        let booked = ours.book.and_then(|book| book.leg(&key)).map_or(Decimal::ZERO, |leg| leg.qty);
        if booked == row.qty {
            continue;
        }
        if booked > Decimal::ZERO {
            findings.warn(
                format!("{words}, while the journal has {}", booked.normalize()),
                "nothing: the executor reads the missing fills and takes the venue's word",
            );
        } else if let Some(order) = ours.opening(&key) {
            findings.warn(
                format!("{words} may be ours: the journal has sent {order} to open it, and does not have the end of it"),
                "nothing: the executor asks the venue about that order at its start, reads its fills and places the stop",
            );
        } else if ours.protects(&key, &seen.listed) && !ours.mode.is_dry() {
            findings.warn(
                format!("{words} is somebody else's; it is taken over with a stop"),
                "nothing, or set foreign.positions = \"leave\" in runtime.toml",
            );
        } else {
            findings.warn(
                format!("{words} is somebody else's; it is left alone"),
                "nothing if somebody watches it; it shares the margin of this account",
            );
        }
    }
    findings.check(match held.len() {
        0 => "none open".to_owned(),
        n => format!("{n} open, all known"),
    })
}

/// Every open leg stands behind a stop over all of it, or gets one at the start. A bare one of somebody else keeps a first
/// start back; later a person is told, because the executor must come back to its own legs.
pub(super) fn stops(seen: &Seen, ours: Ours<'_>) -> PreflightCheck {
    let mut findings = Findings::new("stops", "a stop over the whole of every open leg");
    let (Ok(held), Ok(orders)) = (&seen.held, &seen.orders) else {
        findings.fail("positions or orders are not known", "look again");
        return findings.check("");
    };
    for (row, key) in held.iter().filter_map(|row| Some((row, row.key()?))) {
        let words = row.words();
        if is_covered(&key, row.qty, orders, ours.may_have(&key)) {
            continue;
        }
        if ours.mode.is_dry() {
            findings.warn(
                format!("{words} has none, and a dry run places none"),
                "place a stop at the venue, or close it: nobody protects it",
            );
        } else if ours.protects(&key, &seen.listed) {
            findings.warn(
                format!("{words} has none; the executor places one at its start"),
                "nothing if the executor is about to start; else place a stop at the venue now",
            );
        } else {
            let found = format!("{words} has none, and by configuration nobody places one");
            let remedy = "place a stop over the whole leg at the venue, close it, or set foreign.positions = \"adopt\"";
            if ours.is_first_start() { findings.fail(found, remedy) } else { findings.warn(found, remedy) }
        }
    }
    findings.check(match held.len() {
        0 => "nothing is open".to_owned(),
        n => format!("{n} legs covered"),
    })
}

/// A live stop at the market over the whole leg. For our own legs also stops that are together as large: one bridges the
/// moment in which another is replaced.
fn is_covered(key: &PositionKey, qty: Decimal, orders: &[OrderReport], is_ours: bool) -> bool {
    let mut covered = Decimal::ZERO;
    for order in orders {
        let is_stop = order.instrument == key.instrument
            && order.side.leg() == Some(key.side)
            && order.is_close() == Some(true)
            && order.kind == ReportedKind::StopMarket
            && !order.state.is_terminal();
        if is_stop && order.covers == Coverage::WholeLeg {
            return true;
        }
        if is_stop {
            covered += order.qty.map_or(Decimal::ZERO, |ordered| ordered.get() - order.filled);
        }
    }
    is_ours && covered >= qty
}

/// Open orders that are not this journal's are named.
pub(super) fn orders(orders: &Answer<Vec<OrderReport>>, ours: Ours<'_>) -> PreflightCheck {
    let (name, expected) = ("orders", "only orders of this journal");
    let orders = match orders {
        Ok(orders) => orders,
        Err(error) => return failed(name, expected, error, "look again"),
    };
    let foreign: Vec<&OrderReport> = orders.iter().filter(|order| !is_ours(order, ours.book)).collect();
    if foreign.is_empty() {
        return ok(name, expected, format!("{} open, all known", orders.len()));
    }
    let mut named: Vec<String> = foreign.iter().take(NAMED).map(|order| order_words(order)).collect();
    if foreign.len() > NAMED {
        named.push(format!("and {} more", foreign.len() - NAMED));
    }
    let fate = match (ours.mode.is_dry(), ours.config.runtime.foreign.orders) {
        (false, Strangers::Adopt) => "those that close a leg count among its exits",
        _ => "they are left alone",
    };
    warning(
        name,
        expected,
        format!("{} of somebody else, {fate}: {}", foreign.len(), named.join(", ")),
        "cancel them at the venue unless somebody wants them: an opening among them may still fill",
    )
}

fn is_ours(order: &OrderReport, book: Option<&Book>) -> bool {
    let known = |id| book.is_some_and(|book| book.order(id).is_some());
    matches!(&order.client_id, ReportedId::Ours(id) if known(id))
}

fn order_words(order: &OrderReport) -> String {
    let what = match order.is_close() {
        Some(true) => "closes",
        Some(false) => "opens",
        None => "one-way, on",
    };
    let whose = if order.client_id.ours().is_some() { " (ours, of another state directory)" } else { "" };
    let leg = order.side.leg().map_or("", PositionSide::as_str);
    format!("{} {what} {} {leg}{whose}", order.client_id.as_str(), order.instrument.symbol)
}

/// Free places for conditional orders. Source: fact sheet 4.2, 200 per account.
pub(super) fn slots(seen: &Seen, most: u32) -> PreflightCheck {
    let (name, expected) =
        ("conditional orders", format!("{RESERVED_CONDITIONAL_ORDERS} of {most} places free"));
    let Ok(orders) = &seen.orders else {
        return failed(name, expected, "open orders are not known", "look again");
    };
    let used = orders.iter().filter(|order| order.order.space() == OrderSpace::Algo).count();
    let free = (most as usize).saturating_sub(used);
    let found = format!("{free} free");
    let remedy = "cancel conditional orders that nobody needs: with fewer places free nothing is opened";
    if free >= RESERVED_CONDITIONAL_ORDERS {
        ok(name, expected, found)
    } else if free > 0 {
        warning(name, expected, found, remedy)
    } else {
        failed(name, expected, "none: no stop can be placed", remedy)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use hedge_core::{
        Asset, CheckResult, Decision, Entry, Envelope, Event, Fact, InstrumentIx, InstrumentStatus, Leg,
        LotRule, Notional, OrderPurpose, PositionMode, Price, Qty, Seq, Tif, Timestamp,
    };

    use super::{super::venue::NoAnswer, *};
    use crate::{config::resolve, env::Env};

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn spec(id: InstrumentId) -> InstrumentSpec {
        let lot = LotRule { min: dec("0.001"), max: dec("1000"), step: dec("0.001") };
        InstrumentSpec {
            id,
            status: InstrumentStatus::Trading,
            base: Asset::parse("BTC").unwrap(),
            quote: Asset::usdt(),
            settle: Asset::usdt(),
            tick: dec("0.1"),
            min_price: None,
            max_price: None,
            lot,
            market_lot: lot,
            min_notional: Notional::new(dec("50")).unwrap(),
            contract_size: Decimal::ONE,
            price_band_up: None,
            price_band_down: None,
            mode: PositionMode::Hedge,
            delivery: None,
        }
    }

    /// The journal of a process that was killed between the fill of its opening and the record of it.
    fn killed_after_the_fill(key: PositionKey) -> Book {
        let approved = Decision::OrderApproved {
            client_id: ClientOrderId::parse("h0touf1y001zte").unwrap(),
            strategy: None,
            position: key,
            leg: Leg::Open(Entry::Limit { price: Price::new(dec("60000")).unwrap(), tif: Tif::Ioc }),
            qty: Qty::new(dec("0.004")).unwrap(),
            purpose: OrderPurpose::Entry,
            protection: None,
        };
        let instrument = Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(spec(key.instrument)) };
        let mut book = Book::default();
        for (seq, event) in [Event::Fact(instrument), Event::Decision(approved)].into_iter().enumerate() {
            let at = Timestamp::from_ms(1_795_168_800_000);
            book.apply(&Envelope { seq: Seq(seq as u64), at, cause: None, event }, &mut Vec::new());
        }
        book
    }

    #[test]
    fn a_leg_of_an_opening_in_doubt_is_not_called_somebody_elses_and_nobody_is_told_to_leave_it() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
        let env = Env::from_pairs([("HEDGE__FOREIGN__POSITIONS", "leave")]);
        let config = Config::load(Some(&shipped), &env).unwrap();
        let symbols = [Symbol::parse("BTCUSDT").unwrap()];
        let key = PositionKey::new(InstrumentId::new(Venue::Binance, symbols[0]), PositionSide::Long);
        let book = killed_after_the_fill(key);
        let none = || NoAnswer::refused("not asked");
        let held = |leg| Held { symbol: "BTCUSDT".to_owned(), leg, qty: dec("0.004"), mark: None };
        let seen = |leg| Seen {
            clock: Err(none()),
            config: Err(none()),
            account: Err(none()),
            settings: Err(none()),
            listed: Ok(vec![spec(key.instrument)]),
            held: Ok(vec![held(leg)]),
            orders: Ok(Vec::new()),
            marks: BTreeMap::new(),
            no_mark: None,
        };
        let mode = |profile| resolve(Some(profile), &env, &config).unwrap();
        let (wet, dry) = (mode("mainnet"), mode("mainnet-dry"));
        let ours = |mode| Ours { book: Some(&book), config: &config, symbols: &symbols, mode };

        let check = positions(&seen(LegWord::Long), ours(&wet));
        assert_eq!(check.result, CheckResult::Warning);
        assert!(
            check.found.contains("BTCUSDT LONG 0.004 may be ours") && check.found.contains("h0touf1y001zte")
        );
        assert!(check.remedy.starts_with("nothing: ") && !check.remedy.contains("leave"), "{check:?}");
        let check = stops(&seen(LegWord::Long), ours(&wet));
        assert!(check.found.contains("the executor places one at its start"), "{check:?}");

        // The other leg of that symbol is none of it, and a dry run's orders are at no venue.
        for (leg, mode) in [(LegWord::Short, &wet), (LegWord::Long, &dry)] {
            let check = positions(&seen(leg), ours(mode));
            assert!(check.found.ends_with("is somebody else's; it is left alone"), "{check:?}");
        }
    }
}
