//! Read-only pictures of the exchange's records, in decimals and names, ready for a wire encoder.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::command::AccountId;
use super::vocabulary::{
    AlgoStatus, IncomeType, MarginType, OrderStatus, OrderType, PositionSide, PriceMatch, Side, Stp, Tif,
    WorkingType,
};

/// A plain order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderView {
    /// Exchange id.
    pub order_id: u64,
    /// Account.
    pub account: AccountId,
    /// Symbol.
    pub symbol: String,
    /// Client id.
    pub client_order_id: String,
    /// State.
    pub status: OrderStatus,
    /// Side.
    pub side: Side,
    /// Position side.
    pub position_side: PositionSide,
    /// Type now.
    pub order_type: OrderType,
    /// Type as first sent; the conditional type for the child of an algo order.
    pub orig_type: OrderType,
    /// Time in force.
    pub tif: Tif,
    /// Limit price, zero for market orders.
    pub price: Decimal,
    /// Quantity.
    pub orig_qty: Decimal,
    /// Filled so far.
    pub executed_qty: Decimal,
    /// Average fill price, zero without fills.
    pub avg_price: Decimal,
    /// Notional filled so far.
    pub cum_quote: Decimal,
    /// Can only reduce: by flag in one-way mode, by leg and side in hedge mode.
    pub reduce_only: bool,
    /// Child of a close-all algo order.
    pub close_position: bool,
    /// Trigger price of the parent, zero without one.
    pub stop_price: Decimal,
    /// Watched price of the parent.
    pub working_type: WorkingType,
    /// Price protection of the parent.
    pub price_protect: bool,
    /// Where the price was taken from.
    pub price_match: Option<PriceMatch>,
    /// Self-trade prevention.
    pub stp: Stp,
    /// End of a GTD order, else 0.
    pub good_till_ms: i64,
    /// Time of placement.
    pub time_ms: i64,
    /// Time of the last change.
    pub update_ms: i64,
    /// Parent algo order.
    pub algo_id: Option<u64>,
    /// Trailing activation price of the parent.
    pub activate_price: Option<Decimal>,
    /// Trailing callback rate of the parent, in percent.
    pub callback_rate: Option<Decimal>,
}

/// An algo order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlgoView {
    /// Exchange id, in a space of its own.
    pub algo_id: u64,
    /// Account.
    pub account: AccountId,
    /// Client id.
    pub client_algo_id: String,
    /// Symbol.
    pub symbol: String,
    /// Conditional type.
    pub order_type: OrderType,
    /// State.
    pub status: AlgoStatus,
    /// Side.
    pub side: Side,
    /// Position side.
    pub position_side: PositionSide,
    /// Time in force.
    pub tif: Tif,
    /// Quantity, zero for close-all.
    pub qty: Decimal,
    /// Trigger price, zero for trailing.
    pub trigger_price: Decimal,
    /// Limit price of the child, zero for a market child.
    pub price: Decimal,
    /// Watched price.
    pub working_type: WorkingType,
    /// Price protection.
    pub price_protect: bool,
    /// Closes the whole leg.
    pub close_position: bool,
    /// Can only reduce.
    pub reduce_only: bool,
    /// Where the child's price is taken from.
    pub price_match: Option<PriceMatch>,
    /// Self-trade prevention.
    pub stp: Stp,
    /// Trailing activation price.
    pub activate_price: Option<Decimal>,
    /// Trailing callback rate, in percent.
    pub callback_rate: Option<Decimal>,
    /// Trailing has begun.
    pub activated: bool,
    /// The child's order id, once there is one.
    pub actual_order_id: Option<u64>,
    /// The child's type, once there is one.
    pub actual_type: Option<OrderType>,
    /// The child's average fill price.
    pub actual_price: Decimal,
    /// The child's filled quantity.
    pub actual_qty: Decimal,
    /// Time of placement.
    pub create_ms: i64,
    /// Time of the last change.
    pub update_ms: i64,
    /// Time of the trigger, 0 before.
    pub trigger_ms: i64,
    /// End of a GTD order, else 0.
    pub good_till_ms: i64,
    /// Why it was rejected or expired; empty otherwise.
    pub reject_reason: String,
}

/// One execution of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TradeView {
    /// Trade id, unique and rising per symbol.
    pub trade_id: u64,
    /// Order.
    pub order_id: u64,
    /// Symbol.
    pub symbol: String,
    /// Side.
    pub side: Side,
    /// Position side.
    pub position_side: PositionSide,
    /// Price.
    pub price: Decimal,
    /// Quantity.
    pub qty: Decimal,
    /// Price times quantity.
    pub quote_qty: Decimal,
    /// Profit realised, fee excluded.
    pub realized_pnl: Decimal,
    /// Fee paid, positive.
    pub commission: Decimal,
    /// Asset of the fee.
    pub commission_asset: String,
    /// Time.
    pub time_ms: i64,
    /// The account rested.
    pub maker: bool,
}

