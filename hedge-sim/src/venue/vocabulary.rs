//! The words of the exchange: enums whose text form is the one on the wire.
//!
//! Source: Binance USD-M docs, Common Definition; fact sheet 3, 4.5, 5, 7.

use serde::{Deserialize, Serialize};

/// Declares an enum together with its wire text, so that the two cannot drift apart.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text used on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }

            /// The value for a wire text; `None` when the exchange does not know the text.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text_enum! {
    /// Side of an order.
    Side {
        /// Buys base.
        Buy => "BUY",
        /// Sells base.
        Sell => "SELL",
    }
}

impl Side {
    /// +1 for a buy, -1 for a sell.
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

text_enum! {
    /// Which position row an order or a leg belongs to.
    PositionSide {
        /// The net position of one-way mode.
        Both => "BOTH",
        /// The long leg of hedge mode.
        Long => "LONG",
        /// The short leg of hedge mode.
        Short => "SHORT",
    }
}

text_enum! {
    /// Order types, plain and conditional.
    OrderType {
        /// Limit order.
        Limit => "LIMIT",
        /// Market order.
        Market => "MARKET",
        /// Stop that places a limit order.
        Stop => "STOP",
        /// Stop that places a market order.
        StopMarket => "STOP_MARKET",
        /// Take profit that places a limit order.
        TakeProfit => "TAKE_PROFIT",
        /// Take profit that places a market order.
        TakeProfitMarket => "TAKE_PROFIT_MARKET",
        /// Trailing stop that places a market order.
        TrailingStopMarket => "TRAILING_STOP_MARKET",
        /// Forced close by the exchange; never accepted from outside.
        Liquidation => "LIQUIDATION",
    }
}

impl OrderType {
    /// True for the five types that belong to the algo service.
    pub const fn is_conditional(self) -> bool {
        matches!(
            self,
            Self::Stop
                | Self::StopMarket
                | Self::TakeProfit
                | Self::TakeProfitMarket
                | Self::TrailingStopMarket
        )
    }

    /// True for the conditional types whose child is a limit order.
    pub const fn has_limit_child(self) -> bool {
        matches!(self, Self::Stop | Self::TakeProfit)
    }

    /// True for the two take-profit types.
    pub const fn is_take_profit(self) -> bool {
        matches!(self, Self::TakeProfit | Self::TakeProfitMarket)
    }
}

text_enum! {
    /// Time in force.
    Tif {
        /// Until cancelled.
        Gtc => "GTC",
        /// Fill at once what can be filled, expire the rest.
        Ioc => "IOC",
        /// All at once or nothing.
        Fok => "FOK",
        /// Post only.
        Gtx => "GTX",
        /// Until a date.
        Gtd => "GTD",
        /// Tied to the position (algo orders only).
        GteGtc => "GTE_GTC",
    }
}

text_enum! {
    /// State of a plain order.
    OrderStatus {
        /// Accepted, nothing filled.
        New => "NEW",
        /// Some quantity filled, the rest works.
        PartiallyFilled => "PARTIALLY_FILLED",
        /// Filled in full.
        Filled => "FILLED",
        /// Cancelled by the user.
        Canceled => "CANCELED",
        /// Ended by the exchange.
        Expired => "EXPIRED",
        /// Ended by self-trade prevention.
        ExpiredInMatch => "EXPIRED_IN_MATCH",
    }
}

impl OrderStatus {
    /// True while the order can still be filled.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled)
    }
}

text_enum! {
    /// Why an order event is sent (`x`).
    ExecutionType {
        /// Accepted.
        New => "NEW",
        /// A fill.
        Trade => "TRADE",
        /// Cancelled by the user.
        Canceled => "CANCELED",
        /// Ended by the exchange.
        Expired => "EXPIRED",
        /// Modified.
        Amendment => "AMENDMENT",
        /// A forced fill (liquidation, ADL).
        Calculated => "CALCULATED",
    }
}

text_enum! {
    /// Why an order expired (`er`).
    ExpiryReason {
        /// Not an expiry.
        None => "0",
        /// Self-trade prevention.
        SelfTrade => "1",
        /// Remainder of an IOC order.
        IocRemainder => "2",
        /// Remainder of an IOC order because of self-trade prevention.
        IocSelfTrade => "3",
        /// Displaced because the leg no longer covers it.
        ReduceOnly => "4",
        /// Swept by a liquidation.
        Liquidation => "5",
        /// The position it was tied to is gone.
        Gte => "6",
        /// The symbol left trading.
        Delisting => "7",
        /// Remainder of a market order.
        MarketRemainder => "9",
    }
}

