//! Refusals of the exchange: HTTP status, code and message.
//!
//! Source: Binance USD-M docs, Error Codes; fact sheet 11.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A refusal as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {msg}")]
pub struct VenueError {
    /// HTTP status of the answer.
    pub http: u16,
    /// The exchange's own code, negative.
    pub code: i64,
    /// Text beside the code.
    pub msg: Cow<'static, str>,
}

impl VenueError {
    /// A refusal with HTTP 400, the usual one.
    pub fn refuse(code: i64, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { http: 400, code, msg: msg.into() }
    }

    /// The refusal for a code of the table, with its usual text.
    pub fn of(refusal: Refusal) -> Self {
        Self::refuse(refusal.code(), refusal.text())
    }
}

impl From<Refusal> for VenueError {
    fn from(refusal: Refusal) -> Self {
        Self::of(refusal)
    }
}

/// Declares the refusals of the core as one table: name, code, text.
macro_rules! refusals {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        /// Every refusal with a fixed text that the core can give.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Refusal {
            $($(#[$meta])* #[doc = concat!("`", $code, "`: ", $text)] $name),+
        }

        impl Refusal {
            /// All of them, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code on the wire.
            pub const fn code(self) -> i64 {
                match self { $(Self::$name => $code),+ }
            }

            /// The text beside the code.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

refusals! {
    TifNotRequired = -1106, "Parameter 'timeinforce' sent when not required.";
    PriceNotRequired = -1106, "Parameter 'price' sent when not required.";
    ReduceOnlyNotRequired = -1106, "Parameter 'reduceonly' sent when not required.";
    Precision = -1111, "Precision is over the maximum defined for this asset.";
    BadTif = -1115, "Invalid timeInForce.";
    BadOrderType = -1116, "Invalid orderType.";
    BadSymbol = -1121, "Invalid symbol.";
    InvalidValue = -1130, "A parameter has a value that is not valid.";
    CancelRejected = -2011, "Unknown order sent.";
    NoSuchOrder = -2013, "Order does not exist.";
    BadKey = -2015, "Invalid API-key, IP, or permissions for action.";
    BalanceInsufficient = -2018, "Balance is insufficient.";
    MarginInsufficient = -2019, "Margin is insufficient.";
    WouldTrigger = -2021, "Order would immediately trigger.";
    ReduceOnlyRejected = -2022, "ReduceOnly Order is rejected.";
    MaxOpenOrders = -2025, "Reach max open order limit.";
    AboveBracket = -2027, "Exceeded the maximum allowable position at current leverage.";
    LeverageTooSmall = -2028, "Leverage is smaller than permitted: insufficient margin balance.";
    PriceAboveMax = -4002, "Price greater than max price.";
    QtyNotPositive = -4003, "Quantity less than or equal to zero.";
    QtyBelowMin = -4004, "Quantity less than min quantity.";
    QtyAboveMax = -4005, "Quantity greater than max quantity.";
    TriggerTooLow = -4006, "Stop price less than or equal to zero.";
    TriggerAboveMax = -4007, "Stop price greater than max price.";
    PriceBelowMin = -4013, "Price less than min price.";
    PriceOffTick = -4014, "Price not increased by tick size.";
    BadClientId = -4015, "Client order id is not valid.";
    AbovePercentPrice = -4016, "Limit price can't be higher than the mark price multiplier cap.";
    QtyOffStep = -4023, "Quantity not increased by step size.";
    BelowPercentPrice = -4024, "Limit price can't be lower than the mark price multiplier floor.";
    BadLeverage = -4028, "Leverage is not valid.";
    MaxAlgoOrders = -4045, "Reach max stop order limit.";
    MarginTypeUnchanged = -4046, "No need to change margin type.";
    MarginTypeOrders = -4047, "Margin type cannot be changed if there exists open orders.";
    MarginTypePosition = -4048, "Margin type cannot be changed if there exists position.";
    MarginNotIsolated = -4049, "Add margin only support for isolated position.";
    CrossBalanceInsufficient = -4050, "Cross balance insufficient.";
    IsolatedBalanceInsufficient = -4051, "Isolated balance insufficient.";
    MarginNoPosition = -4054, "Cannot add position margin: position is 0.";
    MarginAmount = -4055, "Amount must be positive.";
    PositionModeUnchanged = -4059, "No need to change position side.";
    PositionSideMismatch = -4061, "Order's position side does not match user's setting.";
    PositionModeOrders = -4067, "Position side cannot be changed if there exists open orders.";
    PositionModePosition = -4068, "Position side cannot be changed if there exists position.";
    NotOpenYet = -4084, "Method is not allowed currently. Upcoming soon.";
    OnlyReduceOnly = -4087, "User can only place reduce only order.";
    MayNotTrade = -4088, "User can not place order currently.";
    DuplicateClientId = -4116, "ClientOrderId is duplicated.";
    ConditionalElsewhere = -4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.";
    SecondCloseAll = -4130, "An open stop or take profit order with closePosition in the direction is existing.";
    NoOppositePrice = -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.";
    BadActivation = -4135, "Invalid activation price.";
    QtyWithCloseAll = -4137, "Quantity must be zero with closePosition equals true.";
    ReduceOnlyWithCloseAll = -4138, "Reduce only must not be sent with closePosition equals true.";
    CloseAllType = -4139, "Order type can not be used with closePosition.";
    NotOpenForPositions = -4140, "Invalid symbol status for opening position.";
    SymbolClosed = -4141, "Symbol is closed.";
    LeverageLowering = -4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions.";
    AssetModeIsolated = -4167, "Unable to adjust to Multi-Assets mode with symbols under isolated-margin mode.";
    IsolatedInAssetMode = -4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.";
    AssetModeMargin = -4169, "Unable to adjust Multi-Assets Mode with insufficient margin balance.";
    AssetModeOrders = -4170, "Unable to adjust Multi-Assets Mode with open orders.";
    AssetModeUnchanged = -4171, "Adjusted asset mode is currently set and does not need to be adjusted repeatedly.";
    AssetModeNegative = -4172, "Unable to adjust Multi-Assets Mode with a negative wallet balance of a margin asset.";
    GteNeedsPosition = -4509, "Time in Force (TIF) GTE can only be used with open positions.";
    FokRejected = -5021, "Due to the order could not be filled immediately, the FOK order has been rejected.";
    PostOnlyRejected = -5022, "Due to the order could not be executed as maker, the Post Only order has been rejected.";
    ModifyHalted = -5024, "Symbol is not in trading status. Order amendment is not permitted.";
    ModifyNotLimit = -5025, "Only limit order is supported.";
    ModifyTooMany = -5026, "Exceed maximum modify order limit.";
    ModifyUnchanged = -5027, "No need to modify the order.";
    PriceMatchWithPrice = -5037, "Invalid price match: price must not be sent with priceMatch.";
    PriceMatchType = -5038, "Price match only supports LIMIT, STOP and TAKE_PROFIT orders.";
    BadGtd = -5040, "The goodTillDate must be greater than the current time plus 600 seconds and smaller than 253402300799000.";
    NoBbo = -5041, "No depth matches this BBO order.";
    ModifyReduceOnly = -5047, "Modify with reduceOnly needs an order that is reduce only.";
}
