//! What the account would lose with its prices, kept instead of added up over all legs for every opening.
//!
//! Whatever moves a leg, its mark or its openings marks the instrument; before the rules are asked, the parts of marked
//! instruments are worked out again and exchanged in the sums. The sums are what adding up would give, to the last digit.

use rust_decimal::Decimal;

use super::leg::LegState;
use super::state::Book;
use super::total::Total;
use crate::{
    id::InstrumentIx,
    money::{difference, greatest, product, sum},
    order::{Entry, Leg},
    position::{PositionKey, PositionSide},
};

/// What prices move, over all instruments. Units: quote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtRisk {
    /// By how much more LONG or SHORT each instrument can get, added up: legs of one instrument offset each other. Openings
    /// whose outcome is open count where they hurt and not where they help.
    pub net: Decimal,
    /// Notional of all legs and of all openings that may still fill.
    pub gross: Decimal,
}

impl AtRisk {
    fn and(&self, other: &Self) -> Self {
        Self { net: sum(&self.net, &other.net), gross: sum(&self.gross, &other.gross) }
    }
}

/// Both legs of an instrument, LONG first.
#[derive(Clone, Copy, Debug, Default)]
struct Sides {
    held: [Decimal; 2],
    with_pending: [Decimal; 2],
    /// How many of them are open, or may still become so.
    occupied: usize,
}

impl Sides {
    fn at_risk(&self) -> AtRisk {
        let ([long, short], [long_held, short_held]) = (&self.with_pending, &self.held);
        AtRisk {
            net: greatest(difference(long, short_held), difference(short, long_held)),
            gross: sum(long, short),
        }
    }
}

/// An instrument's part of the sums.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    sides: Sides,
    at_risk: AtRisk,
    has_moved: bool,
}

#[derive(Clone, Debug)]
struct Sums {
    net: Total,
    gross: Total,
    occupied: usize,
}

/// Kept sums. Not part of a book's state: they follow from it.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptAtRisk {
    /// By instrument, as they are in the sums.
    parts: Vec<Part>,
    /// Instruments whose part must be worked out again.
    moved: Vec<usize>,
    /// `None` until they were asked for, and where they cannot be kept.
    sums: Option<Sums>,
}

impl KeptAtRisk {
    /// Something of an instrument has moved.
    #[inline]
    pub(super) fn moved(&mut self, instrument: usize) {
        if let Some(part) = self.parts.get_mut(instrument)
            && !part.has_moved
        {
            part.has_moved = true;
            self.moved.push(instrument);
        }
    }
    /// The sums, while nothing has moved.
    #[inline]
    fn current(&self) -> Option<&Sums> {
        self.sums.as_ref().filter(|_| self.moved.is_empty())
    }
    /// The sums and an instrument's part of them, while nothing has moved.
    #[inline]
    fn part(&self, instrument: usize) -> Option<(&Sums, &Part)> {
        self.current().zip(self.parts.get(instrument))
    }
    /// `None` where a sum does not fit.
    fn exchange(&mut self, instrument: usize, part: Part) -> Option<()> {
        let (sums, known) = (self.sums.as_mut()?, self.parts.get_mut(instrument)?);
        let (old, new) = (&known.at_risk, &part.at_risk);
        sums.net.take_out(&old.net)?;
        sums.net.put_in(&new.net)?;
        sums.gross.take_out(&old.gross)?;
        sums.gross.put_in(&new.gross)?;
        sums.occupied = sums.occupied - known.sides.occupied + part.sides.occupied;
        *known = part;
        Some(())
    }
}

impl Book {
    /// Works out again what has moved, so that the rules find sums. Before they are asked.
    pub(crate) fn keep_at_risk(&mut self) {
        // What somebody else's orders may open is not followed.
        if !self.adopted.is_empty() {
            self.kept.at_risk = KeptAtRisk::default();
            return;
        }
        if self.kept.at_risk.sums.is_none() {
            let instruments = self.specs.len();
            self.kept.at_risk = KeptAtRisk {
                parts: vec![Part { has_moved: true, ..Part::default() }; instruments],
                moved: (0..instruments).collect(),
                sums: Some(Sums { net: Total::default(), gross: Total::default(), occupied: 0 }),
            };
        }
        while let Some(instrument) = self.kept.at_risk.moved.pop() {
            let part = self.part_of(instrument);
            if part.and_then(|part| self.kept.at_risk.exchange(instrument, part)).is_none() {
                self.kept.at_risk = KeptAtRisk::default();
                return;
            }
        }
    }

    /// `None` where a part moves with more than what is followed: an opening at the market has no price of its own.
    fn part_of(&self, instrument: usize) -> Option<Part> {
        let legs = self.legs.get(instrument * 2..instrument * 2 + 2).unwrap_or_default();
        if legs.iter().all(|leg| leg.live.is_empty() && !leg.is_open()) {
            return Some(Part::default());
        }
        let at_market =
            |leg: &LegState| self.live_in(leg).any(|order| matches!(order.leg, Leg::Open(Entry::Market)));
        if legs.iter().any(at_market) {
            return None;
        }
        let sides = self.sides_of(instrument);
        Some(Part { at_risk: sides.at_risk(), sides, has_moved: false })
    }

