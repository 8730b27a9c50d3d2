//! What is there before the first client: mode, leverage, open legs, armed faults.

use std::path::{Path, PathBuf};

use hedge_sim::binance::{ExchangeHandle, Fault};
use hedge_sim::venue::{Command, PositionSide, Seed};
use rust_decimal::Decimal;

/// How the account and the exchange begin.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) hedge_mode: bool,
    pub(crate) leverage: Option<u32>,
    pub(crate) legs: Vec<Leg>,
    pub(crate) fault_file: Option<PathBuf>,
}

/// A leg that is open at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leg {
    symbol: String,
    side: PositionSide,
    qty: Decimal,
    entry: Option<Decimal>,
}

impl Leg {
    /// Reads `SYMBOL:LONG|SHORT:QTY[@ENTRY]`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let [symbol, side, amount] = parts.as_slice() else {
            return Err("expected SYMBOL:LONG|SHORT:QTY, such as ETHUSDT:LONG:0.5".to_owned());
        };
        let side = match *side {
            "LONG" => PositionSide::Long,
            "SHORT" => PositionSide::Short,
            other => return Err(format!("{other:?} is no leg; expected LONG or SHORT")),
        };
        let (qty, entry) = match amount.split_once('@') {
            Some((qty, entry)) => (qty, Some(entry)),
            None => (*amount, None),
        };
        let positive = |text: &str| {
            let number: Option<Decimal> = text.parse().ok().filter(|number| *number > Decimal::ZERO);
            number.ok_or_else(|| format!("{text:?} is not a positive number"))
        };
        let (qty, entry) = (positive(qty)?, entry.map(positive).transpose()?);
        Ok(Self { symbol: (*symbol).to_owned(), side, qty, entry })
    }
}

impl Beginning {
    /// Brings the exchange there.
    ///
    /// # Errors
    /// One line: what could not be done, and why.
    pub(crate) fn bring_about(&self, exchange: &ExchangeHandle) -> Result<(), String> {
        let account = exchange.account();
        let apply = |what: String, command: &Command| match exchange.apply(command) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(refusal)) => Err(format!("{what}: refused with {} {}", refusal.code, refusal.msg)),
            Err(error) => Err(format!("{what}: {error}")),
        };
        if self.hedge_mode {
            apply("--hedge-mode".to_owned(), &Command::PositionMode { account, hedge: true })?;
        }
        if let Some(leverage) = self.leverage {
            for symbol in exchange.symbols() {
                apply(format!("--leverage on {symbol}"), &Command::Leverage { account, symbol, leverage })?;
            }
        }
        for leg in &self.legs {
            apply(format!("--position {}", leg.symbol), &Command::Seed(leg.seed(exchange)?.into()))?;
        }
        match &self.fault_file {
            Some(path) => arm(path, exchange),
            None => Ok(()),
        }
    }
}

impl Leg {
    fn seed(&self, exchange: &ExchangeHandle) -> Result<Seed, String> {
        let mark = exchange.query(|venue| Some(venue.prices(venue.symbol_id(&self.symbol)?)?.mark));
        let listed = || exchange.symbols().join(", ");
        let mark =
            mark.ok_or_else(|| format!("--position {}: not listed; listed are {}", self.symbol, listed()))?;
        let cost = self.qty.checked_mul(self.entry.unwrap_or(mark));
        Ok(Seed::Leg {
            account: exchange.account(),
            symbol: self.symbol.clone(),
            position_side: self.side,
            qty: self.qty,
            cost: cost.ok_or_else(|| format!("--position {}: the position is too large", self.symbol))?,
        })
    }
}

/// Arms every fault of a file, one a line.
fn arm(path: &Path, exchange: &ExchangeHandle) -> Result<(), String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let place = |at: usize| format!("{} line {}", path.display(), at + 1);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(at, line)| {
        Fault::parse(line).map(|fault| (at, fault)).map_err(|error| format!("{}: {error}", place(at)))
    };
    // All or nothing: a mistake in the last line leaves nothing armed.
    for (at, fault) in lines.map(read).collect::<Result<Vec<_>, _>>()? {
        exchange.fault(fault).map_err(|error| format!("{}: {error}", place(at)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

    use super::*;

    #[test]
    fn a_leg_is_symbol_side_quantity_and_maybe_an_entry() {
        let leg = Leg::parse("ETHUSDT:SHORT:0.5@2500.10").unwrap();
        assert_eq!((leg.symbol.as_str(), leg.side), ("ETHUSDT", PositionSide::Short));
        assert_eq!(
            (leg.qty.to_string(), leg.entry.unwrap().to_string()),
            ("0.5".to_owned(), "2500.10".to_owned())
        );
        assert_eq!(Leg::parse("ETHUSDT:LONG:1").unwrap().entry, None);
        for wrong in
            ["ETHUSDT", "ETHUSDT:LONG", "ETHUSDT:BOTH:1", "ETHUSDT:LONG:-1", "ETHUSDT:LONG:1@x", "A:LONG:1:2"]
        {
            assert!(Leg::parse(wrong).is_err(), "{wrong}");
        }
    }
}
