#![doc = include_str!("../README.md")]

pub mod bar;
pub mod id;
pub mod instrument;
pub mod money;
pub mod position;
pub mod time;

pub use bar::{Bar, InvalidBar};
pub use id::{
    Asset, ClientOrderId, InstrumentId, InstrumentIx, InvalidId, OrderIds, OrderPurpose, RunId, Seq,
    StrategyId, Symbol, Term, TradeId, Venue, VenueOrderId,
};
pub use instrument::{InstrumentSpec, InstrumentStatus, LotRule};
pub use money::{Amount, Bps, InvalidAmount, Leverage, Notional, Price, Qty, Ratio, SignedAmount};
pub use position::{Action, MarginMode, OrderSide, Position, PositionKey, PositionMode, PositionSide};
pub use rust_decimal::Decimal;
pub use time::{Clock, Interval, Timestamp};