    fn sides_of(&self, instrument: usize) -> Sides {
        let mut sides = Sides::default();
        for (i, slot) in [instrument * 2, instrument * 2 + 1].into_iter().enumerate() {
            if let Some(leg) = self.legs.get(slot).filter(|leg| self.is_exposed(leg)) {
                sides.held[i] = self.held_of(slot, leg);
                sides.with_pending[i] = self.exposure_of(slot, leg);
                sides.occupied += 1;
            }
        }
        sides
    }

    /// Whether a leg is open or has an opening that may still fill.
    pub(super) fn is_exposed(&self, leg: &LegState) -> bool {
        leg.is_open() || self.has_opening(leg)
    }

    /// What a leg is worth at its mark; what it cost where no mark is known.
    pub(super) fn held_of(&self, slot: usize, leg: &LegState) -> Decimal {
        self.marks
            .get(slot / 2)
            .copied()
            .flatten()
            .map_or(leg.cost, |(mark, _)| product(&leg.qty, &mark.get()))
    }

    /// Of every instrument but one.
    fn added_up(&self, but: Option<usize>) -> (AtRisk, usize) {
        let mut last = None;
        let mut all = (AtRisk::default(), 0);
        // Both legs of an instrument follow each other.
        for instrument in self.slots_in_use().map(|slot| slot / 2) {
            if last != Some(instrument) && but != Some(instrument) {
                let sides = self.sides_of(instrument);
                all = (all.0.and(&sides.at_risk()), all.1 + sides.occupied);
            }
            last = Some(instrument);
        }
        all
    }

    /// [`exposure`](Self::exposure) of both legs of an instrument.
    pub fn exposure_on(&self, ix: InstrumentIx) -> Decimal {
        let base = usize::from(ix.0) * 2;
        match self.legs_of(ix) {
            [long, short] => sum(&self.exposure_of(base, long), &self.exposure_of(base + 1, short)),
            _ => Decimal::ZERO,
        }
    }

    /// Notional of all legs and of all openings that may still fill.
    pub fn total_exposure(&self) -> Decimal {
        let fresh = || self.added_up(None).0.gross;
        let kept = self.kept.at_risk.current().and_then(|sums| sums.gross.get());
        debug_assert!(kept.is_none_or(|kept| kept.serialize() == fresh().serialize()), "to the digit");
        kept.unwrap_or_else(fresh)
    }

    /// Legs that are open or have an opening that may still fill.
    pub fn occupied_legs(&self) -> usize {
        let fresh = || self.added_up(None).1;
        let kept = self.kept.at_risk.current().map(|sums| sums.occupied);
        debug_assert!(kept.is_none_or(|kept| kept == fresh()));
        kept.unwrap_or_else(fresh)
    }

    /// What would be at risk with an opening of `notional` on a leg, as if it were filled already.
    pub fn at_risk_with(&self, leg: &PositionKey, notional: &Decimal) -> AtRisk {
        let instrument = self.ix(&leg.instrument).map(|ix| usize::from(ix.0));
        let kept = instrument.and_then(|instrument| self.kept.at_risk.part(instrument));
        let mut own = match (kept, instrument) {
            (Some((_, part)), _) => part.sides,
            (None, Some(instrument)) => self.sides_of(instrument),
            (None, None) => Sides::default(),
        };
        let side = usize::from(leg.side == PositionSide::Short);
        own.with_pending[side] = sum(&own.with_pending[side], notional);
        own.held[side] = sum(&own.held[side], notional);
        let own = own.at_risk();
        let fresh = || self.added_up(instrument).0.and(&own);
        let kept = kept.and_then(|(sums, Part { at_risk, .. })| {
            let net = sums.net.exchanged(&at_risk.net, &own.net)?;
            Some(AtRisk { net, gross: sums.gross.exchanged(&at_risk.gross, &own.gross)? })
        });
        debug_assert!(kept.is_none_or(|kept| {
            let fresh = fresh();
            kept == fresh && kept.gross.scale() == fresh.gross.scale()
        }));
        kept.unwrap_or_else(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn legs_of_one_instrument_offset_each_other_and_openings_count_where_they_hurt() {
        let sides = Sides {
            held: [number("300"), number("100")],
            // 50 more may become SHORT: that would help, so it does not count in the net.
            with_pending: [number("300"), number("150")],
            occupied: 2,
        };
        assert_eq!(sides.at_risk(), AtRisk { net: number("200"), gross: number("450") });
        let sides = Sides { with_pending: [number("300"), number("700")], ..sides };
        assert_eq!(sides.at_risk().net, number("400"));
    }

    #[test]
    fn parts_come_and_go_and_leave_no_places_behind() {
        let mut kept = KeptAtRisk {
            parts: vec![Part::default(); 2],
            moved: Vec::new(),
            sums: Some(Sums { net: Total::default(), gross: Total::default(), occupied: 0 }),
        };
        let part = |net, gross, occupied| Part {
            at_risk: AtRisk { net: number(net), gross: number(gross) },
            sides: Sides { occupied, ..Sides::default() },
            has_moved: false,
        };
        kept.exchange(0, part("1.50", "2.500", 1)).unwrap();
        kept.exchange(1, part("4", "4", 2)).unwrap();
        let sums = kept.current().unwrap();
        assert_eq!((sums.net.get().unwrap().to_string(), sums.occupied), ("5.50".to_owned(), 3));
        kept.exchange(0, Part::default()).unwrap();
        let sums = kept.current().unwrap();
        assert_eq!((sums.gross.get().unwrap().to_string(), sums.occupied), ("4".to_owned(), 2));
        kept.moved(1);
        assert!(kept.current().is_none());
    }
}
