//! What the account is worth, kept instead of added up for every question.
//!
//! Equity is asked for after every price and every record, and moves far less often. The book keeps the unrealised profit of
//! each leg and their sum; whatever moves a leg, its mark or a wallet takes the sum away, and the end of the record
//! makes it again from the legs' kept figures. The kept figures are those that adding up would give, to the last digit.

use rust_decimal::Decimal;

use super::at_risk::KeptAtRisk;
use super::leg::LegState;
use super::state::Book;
use super::total::Total;
use crate::{
    digits::{POWERS, digits, of_digits},
    id::{Asset, InstrumentIx},
    money::{Price, sum},
    order::Protection,
    position::PositionSide,
};

/// Kept figures. Not part of a book's state: they follow from it.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Unrealised profit by place of the leg; `None` where it must be worked out, has no mark or is flat.
    legs: Vec<Option<Decimal>>,
    /// Places of legs whose figure must be worked out.
    stale: Vec<usize>,
    /// All kept figures together; `None` while at most one leg is open, and where the sum does not fit.
    total: Option<Total>,
    sums: Option<Sums>,
    usdt: Option<Decimal>,
    /// Places of legs that are open or have live orders, ascending; `None` until they were looked for.
    in_use: Option<Vec<usize>>,
    /// What is at risk over all legs.
    pub(super) at_risk: KeptAtRisk,
    /// Places of open legs that should have a stop and have none, in no order; `None` until they were looked for.
    bare: Option<Vec<usize>>,
    /// How many legs of each instrument are open; empty until they were counted.
    open_sides: Vec<u8>,
    /// The instrument that a price came of last.
    pub(super) latest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Sums {
    unrealized: Decimal,
    equity: Decimal,
}

/// What a leg is worth at a mark, and the account with it, in whole numbers. `None` where they do not fit, and where nothing
/// is left: it is written in several ways.
#[inline]
fn marked(
    qty: &Decimal,
    mark: &Decimal,
    cost: &Decimal,
    side: PositionSide,
    wallet: &Decimal,
) -> Option<Sums> {
    let (places, cost_places, wallet_places) = (qty.scale() + mark.scale(), cost.scale(), wallet.scale());
    let scale = places.max(cost_places);
    let wide = scale.max(wallet_places);
    let worth = raised(whole(qty)?.checked_mul(whole(mark)?)?, scale - places)?;
    let gained = worth.checked_sub(raised(whole(cost)?, scale - cost_places)?)?;
    let gained = if matches!(side, PositionSide::Long) { gained } else { -gained };
    let wallet = raised(whole(wallet)?, wide - wallet_places)?;
    let equity = wallet.checked_add(raised(gained, wide - scale)?)?;
    if gained == 0 || wallet == 0 || equity == 0 || wide > Decimal::MAX_SCALE {
        return None;
    }
    let number = |digits: i64, scale| of_digits(digits.unsigned_abs(), digits < 0, scale);
    Some(Sums { unrealized: number(gained, scale), equity: number(equity, wide) })
}

/// Digits with so many zeros behind them.
#[inline]
fn raised(digits: i64, by: u32) -> Option<i64> {
    if by == 0 { Some(digits) } else { digits.checked_mul((*POWERS.get(by as usize)?).try_into().ok()?) }
}

/// Digits with their sign, where 63 bits hold them.
#[inline]
fn whole(value: &Decimal) -> Option<i64> {
    let digits = i64::try_from(digits(value)?).ok()?;
    Some(if value.is_sign_negative() { -digits } else { digits })
}

/// Two books are equal whatever they have worked out so far.
impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Kept {
    /// A leg, or the mark of its instrument, has moved.
    #[inline]
    pub(super) fn leg_moved(&mut self, slot: usize) {
        self.sums = None;
        self.at_risk.moved(slot / 2);
        let known = self.legs.get_mut(slot).and_then(Option::take);
        if let (Some(total), Some(known)) = (&mut self.total, known)
            && total.take_out(&known).is_none()
        {
            self.total = None;
        }
        if known.is_some() || !self.stale.contains(&slot) {
            self.stale.push(slot);
        }
    }
    /// A leg has an order.
    #[inline]
    pub(super) fn used(&mut self, slot: usize) {
        self.at_risk.moved(slot / 2);
        if let Some(known) = &mut self.in_use
            && let Err(place) = known.binary_search(&slot)
        {
            known.insert(place, slot);
        }
    }
    /// A leg that was flat is open.
    #[inline]
    pub(super) fn opened(&mut self, slot: usize) {
        if let Some(count) = self.open_sides.get_mut(slot / 2) {
            *count += 1;
        }
    }
    /// A leg that was open is flat.
    #[inline]
    pub(super) fn closed(&mut self, slot: usize) {
        if let Some(count) = self.open_sides.get_mut(slot / 2) {
            *count = count.saturating_sub(1);
        }
    }
    /// A wallet has moved.
    #[inline]
    pub(super) fn wallet_moved(&mut self) {
        self.usdt = None;
        self.sums = None;
    }
}

