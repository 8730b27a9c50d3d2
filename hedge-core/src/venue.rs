//! What venues tell us: reports, fills, balances, events. Spoken by every adapter, understood by the engine.

use std::{fmt, time::Duration};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    bar::Bar,
    id::{Asset, ClientOrderId, InstrumentId, InstrumentIx, TradeId, Venue, VenueOrderId},
    money::{Amount, Leverage, Price, Qty, SignedAmount},
    order::Coverage,
    position::{MarginMode, OrderSide, PositionMode, PositionSide},
    time::{Interval, Timestamp},
};

/// A client id that is not in our form; kept as the venue wrote it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ForeignId(pub String);

/// The client id in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedId {
    /// In the form that this product writes; possibly from another run.
    Ours(ClientOrderId),
    /// Somebody else's.
    Foreign(ForeignId),
    /// The venue's own: it closes a leg by force.
    Venue {
        /// What for.
        forced: ForcedClose,
        /// As the venue wrote it.
        id: ForeignId,
    },
}

/// Why a venue closes a leg by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForcedClose {
    /// The margin did not hold.
    Liquidation,
    /// Auto-deleveraging: somebody else's liquidation found no other taker.
    Adl,
    /// The symbol is delisted or settled.
    Settlement,
    /// A dated contract was delivered.
    Delivery,
}

/// How ids begin that only venues give. Source: Binance USD-M docs, Order Update; fact sheet 7.1 and 9.2.
const FORCED_PREFIXES: &[(&str, ForcedClose)] = &[
    ("autoclose-", ForcedClose::Liquidation),
    ("adl_autoclose", ForcedClose::Adl),
    ("settlement_autoclose-", ForcedClose::Settlement),
    ("delivery_autoclose-", ForcedClose::Delivery),
];

impl ForcedClose {
    /// The kind that an order's client id tells of; `None` for an id that a client may give.
    pub fn of_id(text: &str) -> Option<Self> {
        FORCED_PREFIXES.iter().find(|(prefix, _)| text.starts_with(prefix)).map(|(_, kind)| *kind)
    }
}

impl fmt::Display for ForcedClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Liquidation => "liquidation",
            Self::Adl => "auto-deleveraging",
            Self::Settlement => "settlement",
            Self::Delivery => "delivery",
        })
    }
}

impl ReportedId {
    /// Sorts a venue's text into ours, the venue's own, or foreign.
    pub fn parse(text: &str) -> Self {
        match ClientOrderId::parse(text) {
            Ok(id) if crate::id::OrderIds::is_ours(text) => Self::Ours(id),
            _ => match ForcedClose::of_id(text) {
                Some(forced) => Self::Venue { forced, id: ForeignId(text.to_owned()) },
                None => Self::Foreign(ForeignId(text.to_owned())),
            },
        }
    }
    /// Why the venue acts by itself, if this id is the venue's own.
    pub const fn forced(&self) -> Option<ForcedClose> {
        match self {
            Self::Venue { forced, .. } => Some(*forced),
            Self::Ours(_) | Self::Foreign(_) => None,
        }
    }
    /// Our id, if it is one.
    pub const fn ours(&self) -> Option<&ClientOrderId> {
        match self {
            Self::Ours(id) => Some(id),
            Self::Foreign(_) | Self::Venue { .. } => None,
        }
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ours(id) => id.as_str(),
            Self::Foreign(ForeignId(text)) | Self::Venue { id: ForeignId(text), .. } => text,
        }
    }
}

/// The venue's id space of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderSpace {
    /// The matching engine's.
    Plain,
    /// The conditional service's.
    Algo,
}

/// Which id spaces a command means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderSpaces {
    /// Plain orders only; stops stay.
    Plain,
    /// Conditional orders only.
    Algo,
    /// Both.
    Both,
}

/// How to name an order to its venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderRef {
    /// A plain order by the venue's number.
    Plain(VenueOrderId),
    /// A conditional order; `child` is the plain order it became when it fired.
    Algo {
        /// Number in the conditional id space.
        id: VenueOrderId,
        /// Number of the plain order it became.
        child: Option<VenueOrderId>,
    },
    /// By our own id in a stated space.
    Client {
        /// Our id.
        id: ClientOrderId,
        /// Where to look.
        space: OrderSpace,
    },
}

