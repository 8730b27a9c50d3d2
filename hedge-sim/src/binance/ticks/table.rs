//! Tables of best prices and of trades.
//!
//! Source: fact sheet 13 (columns); further columns are passed over.

use super::event::{Grid, Tick, What};

/// Where a table has what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Table {
    /// Best bid and ask: price and quantity of each, time.
    Best([usize; 5]),
    /// Trades: id, price, quantity, time, buyer is maker.
    Trades([usize; 5]),
}

impl Table {
    /// Reads the header.
    pub(super) fn of(header: &str) -> Result<Self, String> {
        let columns: Vec<&str> = header.trim().split(',').collect();
        let at = |names: [&str; 5]| {
            let found = names.map(|name| columns.iter().position(|column| *column == name));
            let [Some(a), Some(b), Some(c), Some(d), Some(e)] = found else { return None };
            Some([a, b, c, d, e])
        };
        let best =
            at(["best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty", "transaction_time"]);
        let trades = at(["id", "price", "qty", "time", "is_buyer_maker"]);
        best.map(Self::Best).or(trades.map(Self::Trades)).ok_or_else(|| {
            "the header is neither that of bookTicker (best_bid_price, …) nor that of trades (id, price, …)".to_owned()
        })
    }

    /// Reads one line.
    pub(super) fn line(&self, line: &str, grid: Grid<'_>) -> Result<Tick, String> {
        let cells: Vec<&str> = line.trim().split(',').collect();
        let cell = |at: usize| cells.get(at).copied().ok_or_else(|| format!("only {} columns", cells.len()));
        let time = |at: usize| {
            let text = cell(at)?;
            text.parse::<i64>().map_err(|_| format!("time {text:?} is no whole number of milliseconds"))
        };
        match self {
            Self::Best([bid, bid_qty, ask, ask_qty, at]) => Ok(Tick {
                at_ms: time(*at)?,
                what: What::Best {
                    bid: grid.level(cell(*bid)?, cell(*bid_qty)?)?,
                    ask: grid.level(cell(*ask)?, cell(*ask_qty)?)?,
                },
            }),
            Self::Trades([id, price, qty, at, maker]) => {
                let text = cell(*id)?;
                let id = text.parse().map_err(|_| format!("id {text:?} is no whole number"))?;
                let (ticks, steps) = grid.level(cell(*price)?, cell(*qty)?)?;
                let buyer_is_maker = match cell(*maker)? {
                    "true" | "True" => true,
                    "false" | "False" => false,
                    other => return Err(format!("is_buyer_maker is {other:?}, expected true or false")),
                };
                Ok(Tick { at_ms: time(*at)?, what: What::Trade { id, ticks, steps, buyer_is_maker } })
            }
        }
    }
}