impl Book {
    /// Works out again what has moved. At the end of every record.
    #[inline]
    pub(super) fn keep_sums(&mut self) {
        if self.kept.sums.is_none() {
            self.add_up();
        }
    }

    /// A leg may have become open, or flat without orders.
    #[inline]
    pub(super) fn review_use(&mut self, slot: usize) {
        self.kept.at_risk.moved(slot / 2);
        if self.is_in_use(slot) {
            self.kept.used(slot);
        } else if let Some(known) = &mut self.kept.in_use {
            known.retain(|other| *other != slot);
        }
    }

    /// A leg's size, its protection or its stops may have changed.
    #[inline]
    pub(super) fn review_bare(&mut self, slot: usize) {
        let is_bare = self.is_bare(slot);
        let Some(known) = &mut self.kept.bare else { return };
        match known.iter().position(|other| *other == slot) {
            None if is_bare => known.push(slot),
            Some(place) if !is_bare => {
                known.swap_remove(place);
            }
            _ => {}
        }
    }

    /// How many legs of an instrument are open. Asked with every price: the legs themselves are far apart.
    #[inline]
    pub fn open_sides(&self, ix: InstrumentIx) -> usize {
        let count = || self.legs_of(ix).iter().filter(|leg| leg.is_open()).count();
        match self.kept.open_sides.get(usize::from(ix.0)) {
            Some(known) => {
                debug_assert_eq!(usize::from(*known), count());
                usize::from(*known)
            }
            None => count(),
        }
    }

    /// Whether a leg is open without a confirmed stop, and not on purpose.
    fn is_bare(&self, slot: usize) -> bool {
        self.legs.get(slot).is_some_and(|leg| {
            leg.is_open()
                && leg.unprotected_since.is_some()
                && !matches!(leg.protection, Some(Protection::Unprotected { .. }))
        })
    }

    /// Open legs without a confirmed stop that are not so on purpose, in no order.
    pub(crate) fn bare_legs(&self) -> impl Iterator<Item = &LegState> {
        let known = self.kept.bare.as_deref();
        debug_assert!(known.is_none_or(|known| {
            let mut sorted = known.to_vec();
            sorted.sort_unstable();
            sorted.into_iter().eq((0..self.legs.len()).filter(|&slot| self.is_bare(slot)))
        }));
        let slots = known.unwrap_or(&self.open);
        slots
            .iter()
            .filter_map(move |&slot| self.legs.get(slot).filter(|_| known.is_some() || self.is_bare(slot)))
    }

    /// Whether no order is asked about, no leg has to become flat or differs, and none lacks its stop.
    #[inline]
    pub(crate) fn waits_for_nothing(&self) -> bool {
        self.doubtful == 0
            && self.questions.is_empty()
            && self.flattening.is_empty()
            && self.differs.is_empty()
            && self.kept.bare.as_ref().is_some_and(Vec::is_empty)
    }

    fn is_in_use(&self, slot: usize) -> bool {
        self.legs.get(slot).is_some_and(|leg| leg.is_open() || !leg.live.is_empty())
    }

    /// Places of legs that are open or have live orders, ascending.
    pub(super) fn slots_in_use(&self) -> impl Iterator<Item = usize> {
        let known = self.kept.in_use.as_deref();
        debug_assert!(known.is_none_or(|known| {
            known.iter().copied().eq((0..self.legs.len()).filter(|&slot| self.is_in_use(slot)))
        }));
        let count = known.map_or(self.legs.len(), <[usize]>::len);
        (0..count)
            .map(move |i| known.and_then(|known| known.get(i).copied()).unwrap_or(i))
            .filter(move |&slot| known.is_some() || self.is_in_use(slot))
    }