/// A position row. Flat legs have zero quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PositionView {
    /// Symbol.
    pub symbol: String,
    /// Position side.
    pub position_side: PositionSide,
    /// Signed quantity: negative when short.
    pub qty: Decimal,
    /// Average entry price, zero when flat.
    pub entry_price: Decimal,
    /// Price at which closing costs nothing after fees paid so far.
    pub break_even_price: Decimal,
    /// Mark price.
    pub mark_price: Decimal,
    /// Unrealised profit at mark.
    pub unrealized_pnl: Decimal,
    /// Liquidation price, zero when there is none.
    pub liquidation_price: Decimal,
    /// Signed notional at mark.
    pub notional: Decimal,
    /// Leverage of the symbol.
    pub leverage: u32,
    /// Margin type of the symbol.
    pub margin_type: MarginType,
    /// Isolated wallet plus unrealised profit, zero when crossed.
    pub isolated_margin: Decimal,
    /// Isolated wallet, zero when crossed.
    pub isolated_wallet: Decimal,
    /// Position plus open order margin.
    pub initial_margin: Decimal,
    /// Maintenance margin.
    pub maint_margin: Decimal,
    /// Margin of the position.
    pub position_initial_margin: Decimal,
    /// Margin of open orders.
    pub open_order_initial_margin: Decimal,
    /// Largest notional at the leverage.
    pub max_notional: Decimal,
    /// Notional of open buys of this row.
    pub bid_notional: Decimal,
    /// Notional of open sells of this row.
    pub ask_notional: Decimal,
    /// Deleveraging rank, 0 to 4.
    pub adl: u8,
    /// Profit realised on this row since it exists, before fees (`cr`).
    pub accumulated_realized: Decimal,
    /// Asset of margin and profit.
    pub margin_asset: String,
    /// Time of the last change, 0 when never.
    pub update_ms: i64,
    /// True when the row has a position or an open order.
    pub active: bool,
}

/// One asset of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssetView {
    /// Asset.
    pub asset: String,
    /// Wallet.
    pub wallet_balance: Decimal,
    /// Wallet without isolated wallets.
    pub cross_wallet_balance: Decimal,
    /// Unrealised profit, crossed and isolated.
    pub unrealized_pnl: Decimal,
    /// Unrealised profit of crossed positions.
    pub cross_unrealized_pnl: Decimal,
    /// Wallet plus unrealised profit.
    pub margin_balance: Decimal,
    /// Maintenance margin.
    pub maint_margin: Decimal,
    /// Position plus order margin.
    pub initial_margin: Decimal,
    /// Margin of positions.
    pub position_initial_margin: Decimal,
    /// Margin of open orders.
    pub open_order_initial_margin: Decimal,
    /// What new orders may use.
    pub available_balance: Decimal,
    /// What may be transferred out.
    pub max_withdraw: Decimal,
    /// Time of the last change.
    pub update_ms: i64,
}

/// Settings of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountConfigView {
    /// Hedge mode.
    pub hedge_mode: bool,
    /// Multi-assets mode; always false here.
    pub multi_assets: bool,
    /// May place orders.
    pub can_trade: bool,
    /// Fee tier; always 0 here.
    pub fee_tier: u32,
    /// Time of the last change of a setting or of money.
    pub update_ms: i64,
}

/// Settings of an account for a symbol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SymbolConfigView {
    /// Symbol.
    pub symbol: String,
    /// Margin type.
    pub margin_type: MarginType,
    /// Leverage.
    pub leverage: u32,
    /// Largest notional at the leverage.
    pub max_notional: Decimal,
}

/// A ledger row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncomeView {
    /// Symbol, empty for transfers.
    pub symbol: String,
    /// Kind.
    pub income_type: IncomeType,
    /// Signed amount.
    pub income: Decimal,
    /// Asset.
    pub asset: String,
    /// Trade id or words, as the exchange fills it.
    pub info: String,
    /// Time.
    pub time_ms: i64,
    /// Transaction id, unique and rising.
    pub tran_id: u64,
    /// Trade id, empty when not from a trade.
    pub trade_id: String,
}

/// One amendment of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AmendmentView {
    /// Running number of the account's amendments, from 1.
    pub amendment_id: u64,
    /// Symbol.
    pub symbol: String,
    /// Order.
    pub order_id: u64,
    /// Its client id.
    pub client_order_id: String,
    /// Time.
    pub time_ms: i64,
    /// Price before.
    pub price_before: Decimal,
    /// Price after.
    pub price_after: Decimal,
    /// Quantity before.
    pub qty_before: Decimal,
    /// Quantity after.
    pub qty_after: Decimal,
    /// How many amendments the order has had, this one included.
    pub count: u32,
    /// The client's own number of the amendment.
    pub modify_id: Option<i64>,
}

/// A change of an isolated leg's margin that the account asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarginChangeView {
    /// Symbol.
    pub symbol: String,
    /// Leg.
    pub position_side: PositionSide,
    /// Signed: positive into the leg.
    pub amount: Decimal,
    /// Asset.
    pub asset: String,
    /// Time.
    pub time_ms: i64,
}

/// A picture of the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthView {
    /// Id of the last change of the book.
    pub last_update_id: u64,
    /// Price and quantity, best first.
    pub bids: Vec<(Decimal, Decimal)>,
    /// Price and quantity, best first.
    pub asks: Vec<(Decimal, Decimal)>,
}

/// Best bid and ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BestView {
    /// Id of the last change of the book.
    pub update_id: u64,
    /// Best bid.
    pub bid: Decimal,
    /// Its quantity.
    pub bid_qty: Decimal,
    /// Best ask.
    pub ask: Decimal,
    /// Its quantity.
    pub ask_qty: Decimal,
    /// Time of the last price change.
    pub time_ms: i64,
}

/// Last and mark of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricesView {
    /// Last price.
    pub last: Decimal,
    /// Last price in ticks.
    pub last_ticks: i64,
    /// Mark price.
    pub mark: Decimal,
    /// Time of the last price change.
    pub time_ms: i64,
}

/// Window of a history query: inclusive bounds, at most `limit` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Lowest id wanted (order, algo or trade id).
    pub from_id: Option<u64>,
    /// Earliest time.
    pub start_ms: Option<i64>,
    /// Latest time.
    pub end_ms: Option<i64>,
    /// Most rows; 0 means no limit. With `from_id` or `start_ms` the oldest rows of the window are kept,
    /// otherwise the newest.
    pub limit: usize,
}