text_enum! {
    /// State of an algo order.
    AlgoStatus {
        /// Waiting for its trigger.
        New => "NEW",
        /// Condition met, child on its way.
        Triggering => "TRIGGERING",
        /// Child accepted by the matching engine.
        Triggered => "TRIGGERED",
        /// Child ended.
        Finished => "FINISHED",
        /// Cancelled before it triggered.
        Canceled => "CANCELED",
        /// Ended by the exchange before it triggered.
        Expired => "EXPIRED",
        /// The child was refused.
        Rejected => "REJECTED",
    }
}

impl AlgoStatus {
    /// True while the algo order waits for its trigger.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::New)
    }
}

text_enum! {
    /// Which price an algo order watches.
    WorkingType {
        /// Last trade.
        Contract => "CONTRACT_PRICE",
        /// Mark price.
        Mark => "MARK_PRICE",
    }
}

text_enum! {
    /// What happens when an account would trade with itself.
    Stp {
        /// No prevention.
        None => "NONE",
        /// The incoming order ends.
        ExpireTaker => "EXPIRE_TAKER",
        /// The resting order ends.
        ExpireMaker => "EXPIRE_MAKER",
        /// Both end.
        ExpireBoth => "EXPIRE_BOTH",
    }
}

text_enum! {
    /// Price taken from the book at placement.
    PriceMatch {
        /// Best opposite price.
        Opponent => "OPPONENT",
        /// Fifth opposite level.
        Opponent5 => "OPPONENT_5",
        /// Tenth opposite level.
        Opponent10 => "OPPONENT_10",
        /// Twentieth opposite level.
        Opponent20 => "OPPONENT_20",
        /// Best own-side price.
        Queue => "QUEUE",
        /// Fifth own-side level.
        Queue5 => "QUEUE_5",
        /// Tenth own-side level.
        Queue10 => "QUEUE_10",
        /// Twentieth own-side level.
        Queue20 => "QUEUE_20",
    }
}

impl PriceMatch {
    /// True when the price comes from the opposite side of the book.
    pub const fn is_opponent(self) -> bool {
        matches!(self, Self::Opponent | Self::Opponent5 | Self::Opponent10 | Self::Opponent20)
    }

    /// Zero-based level of the book that gives the price.
    pub const fn level(self) -> usize {
        match self {
            Self::Opponent | Self::Queue => 0,
            Self::Opponent5 | Self::Queue5 => 4,
            Self::Opponent10 | Self::Queue10 => 9,
            Self::Opponent20 | Self::Queue20 => 19,
        }
    }
}

text_enum! {
    /// Margin type of a symbol.
    MarginType {
        /// The whole wallet stands behind the position.
        Crossed => "CROSSED",
        /// Each leg has its own margin.
        Isolated => "ISOLATED",
    }
}

text_enum! {
    /// Trading status of a symbol.
    SymbolStatus {
        /// Announced, not yet open.
        PendingTrading => "PENDING_TRADING",
        /// Open.
        Trading => "TRADING",
        /// About to be delivered.
        PreDelivering => "PRE_DELIVERING",
        /// Being delivered.
        Delivering => "DELIVERING",
        /// Delivered.
        Delivered => "DELIVERED",
        /// About to be settled.
        PreSettle => "PRE_SETTLE",
        /// Being settled.
        Settling => "SETTLING",
        /// Closed.
        Close => "CLOSE",
    }
}

text_enum! {
    /// Kind of a ledger row.
    IncomeType {
        /// Deposit into or withdrawal from the futures wallet.
        Transfer => "TRANSFER",
        /// Profit or loss of a fill, fee excluded.
        RealizedPnl => "REALIZED_PNL",
        /// Funding payment.
        FundingFee => "FUNDING_FEE",
        /// Trading fee.
        Commission => "COMMISSION",
        /// Liquidation clearance fee, or a deficit covered by the insurance fund.
        InsuranceClear => "INSURANCE_CLEAR",
    }
}

text_enum! {
    /// Reason of an account event (`m`).
    UpdateReason {
        /// Money came in.
        Deposit => "DEPOSIT",
        /// Money went out.
        Withdraw => "WITHDRAW",
        /// A fill.
        Order => "ORDER",
        /// Funding.
        FundingFee => "FUNDING_FEE",
        /// Clearance with the insurance fund.
        InsuranceClear => "INSURANCE_CLEAR",
        /// Margin type of a symbol changed.
        MarginTypeChange => "MARGIN_TYPE_CHANGE",
        /// Margin of an isolated leg was added or taken out.
        MarginTransfer => "MARGIN_TRANSFER",
    }
}
