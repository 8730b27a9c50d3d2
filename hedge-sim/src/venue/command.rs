//! Everything that can change the exchange, as one serialisable enum.
//!
//! The sequence of `(now_ms, Command)` pairs is the exchange's durable log: applying it again to a fresh
//! [`Venue`](super::Venue) with the same [`VenueConfig`](super::VenueConfig) gives the same state, ids included.
//! Log refused commands as well: what they asked for is not done, but the time they bring may end dated orders.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::contract::ContractChange;
use super::forced::ForceClose;
use super::given_book::BookChange;
use super::rules::InstrumentRules;
use super::seed::Seed;
use super::switches::AccountSwitch;
use super::view::{AlgoView, OrderView};
use super::vocabulary::{
    MarginType, OrderType, PositionSide, PriceMatch, Side, Stp, SymbolStatus, Tif, WorkingType,
};

/// An account of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId(pub u16);

/// An instrument of the exchange, numbered in the order in which instruments were listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SymbolId(pub u16);

/// A change of the exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Lists an instrument at a price (last and mark). Reply: [`Reply::Listed`].
    List {
        /// Its rules.
        rules: Box<InstrumentRules>,
        /// First price, put on the tick grid.
        price: Decimal,
    },
    /// Changes the trading status. Leaving `TRADING` for anything but a pre-state expires open orders.
    SetStatus {
        /// Instrument.
        symbol: SymbolId,
        /// New status.
        status: SymbolStatus,
    },
    /// Opens an account with a USDT wallet. Reply: [`Reply::Done`].
    OpenAccount {
        /// Its id; must be the next free one, starting from 0.
        account: AccountId,
        /// Wallet at the start.
        balance_usdt: Decimal,
    },
    /// Sets the fee rates of an account, for one symbol or for all.
    SetFees {
        /// Account.
        account: AccountId,
        /// One symbol, or all of them.
        symbol: Option<SymbolId>,
        /// Rates as fractions.
        fees: FeeRates,
    },
    /// Restricts what an account may do.
    Restrict {
        /// Account.
        account: AccountId,
        /// The restriction.
        restriction: Restriction,
    },
    /// Switches one-way (`false`) and hedge mode (`true`).
    PositionMode {
        /// Account.
        account: AccountId,
        /// Hedge mode on.
        hedge: bool,
    },
    /// Changes the margin type of a symbol.
    MarginType {
        /// Account.
        account: AccountId,
        /// Symbol.
        symbol: String,
        /// New margin type.
        margin_type: MarginType,
    },
    /// Changes the leverage of a symbol. Reply: [`Reply::Leverage`].
    Leverage {
        /// Account.
        account: AccountId,
        /// Symbol.
        symbol: String,
        /// New leverage.
        leverage: u32,
    },
    /// Places a plain order. Reply: [`Reply::Order`] with its state after matching.
    Place(NewOrder),
    /// Changes price and quantity of a resting limit order. Reply: [`Reply::Order`].
    Modify(ModifyOrder),
    /// Cancels a plain order. Reply: [`Reply::Order`].
    Cancel {
        /// Account.
        account: AccountId,
        /// Symbol.
        symbol: String,
        /// Which order.
        order: OrderRef,
    },
    /// Cancels all plain orders of a symbol. Reply: [`Reply::Canceled`].
    CancelAll {
        /// Account.
        account: AccountId,
        /// Symbol.
        symbol: String,
    },
    /// Places an algo order. Reply: [`Reply::Algo`].
    PlaceAlgo(NewAlgo),
    /// Cancels a waiting algo order. Reply: [`Reply::Algo`].
    CancelAlgo {
        /// Account.
        account: AccountId,
        /// Which algo order.
        algo: AlgoRef,
    },
    /// Cancels all waiting algo orders of a symbol. Reply: [`Reply::Canceled`].
    CancelAllAlgos {
        /// Account.
        account: AccountId,
        /// Symbol.
        symbol: String,
    },
    /// A dead-man countdown ran out: cancels the plain orders of a symbol, and its algo orders when
    /// [`VenueConfig::countdown_cancels_algos`](super::VenueConfig::countdown_cancels_algos) says so.
    /// Keeping the countdown itself is the caller's task. Reply: [`Reply::Canceled`].
    CountdownElapsed {
        /// Account.
        account: AccountId,
        /// Symbol.
        symbol: String,
    },
    /// Moves money into (positive) or out of (negative) the wallet. Reply: [`Reply::Transferred`].
    Transfer {
        /// Account.
        account: AccountId,
        /// Asset.
        asset: String,
        /// Signed amount.
        amount: Decimal,
    },
    /// Moves free money into an isolated leg (positive) or out of it (negative). Reply: [`Reply::Done`].
    AdjustMargin {
        /// Account.
        account: AccountId,
        /// Symbol.
        symbol: String,
        /// Leg; absent or `BOTH` in one-way mode.
        position_side: Option<PositionSide>,
        /// Signed amount.
        amount: Decimal,
    },
    /// Moves last from where it is towards `to`, tick by tick in effect. Stops at the first price at which
    /// anything happens to an account; everything at that price is done. Reply: [`Reply::Moved`].
    Move {
        /// Instrument.
        symbol: SymbolId,
        /// Target of last, in ticks.
        to: i64,
        /// Target of mark, reached in a straight line; `None`: mark is last.
        mark: Option<Decimal>,
    },
    /// Puts last at `to` without passing the prices between (a gap). Reply: [`Reply::Moved`], always reached.
    Jump {
        /// Instrument.
        symbol: SymbolId,
        /// New last, in ticks.
        to: i64,
        /// New mark; `None`: mark is last.
        mark: Option<Decimal>,
    },
    /// Changes mark alone. Reply: [`Reply::Moved`], always reached.
    SetMark {
        /// Instrument.
        symbol: SymbolId,
        /// New mark.
        mark: Decimal,
    },
    /// Takes the prices of another market over, in ticks; nothing between is passed. Reply: [`Reply::Moved`], always reached.
    Quote {
        /// Instrument.
        symbol: SymbolId,
        /// Best bid.
        bid: i64,
        /// Best ask, above the bid.
        ask: i64,
        /// Last; `None`: it goes only as far as bid and ask force it.
        last: Option<i64>,
        /// Mark; `None`: it stays.
        mark: Option<Decimal>,
    },
    /// Puts an account where another one stands, piece by piece. Reply: [`Reply::Done`].
    Seed(Box<Seed>),
    /// Settles funding on every open leg. Reply: [`Reply::Funded`].
    Funding {
        /// Instrument.
        symbol: SymbolId,
        /// Rate as a fraction; positive means longs pay.
        rate: Decimal,
        /// Price the notional is taken at; `None`: the current mark.
        mark: Option<Decimal>,
    },
    /// Changes the sizes of the standing book without moving the price, and replenishes it.
    Stir {
        /// Instrument.
        symbol: SymbolId,
    },
    /// Changes a contract's dates or brackets. Reply: [`Reply::Done`].
    Contract(ContractChange),
    /// Takes a leg away from an account. Reply: [`Reply::Done`].
    ForceClose(ForceClose),
    /// Takes over levels of another market's book. Reply: [`Reply::Done`].
    Book(BookChange),
    /// Throws a switch of an account. Reply: [`Reply::Done`].
    Switch {
        /// Account.
        account: AccountId,
        /// Which one.
        switch: AccountSwitch,
        /// On or off.
        on: bool,
    },
    /// Lets time pass: orders whose date is over expire.
    Tick,
}

