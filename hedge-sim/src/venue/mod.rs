//! A pure simulated perpetual-futures exchange: accounts, legs, matching, algo orders, margin, funding.
//!
//! [`Venue::apply`] is the only way in; it takes the time and a [`Command`] and appends [`VenueEvent`]s. What is
//! simulated and what is not stands in `docs/simulator.md`.

mod command;
mod error;
mod event;
mod query;
mod rules;
mod venue;
mod view;
mod vocabulary;

pub use command::{
    AccountId, AlgoRef, Command, FeeRates, ModifyOrder, Moved, NewAlgo, NewOrder, OrderRef, Reply,
    Restriction, SymbolId,
};
pub use error::{Refusal, VenueError};
pub use event::{
    AccountUpdate, BalanceChange, EventBody, FillPart, MarginCall, MarketTrade, OrderUpdate, VenueEvent,
};
pub use rules::{Bracket, InstrumentRules, LotRule, RulesError};
pub use venue::{SecondCloseAll, Venue, VenueConfig};
pub use view::{
    AccountConfigView, AlgoView, AssetView, BestView, DepthView, IncomeView, OrderView, PositionView,
    PricesView, SymbolConfigView, TradeView, Window,
};
pub use vocabulary::{
    AlgoStatus, ExecutionType, ExpiryReason, IncomeType, MarginType, OrderStatus, OrderType, PositionSide,
    PriceMatch, Side, Stp, SymbolStatus, Tif, UpdateReason, WorkingType,
};