impl OrderRef {
    /// The id space it lives in.
    pub const fn space(&self) -> OrderSpace {
        match self {
            Self::Plain(_) => OrderSpace::Plain,
            Self::Algo { .. } => OrderSpace::Algo,
            Self::Client { space, .. } => *space,
        }
    }
}

/// The leg in a report. One-way rows decode; the engine refuses them, the decoder does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReportedSide {
    /// Hedge mode, LONG.
    Long,
    /// Hedge mode, SHORT.
    Short,
    /// One-way mode.
    Both,
}

impl ReportedSide {
    /// The leg; `None` in one-way mode.
    pub const fn leg(self) -> Option<PositionSide> {
        match self {
            Self::Long => Some(PositionSide::Long),
            Self::Short => Some(PositionSide::Short),
            Self::Both => None,
        }
    }
}

impl From<PositionSide> for ReportedSide {
    fn from(side: PositionSide) -> Self {
        match side {
            PositionSide::Long => Self::Long,
            PositionSide::Short => Self::Short,
        }
    }
}

/// The type of a reported order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedKind {
    /// Limit.
    Limit,
    /// Market.
    Market,
    /// Conditional limit against the leg.
    Stop,
    /// Conditional market against the leg.
    StopMarket,
    /// Conditional limit with the leg.
    TakeProfit,
    /// Conditional market with the leg.
    TakeProfitMarket,
    /// Trailing.
    TrailingStop,
    /// The venue liquidates.
    Liquidation,
    /// A word this version does not know.
    Unknown(String),
}

/// The state of a reported order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedState {
    /// Live: resting, or waiting for its trigger.
    Working,
    /// Live with fills.
    PartiallyFilled,
    /// A conditional order is turning into a plain one.
    Triggering,
    /// A conditional order has become a plain one that is live.
    Triggered,
    /// Done, filled.
    Filled,
    /// A conditional order whose child has ended; the child's fills tell how.
    Finished,
    /// Done, cancelled.
    Canceled,
    /// Done, expired by the venue.
    Expired,
    /// Done, never accepted or refused at its trigger.
    Rejected,
    /// A word this version does not know. Counts as live.
    Unknown(String),
}

impl ReportedState {
    /// Whether nothing more can happen to the order. An unknown word is not terminal.
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Filled | Self::Finished | Self::Canceled | Self::Expired | Self::Rejected)
    }
}

/// One order as its venue describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReport {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The client id.
    pub client_id: ReportedId,
    /// The venue's name of it.
    pub order: OrderRef,
    /// Which leg.
    pub side: ReportedSide,
    /// BUY or SELL.
    pub order_side: OrderSide,
    /// Its type.
    pub kind: ReportedKind,
    /// Limit price, where it has one.
    pub price: Option<Price>,
    /// Trigger price, where it has one.
    pub trigger: Option<Price>,
    /// Ordered quantity; `None` for a close-all stop.
    pub qty: Option<Qty>,
    /// Filled so far, 0 or more.
    pub filled: Decimal,
    /// Average fill price, where stated.
    pub average: Option<Price>,
    /// Its own quantity or the whole leg.
    pub covers: Coverage,
    /// Where it stands.
    pub state: ReportedState,
    /// The venue's reason for a rejection or expiry.
    pub reason: Option<String>,
    /// When the venue last touched it.
    pub venue_time: Timestamp,
}

impl OrderReport {
    /// Why the venue closes the leg with this order, if it does.
    pub fn forced(&self) -> Option<ForcedClose> {
        let by_kind = || (self.kind == ReportedKind::Liquidation).then_some(ForcedClose::Liquidation);
        self.client_id.forced().or_else(by_kind)
    }
    /// Whether it reduces its leg: SELL on LONG or BUY on SHORT. `None` in one-way mode.
    pub fn is_close(&self) -> Option<bool> {
        let leg = self.side.leg()?;
        Some(leg.order_side(crate::position::Action::Close) == self.order_side)
    }
}