    fn add_up(&mut self) {
        if self.kept.in_use.is_none() {
            self.kept.legs.resize(self.legs.len(), None);
            let in_use = (0..self.legs.len()).filter(|&slot| self.is_in_use(slot)).collect();
            self.kept.in_use = Some(in_use);
            self.kept.bare = Some((0..self.legs.len()).filter(|&slot| self.is_bare(slot)).collect());
            self.kept.stale.clone_from(&self.open);
            self.kept.total = None;
            self.kept.open_sides.clear();
            let sides = self.legs.chunks(2).map(|legs| legs.iter().filter(|leg| leg.is_open()).count() as u8);
            self.kept.open_sides.extend(sides);
        }
        while let Some(slot) = self.kept.stale.pop() {
            let figure = self.unrealized_of(slot);
            if let (Some(total), Some(figure)) = (&mut self.kept.total, figure)
                && total.put_in(&figure).is_none()
            {
                self.kept.total = None;
            }
            if let Some(kept) = self.kept.legs.get_mut(slot) {
                *kept = figure;
            }
        }
        let unrealized = match self.open.as_slice() {
            // Most accounts hold one leg.
            [] => Decimal::ZERO,
            [only] => {
                self.kept.total = None;
                self.kept.legs.get(*only).copied().flatten().unwrap_or_default()
            }
            _ => self.total_of_kept(),
        };
        let wallet = self.kept.usdt.unwrap_or_else(|| self.wallet(&Asset::usdt()));
        self.kept.usdt = Some(wallet);
        let equity = sum(&wallet, &unrealized);
        self.kept.sums = Some(Sums { unrealized, equity });
    }

    /// The new mark of the only open leg, which most accounts have; false where it takes more than whole numbers to work
    /// out what follows.
    #[inline]
    pub(super) fn remark_only_leg(&mut self, instrument: usize, mark: Price) -> bool {
        let [slot] = *self.open.as_slice() else { return false };
        if slot / 2 != instrument || !self.kept.stale.is_empty() {
            return false;
        }
        let Some((leg, wallet)) = self.legs.get(slot).zip(self.kept.usdt) else { return false };
        let Some(figures) = marked(&leg.qty, &mark.get(), &leg.cost, leg.key.side, &wallet) else {
            return false;
        };
        let Some(kept) = self.kept.legs.get_mut(slot) else { return false };
        *kept = Some(figures.unrealized);
        self.kept.sums = Some(figures);
        self.kept.at_risk.moved(instrument);
        true
    }

    /// The kept figures together. What has not moved is not added again.
    fn total_of_kept(&mut self) -> Decimal {
        let figures = || self.open.iter().filter_map(|&slot| self.kept.legs.get(slot).copied().flatten());
        if let Some(known) = self.kept.total.as_ref().and_then(Total::get) {
            return known;
        }
        let total = Total::of(figures());
        let known = total.as_ref().and_then(Total::get).unwrap_or_else(|| figures().sum());
        self.kept.total = total;
        known
    }

    /// `None` for a flat leg, and while no mark is known.
    #[inline]
    fn unrealized_of(&self, slot: usize) -> Option<Decimal> {
        let (mark, _) = self.marks.get(slot / 2).copied().flatten()?;
        let leg = self.legs.get(slot).filter(|leg| leg.is_open())?;
        Some(leg.unrealized(mark))
    }

    fn worked_out(&self) -> Sums {
        let figures = || self.open.iter().filter_map(|&slot| self.unrealized_of(slot));
        let places = figures().filter(|figure| !figure.is_zero()).map(|figure| figure.scale()).max();
        let mut unrealized = figures().sum::<Decimal>();
        // The sum has as many places as its figures, also where the first ones have added up to nothing.
        if let Some(places) = places.filter(|&places| unrealized.scale() < places) {
            unrealized.rescale(places);
        }
        Sums { unrealized, equity: self.wallet(&Asset::usdt()) + unrealized }
    }

    #[inline]
    fn sums(&self) -> Sums {
        let sums = self.kept.sums.unwrap_or_else(|| self.worked_out());
        debug_assert_eq!(
            sums.equity.serialize(),
            self.worked_out().equity.serialize(),
            "equity to the digit"
        );
        sums
    }

    /// Unrealised profit of all legs at their marks (entry where no mark is known).
    pub fn unrealized(&self) -> Decimal {
        self.sums().unrealized
    }

    /// Net asset value in USDT: wallet plus unrealised profit.
    #[inline]
    pub fn equity(&self) -> Decimal {
        self.sums().equity
    }
}
