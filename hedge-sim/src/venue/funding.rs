//! Funding: every leg open at the instant pays or is paid, leg by leg.
//!
//! Source: fact sheet 14.3, 9.4.

use rust_decimal::Decimal;

use super::account::LEG_SIDES;
use super::error::{Refusal, VenueError};
use super::event::{AccountUpdate, EventBody, VenueEvent};
use super::exchange::Venue;
use super::ledger::{Booking, Info, booked};
use super::vocabulary::{IncomeType, UpdateReason};

impl Venue {
    /// Settles funding on a symbol and returns how many legs took part.
    pub(super) fn settle_funding(
        &mut self,
        symbol: usize,
        rate: Decimal,
        mark: Option<Decimal>,
        out: &mut Vec<VenueEvent>,
    ) -> Result<usize, VenueError> {
        // No venue charges the whole position; a percent sent as a fraction would.
        if rate.abs() >= Decimal::ONE {
            return Err(Refusal::InvalidValue.into());
        }
        if let Some(mark) = mark {
            Self::mark_e8_of(mark)?;
        }
        let mark = mark.unwrap_or_else(|| self.markets[symbol].mark());
        let mut legs = 0;
        for ax in 0..self.accounts.len() {
            if self.accounts[ax].held.binary_search(&symbol).is_ok() {
                legs += self.fund_account(ax, symbol, rate, mark, out);
                self.settle_margins(ax, out);
            }
        }
        Ok(legs)
    }

    fn fund_account(
        &mut self,
        ax: usize,
        symbol: usize,
        rate: Decimal,
        mark: Decimal,
        out: &mut Vec<VenueEvent>,
    ) -> usize {
        let asset = self.markets[symbol].asset;
        let isolated = self.accounts[ax].slots[symbol].is_isolated();
        let mut sides = Vec::with_capacity(2);
        let mut total = Decimal::ZERO;
        for side in LEG_SIDES {
            let steps = self.accounts[ax].leg(symbol, side).steps;
            if steps == 0 {
                continue;
            }
            let amount = booked(-self.markets[symbol].rules.qty_of(steps) * mark * rate);
            let kind = IncomeType::FundingFee;
            self.book(ax, Booking { kind, amount, asset, symbol: Some(symbol), info: Info::None });
            if isolated {
                self.accounts[ax].slots[symbol].leg_mut(side).isolated_wallet += amount;
            }
            sides.push(side);
            total += amount;
        }
        self.refit_guard(ax, symbol);
        // Crossed legs are not listed, isolated ones are. Source: fact sheet 9.4.
        let positions = if isolated {
            sides.iter().map(|side| self.position_view(ax, symbol, *side)).collect()
        } else {
            Vec::new()
        };
        let update = AccountUpdate {
            reason: UpdateReason::FundingFee,
            // `bc` carries the payment. Source: fact sheet appendix A, FUNDING_FEE sample.
            balances: vec![self.balance_change(ax, asset, total)],
            positions,
            symbol: self.markets[symbol].rules.symbol.clone(),
        };
        self.emit(out, Some(self.accounts[ax].id), EventBody::Account(Box::new(update)));
        sides.len()
    }
}