/// One execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Unique per instrument.
    pub trade_id: TradeId,
    /// The plain order that filled.
    pub order: VenueOrderId,
    /// Its client id. `None` where the source does not say (Binance `userTrades`): found by `order` then.
    pub client_id: Option<ReportedId>,
    /// Which leg.
    pub side: ReportedSide,
    /// BUY or SELL.
    pub order_side: OrderSide,
    /// How much.
    pub qty: Qty,
    /// At what price.
    pub price: Price,
    /// Fee; positive is paid by us.
    pub fee: Amount,
    /// Realised profit before fee, where stated.
    pub realized: Option<SignedAmount>,
    /// Whether we were the maker.
    pub maker: bool,
    /// The venue's time of the execution.
    pub venue_time: Timestamp,
}

impl Fill {
    /// Why the venue closed the leg by force, if this execution says that it did.
    pub fn forced(&self) -> Option<ForcedClose> {
        self.client_id.as_ref().and_then(ReportedId::forced)
    }
    /// Whether it reduces its leg. `None` in one-way mode.
    pub fn is_close(&self) -> Option<bool> {
        let leg = self.side.leg()?;
        Some(leg.order_side(crate::position::Action::Close) == self.order_side)
    }
}

/// What moved a balance besides trading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CashFlowKind {
    /// Funding paid (negative) or received.
    Funding,
    /// Money moved in or out by the owner.
    Transfer,
    /// A fee. Fees of fills arrive with the fill; this is for back-fills and corrections.
    Fee,
    /// Realised profit. Arrives with fills too; for back-fills.
    RealizedPnl,
    /// Anything else, in the venue's word.
    Other(String),
}

/// A change of balance that is not a fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CashFlow {
    /// Why.
    pub kind: CashFlowKind,
    /// How much; positive is received.
    pub amount: Amount,
    /// On which instrument, where stated.
    pub instrument: Option<InstrumentId>,
    /// The venue's time.
    pub venue_time: Timestamp,
    /// The venue's id of the flow, or one derived from kind, time and instrument; equal ids are one flow.
    pub id: String,
}

impl CashFlow {
    /// The id of the fee of an execution, by which the two are compared.
    pub fn fee_id(instrument: &InstrumentId, trade: TradeId) -> String {
        format!("fee:{}:{}", instrument.symbol, trade)
    }
}

/// One asset of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Which asset.
    pub asset: Asset,
    /// Wallet balance, without unrealised profit.
    pub wallet: SignedAmount,
    /// Free for new positions, where stated.
    pub available: Option<SignedAmount>,
}

/// The account as a whole, at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSnapshot {
    /// The venue's time of the snapshot.
    pub venue_time: Timestamp,
    /// All assets with a balance.
    pub balances: Vec<Balance>,
    /// Hedge or net.
    pub mode: PositionMode,
    /// Whether several assets share margin; unsupported when true.
    pub multi_assets: bool,
    /// Whether the account may trade, where stated.
    pub can_trade: Option<bool>,
    /// Whether the account may withdraw, where stated.
    pub can_withdraw: Option<bool>,
}

/// What an account stream says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum AccountEvent {
    /// An order changed.
    Order {
        /// Its new description.
        report: OrderReport,
    },
    /// An execution.
    Fill {
        /// What was executed.
        fill: Fill,
    },
    /// The venue states leg sizes (0 is flat). A cross-check, never a source of fills.
    Legs {
        /// One row a leg.
        legs: Vec<LegSize>,
        /// The venue's time.
        venue_time: Timestamp,
    },
    /// The venue states wallet balances. A cross-check.
    Balances {
        /// One row an asset.
        balances: Vec<Balance>,
        /// The venue's time.
        venue_time: Timestamp,
    },
    /// Funding, transfer or another flow.
    CashFlow {
        /// What flowed.
        flow: CashFlow,
    },
    /// Leverage of a symbol was changed.
    LeverageChanged {
        /// Which instrument.
        instrument: InstrumentId,
        /// The new multiple.
        leverage: Leverage,
    },
    /// The venue warns of liquidation.
    MarginCall {
        /// The venue's text.
        detail: String,
    },
    /// The stream is gone or silent; nothing can be trusted until [`AccountEvent::Reconnected`].
    Disconnected {
        /// Why.
        reason: String,
    },
    /// The stream is back and what was missed has been back-filled.
    Reconnected,
    /// A message this version does not know, by its kind.
    Unrecognised {
        /// The venue's name of it.
        name: String,
    },
}

