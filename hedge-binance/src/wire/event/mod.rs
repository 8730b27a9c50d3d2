//! Stream messages. The venue's letters are overloaded, so each event has a struct of its own. Source: fact sheet 5.6, 8, 9.
//!
//! A struct is read and written in the venue's spelling; [`Fields`] gives the same values under our names.

mod account;
mod book;
mod frame;
mod market;
mod order;
mod shape;

pub use account::{
    AccountBody, AccountUpdate, BalanceChange, ConfigUpdate, GridBody, GridUpdate, LeverageChange,
    ListenKeyExpired, MarginCall, MarginCallLeg, MultiAssetsChange, PositionChange, StrategyBody,
    StrategyUpdate,
};
pub use book::{BookTickerEvent, DepthEvent, Level};
pub use frame::{Combined, Kind};
pub use market::{
    AggTradeEvent, AssetIndexEvent, CompositeIndexEvent, CompositePart, ContinuousKlineEvent,
    ContractBracket, ContractInfoEvent, ForceOrderBody, ForceOrderEvent, KlineBody, KlineEvent,
    MarkPriceEvent, MiniTickerEvent, TickerEvent, TradeEvent, TradingSessionEvent,
};
pub use order::{AlgoBody, AlgoEvent, OrderBody, OrderEvent, TradeLite, TriggerReject, TriggerRejectBody};
pub use shape::Fields;