/// Fee rates as fractions of notional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRates {
    /// Maker rate.
    pub maker: Decimal,
    /// Taker rate.
    pub taker: Decimal,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restriction {
    /// Everything.
    None,
    /// Only orders that reduce (-4087).
    ReduceOnly,
    /// No orders at all (-4088).
    NoOrders,
}

/// Names a plain order. The id wins where a client sends both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderRef {
    /// By the exchange's id.
    Id(u64),
    /// By the client's id.
    Client(String),
}

/// Names an algo order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlgoRef {
    /// By the exchange's id.
    Id(u64),
    /// By the client's id.
    Client(String),
}

/// A plain order as sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewOrder {
    /// Account.
    pub account: AccountId,
    /// Symbol.
    pub symbol: String,
    /// Side.
    pub side: Side,
    /// Position side; required in hedge mode.
    pub position_side: Option<PositionSide>,
    /// `LIMIT` or `MARKET`; anything else is refused.
    pub order_type: OrderType,
    /// Time in force; limit orders only.
    pub tif: Option<Tif>,
    /// Quantity.
    pub qty: Option<Decimal>,
    /// Limit price.
    pub price: Option<Decimal>,
    /// Reduce-only flag; must be absent in hedge mode.
    pub reduce_only: Option<bool>,
    /// Client order id; made up by the exchange when absent.
    pub client_order_id: Option<String>,
    /// Price taken from the book.
    pub price_match: Option<PriceMatch>,
    /// Self-trade prevention; `EXPIRE_MAKER` when absent.
    pub stp: Option<Stp>,
    /// End of a GTD order.
    pub good_till_ms: Option<i64>,
}

