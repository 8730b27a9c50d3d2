//! What would be closed and cancelled, for a person to read first.

use std::{collections::BTreeSet, fmt};

use hedge_core::{BrokerError, Decimal, Symbol};
use serde::Serialize;

use super::venue::{ClosingVenue, Held, HeldSide, Waiting};

/// A leg of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedLeg {
    /// Which symbol.
    pub symbol: Symbol,
    /// LONG, SHORT, or BOTH in a one-way account.
    pub side: HeldSide,
    /// How much is open.
    pub qty: Decimal,
    /// Worth at the mark price, where one is known. Units: quote asset.
    pub notional: Option<Decimal>,
}

/// The account as it stands, as far as a panic close would touch it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Legs that would be closed at the market.
    pub legs: Vec<PlannedLeg>,
    /// How many plain orders would be cancelled.
    pub orders: usize,
    /// How many conditional orders would be cancelled, most of them after their leg is flat.
    pub conditional: usize,
}

impl Plan {
    /// Reads the account. Errors: the first reading that failed.
    pub async fn read(
        venue: &dyn ClosingVenue,
        symbols: Option<&BTreeSet<Symbol>>,
    ) -> Result<Self, BrokerError> {
        let is_meant = |symbol: &Symbol| symbols.is_none_or(|symbols| symbols.contains(symbol));
        let held = venue.held(false).await?;
        let resting = venue.resting(None).await?;
        let waiting = venue.waiting().await?;
        let mut legs: Vec<PlannedLeg> =
            held.iter().filter(|held| is_meant(&held.leg.symbol)).map(PlannedLeg::of).collect();
        legs.sort_by_key(|leg| (leg.symbol, leg.side));
        Ok(Self {
            legs,
            orders: resting.iter().filter(|order| is_meant(&order.leg.symbol)).count(),
            conditional: waiting.iter().filter(|order: &&Waiting| is_meant(&order.symbol)).count(),
        })
    }

    /// Whether there is nothing to do.
    pub fn is_flat(&self) -> bool {
        self.legs.is_empty() && self.orders == 0
    }

    /// Worth of all legs together, as far as it is known.
    pub fn notional(&self) -> Decimal {
        self.legs.iter().filter_map(|leg| leg.notional).sum()
    }
}

impl PlannedLeg {
    fn of(held: &Held) -> Self {
        Self {
            symbol: held.leg.symbol,
            side: held.leg.side,
            qty: held.qty.get(),
            notional: held.notional().map(|notional| notional.round_dp(2)),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for leg in &self.legs {
            let worth =
                leg.notional.map_or_else(|| "worth unknown".to_owned(), |worth| format!("worth {worth:.2}"));
            writeln!(
                f,
                "  close {} {} {} at the market ({worth})",
                leg.symbol,
                leg.side,
                leg.qty.normalize()
            )?;
        }
        writeln!(
            f,
            "  cancel {} plain orders before, {} conditional orders after their legs are flat",
            self.orders, self.conditional
        )?;
        write!(f, "  {} legs, worth {:.2} together", self.legs.len(), self.notional())
    }
}
