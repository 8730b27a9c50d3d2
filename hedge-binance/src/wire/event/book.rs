//! Quotes: the best of the book, and its changes. Source: fact sheet 8.2 and 8.3.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::shape::shape;
use crate::wire::number::{decimal, quantity};

/// A price and the quantity that stands there. In a diff the quantity is absolute and 0 deletes the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level(
    /// Price.
    #[serde(deserialize_with = "decimal")]
    pub Decimal,
    /// Quantity.
    #[serde(deserialize_with = "quantity")]
    pub Decimal,
);

shape! {
    /// `bookTicker`.
    BookTickerEvent {
        int {
            /// Update id.
            update_id = "u",
            /// Pushed at.
            event_time = "E",
            /// Of the matching engine.
            transaction_time = "T",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M; since June 2026.
            market_type = "st",
        }
        dec {
            /// Best bid.
            bid = "b",
            /// Best ask.
            ask = "a",
        }
        qty {
            /// Quantity at the best bid.
            bid_qty = "B",
            /// Quantity at the best ask.
            ask_qty = "A",
        }
        text {
            /// Name.
            symbol = "s",
        }
        opt_text {
            /// Pair; since June 2026.
            pair = "ps",
        }
    }
}

shape! {
    /// `depthUpdate`: changes of the book, or its best levels on the streams with a number of levels.
    DepthEvent {
        int {
            /// Pushed at.
            event_time = "E",
            /// First update in it.
            first_update_id = "U",
            /// Last update in it.
            last_update_id = "u",
            /// Last update of the event before it. Not `first_update_id - 1`, unlike on spot.
            previous_update_id = "pu",
            /// Of the matching engine.
            transaction_time = "T",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M; since June 2026.
            market_type = "st",
        }
        text {
            /// Name.
            symbol = "s",
        }
        opt_text {
            /// Pair; since June 2026.
            pair = "ps",
        }
        levels {
            /// Changed bids.
            bids = "b",
            /// Changed asks.
            asks = "a",
        }
    }
}