impl NewOrder {
    /// A market order with everything optional left out.
    pub fn market(account: AccountId, symbol: &str, side: Side, qty: Decimal) -> Self {
        Self {
            account,
            symbol: symbol.to_owned(),
            side,
            position_side: None,
            order_type: OrderType::Market,
            tif: None,
            qty: Some(qty),
            price: None,
            reduce_only: None,
            client_order_id: None,
            price_match: None,
            stp: None,
            good_till_ms: None,
        }
    }

    /// A GTC limit order with everything optional left out.
    pub fn limit(account: AccountId, symbol: &str, side: Side, qty: Decimal, price: Decimal) -> Self {
        Self {
            order_type: OrderType::Limit,
            tif: Some(Tif::Gtc),
            price: Some(price),
            ..Self::market(account, symbol, side, qty)
        }
    }

    /// The same order on a leg.
    pub fn on(self, position_side: PositionSide) -> Self {
        Self { position_side: Some(position_side), ..self }
    }
}

/// An amendment of a resting limit order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModifyOrder {
    /// Account.
    pub account: AccountId,
    /// Symbol.
    pub symbol: String,
    /// Which order.
    pub order: OrderRef,
    /// Side; must be the order's.
    pub side: Side,
    /// New quantity, what is filled included.
    pub qty: Decimal,
    /// New price.
    pub price: Decimal,
    /// Echoed in the event.
    pub modify_id: Option<i64>,
    /// Only lifts the minimum notional; must match the order.
    pub reduce_only: Option<bool>,
}

/// An algo order as sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewAlgo {
    /// Account.
    pub account: AccountId,
    /// Symbol.
    pub symbol: String,
    /// Side.
    pub side: Side,
    /// Position side; required in hedge mode.
    pub position_side: Option<PositionSide>,
    /// One of the five conditional types.
    pub order_type: OrderType,
    /// Time in force of the child; `GTE_GTC` ties the order to the position.
    pub tif: Option<Tif>,
    /// Quantity; absent with `close_position`.
    pub qty: Option<Decimal>,
    /// Trigger price; all types but trailing.
    pub trigger_price: Option<Decimal>,
    /// Limit price of the child.
    pub price: Option<Decimal>,
    /// Watched price; last when absent.
    pub working_type: Option<WorkingType>,
    /// Refuse to fire while mark and last are far apart.
    pub price_protect: bool,
    /// Close the whole leg.
    pub close_position: bool,
    /// Reduce-only flag; must be absent in hedge mode.
    pub reduce_only: Option<bool>,
    /// Where a trailing order begins to trail; the current price when absent.
    pub activate_price: Option<Decimal>,
    /// Trailing distance in percent.
    pub callback_rate: Option<Decimal>,
    /// Client algo id; made up by the exchange when absent.
    pub client_algo_id: Option<String>,
    /// Price of the child taken from the book.
    pub price_match: Option<PriceMatch>,
    /// Self-trade prevention of the child.
    pub stp: Option<Stp>,
    /// End of a GTD child.
    pub good_till_ms: Option<i64>,
}

impl NewAlgo {
    /// A conditional order with everything optional left out.
    pub fn of(account: AccountId, symbol: &str, side: Side, order_type: OrderType) -> Self {
        Self {
            account,
            symbol: symbol.to_owned(),
            side,
            position_side: None,
            order_type,
            tif: None,
            qty: None,
            trigger_price: None,
            price: None,
            working_type: None,
            price_protect: false,
            close_position: false,
            reduce_only: None,
            activate_price: None,
            callback_rate: None,
            client_algo_id: None,
            price_match: None,
            stp: None,
            good_till_ms: None,
        }
    }
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done, nothing to tell.
    Done,
    /// The new instrument's id.
    Listed(SymbolId),
    /// The order after the command.
    Order(Box<OrderView>),
    /// The algo order after the command.
    Algo(Box<AlgoView>),
    /// How many orders were cancelled.
    Canceled(usize),
    /// Leverage now in force and the largest notional at it.
    Leverage {
        /// Leverage.
        leverage: u32,
        /// Largest notional.
        max_notional: Decimal,
    },
    /// Ledger id of the transfer.
    Transferred {
        /// Transaction id.
        tran_id: u64,
    },
    /// Where the price stands.
    Moved(Moved),
    /// How many legs paid or were paid.
    Funded {
        /// Number of legs.
        legs: usize,
    },
}

/// Outcome of a price move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Last price now, in ticks.
    pub last: i64,
    /// False when the move stopped on the way; apply the same move again to go on.
    pub reached: bool,
    /// True when something happened to an account.
    pub eventful: bool,
}