/// A leg's size as the venue states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegSize {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Which leg.
    pub side: ReportedSide,
    /// Unsigned quantity; zero is flat.
    pub qty: Decimal,
    /// Average entry, where the leg is open.
    pub entry: Option<Price>,
}

/// What a market stream says. Instruments are the engine's small indices: this is the hot path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum MarketEvent {
    /// A bar from before the start; feeds indicators, never decisions.
    History {
        /// Which instrument.
        instrument: InstrumentIx,
        /// The bar.
        bar: Bar,
    },
    /// A bar has closed.
    Bar {
        /// Which instrument.
        instrument: InstrumentIx,
        /// The bar.
        bar: Bar,
    },
    /// The mark price.
    Mark {
        /// Which instrument.
        instrument: InstrumentIx,
        /// Mark price.
        mark: Price,
        /// The venue's time of it.
        venue_time: Timestamp,
    },
    /// The running estimate of the next funding rate.
    Funding {
        /// Which instrument.
        instrument: InstrumentIx,
        /// Fraction of notional, positive when longs pay.
        rate: Decimal,
        /// When it is settled.
        settles_at: Timestamp,
    },
    /// Best bid and ask.
    Book {
        /// Which instrument.
        instrument: InstrumentIx,
        /// Best bid.
        bid: Price,
        /// Its size.
        bid_qty: Qty,
        /// Best ask.
        ask: Price,
        /// Its size.
        ask_qty: Qty,
        /// The venue's time.
        venue_time: Timestamp,
    },
    /// A public trade.
    Trade {
        /// Which instrument.
        instrument: InstrumentIx,
        /// Price.
        price: Price,
        /// Quantity.
        qty: Qty,
        /// Whether the seller aggressed.
        seller_aggressed: bool,
        /// The venue's time.
        venue_time: Timestamp,
    },
    /// Data of an instrument is missing; indicators must warm up again.
    Gap {
        /// Which instrument.
        instrument: InstrumentIx,
        /// First missing instant.
        from: Timestamp,
        /// First instant present again.
        to: Timestamp,
    },
    /// No data arrives any more.
    Silent {
        /// Which instrument.
        instrument: InstrumentIx,
    },
}

/// A market stream an executor wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Venue name.
    pub id: InstrumentId,
    /// What the engine calls it; put into each event.
    pub instrument: InstrumentIx,
    /// Which stream.
    pub channel: Channel,
}

/// Kinds of market stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Closed bars.
    Bars(Interval),
    /// Mark price and funding estimate.
    Mark,
    /// Best bid and ask.
    BookTicker,
    /// Public trades.
    Trades,
}

/// Which bars to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarQuery {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Which length.
    pub interval: Interval,
    /// First open time; the most recent bars when absent.
    pub from: Option<Timestamp>,
    /// Last open time, inclusive.
    pub to: Option<Timestamp>,
    /// How many, over as many pages as needed.
    pub limit: usize,
}

/// The kind of account behind a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// A simulated exchange on this machine.
    Loopback,
    /// The venue's demo or test environment.
    Testnet,
    /// Real money.
    Mainnet,
}

/// Which account on which host a client speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueFingerprint {
    /// Which venue.
    pub venue: Venue,
    /// Which kind of account.
    pub environment: Environment,
    /// REST base, without credentials.
    pub host: String,
    /// Digest of the API key; never the key.
    pub key_digest: String,
}

/// What a venue can do; known before trading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it keeps LONG and SHORT legs.
    pub hedge_mode: bool,
    /// Whether stops rest at the venue.
    pub server_stops: bool,
    /// Whether a stop can cover the whole leg.
    pub close_all_stops: bool,
    /// How many conditional orders may be open on the account.
    pub max_conditional_orders: u32,
    /// Until when a request may be accepted after its timestamp; `None` if never bounded.
    pub request_deadline: Option<Duration>,
    /// How long an accepted order may stay invisible to queries.
    pub visibility_delay: Duration,
    /// Margin modes it offers.
    pub margin_modes: Vec<MarginMode>,
}

impl fmt::Display for VenueFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} at {} (key {})", self.venue, self.environment, self.host, self.key_digest)
    }
}
