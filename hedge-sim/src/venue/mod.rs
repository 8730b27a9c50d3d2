//! A pure simulated perpetual-futures exchange: accounts, legs, matching, algo orders, margin, funding.
//!
//! [`Venue::apply`] is the only way in; it takes the time and a [`Command`] and appends [`VenueEvent`]s. What is
//! simulated and what is not stands in `docs/simulator.md`.

mod account;
mod algo;
mod amend;
mod band;
mod builtin;
mod by_id;
mod check;
mod client_id;
mod command;
mod contract;
mod error;
mod event;
mod exchange;
mod exchange_info;
mod fill;
mod filters;
mod follow;
mod forced;
mod funding;
mod given_book;
mod guard;
mod isolated;
mod ledger;
mod liquidation;
mod maintenance;
mod margin;
mod market;
mod matching;
mod order;
mod path;
mod place;
mod place_algo;
mod query;
mod query_account;
mod quote;
mod rows;
mod rules;
mod seed;
mod settings;
mod switches;
mod told;
mod trigger;
mod view;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use command::{
    AccountId, AlgoRef, Command, FeeRates, ModifyOrder, Moved, NewAlgo, NewOrder, OrderRef, Reply,
    Restriction, SymbolId,
};
pub use contract::ContractChange;
pub use error::{Refusal, VenueError};
pub use event::{
    AccountUpdate, BalanceChange, EventBody, FillPart, MarginCall, MarketTrade, OrderUpdate, VenueEvent,
};
pub use exchange::{SecondCloseAll, Venue, VenueConfig};
pub use exchange_info::brackets_from_json;
pub use forced::{ForceClose, ForcedBy};
pub use given_book::BookChange;
pub(crate) use rows::Rows;
pub(crate) use rules::multiple_of;
pub use rules::{Bracket, InstrumentRules, LotRule, RulesError};
pub use seed::{Child, Due, Seed};
pub use switches::AccountSwitch;
pub(crate) use told::{Average, FillTold, OrderTold, Taken, Told};
pub use view::{
    AccountConfigView, AlgoView, AmendmentView, AssetView, BestView, DepthView, IncomeView, MarginChangeView,
    OrderView, PositionView, PricesView, SymbolConfigView, TradeView, Window,
};
pub use vocabulary::{
    AlgoStatus, ExecutionType, ExpiryReason, IncomeType, MarginType, OrderStatus, OrderType, PositionSide,
    PriceMatch, Side, Stp, SymbolStatus, Tif, UpdateReason, WorkingType,
};
