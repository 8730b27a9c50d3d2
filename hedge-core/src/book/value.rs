//! What the account is worth, kept instead of added up for every question.
//!
//! Equity is asked for after every price and every record, and moves far less often. The book keeps the unrealised profit of
//! each leg and their sum; whatever moves a leg, its mark or a wallet takes the sum away, and the end of the record
//! makes it again from the legs' kept figures. The kept figures are those that adding up would give, to the last digit.

use rust_decimal::Decimal;

use super::state::Book;
use crate::id::Asset;

/// Kept figures. Not part of a book's state: they follow from it.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Unrealised profit by place of the leg; `None` where it must be worked out or has no mark.
    legs: Vec<Option<Decimal>>,
    sums: Option<Sums>,
    usdt: Option<Decimal>,
    /// Places of legs that are open or have live orders, ascending; `None` until they were looked for.
    in_use: Option<Vec<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Sums {
    unrealized: Decimal,
    equity: Decimal,
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
        if let Some(kept) = self.legs.get_mut(slot) {
            *kept = None;
        }
        self.sums = None;
    }
    /// A leg has an order.
    #[inline]
    pub(super) fn used(&mut self, slot: usize) {
        if let Some(known) = &mut self.in_use
            && let Err(place) = known.binary_search(&slot)
        {
            known.insert(place, slot);
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
        if self.is_in_use(slot) {
            self.kept.used(slot);
        } else if let Some(known) = &mut self.kept.in_use {
            known.retain(|other| *other != slot);
        }
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
        }
        let mut unrealized = Decimal::ZERO;
        for i in 0..self.open.len() {
            let slot = self.open[i];
            let figure = match self.kept.legs.get(slot).copied().flatten() {
                Some(known) => known,
                None => {
                    let Some(worked_out) = self.unrealized_of(slot) else { continue };
                    if let Some(kept) = self.kept.legs.get_mut(slot) {
                        *kept = Some(worked_out);
                    }
                    worked_out
                }
            };
            // The first is the sum so far: most accounts hold one leg, and adding to nothing is not free.
            unrealized = if i == 0 { figure } else { unrealized + figure };
        }
        let wallet = self.kept.usdt.unwrap_or_else(|| self.wallet(&Asset::usdt()));
        self.kept.usdt = Some(wallet);
        let equity = wallet + unrealized;
        self.kept.sums = Some(Sums { unrealized, equity });
    }

    /// `None` while no mark is known.
    #[inline]
    fn unrealized_of(&self, slot: usize) -> Option<Decimal> {
        let (mark, _) = self.marks.get(slot / 2).copied().flatten()?;
        Some(self.legs.get(slot)?.unrealized(mark))
    }

    fn worked_out(&self) -> Sums {
        let unrealized = self.open.iter().filter_map(|&slot| self.unrealized_of(slot)).sum();
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
