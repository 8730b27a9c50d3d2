//! The venue's words as enums. A word we do not know is kept and passes for none that we know.

/// Declares an enum of wire words with an `Unknown` arm.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* #[doc = concat!("`", $text, "`")] $variant,)+
            /// A word that the fact sheet does not list.
            Unknown(String),
        }

        impl $name {
            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl serde::Serialize for $name {
            /// A word that is not known is written as `{"unknown":"WORD"}`, so that it passes for none that is.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    Self::Unknown(text) => serializer.collect_map([("unknown", text)]),
                    known => serializer.serialize_str(known.as_str()),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(<std::borrow::Cow<'de, str>>::deserialize(deserializer)?.as_ref()))
            }
        }
    };
}

words!(
    /// BUY or SELL.
    Side { Buy = "BUY", Sell = "SELL" }
);
words!(
    /// Which leg a row belongs to; `BOTH` in one-way mode.
    LegWord { Long = "LONG", Short = "SHORT", Both = "BOTH" }
);
words!(
    /// State of a plain order. Source: fact sheet 7.2.
    OrderStatus {
        New = "NEW", PartiallyFilled = "PARTIALLY_FILLED", Filled = "FILLED", Canceled = "CANCELED",
        Rejected = "REJECTED", Expired = "EXPIRED", ExpiredInMatch = "EXPIRED_IN_MATCH",
        NewInsurance = "NEW_INSURANCE", NewAdl = "NEW_ADL",
    }
);
words!(
    /// State of a conditional order. Source: fact sheet 5.5.
    AlgoStatus {
        New = "NEW", Triggering = "TRIGGERING", Triggered = "TRIGGERED", Finished = "FINISHED",
        Canceled = "CANCELED", Expired = "EXPIRED", Rejected = "REJECTED",
    }
);
words!(
    /// Order type, plain and conditional.
    OrderType {
        Limit = "LIMIT", Market = "MARKET", Stop = "STOP", StopMarket = "STOP_MARKET",
        TakeProfit = "TAKE_PROFIT", TakeProfitMarket = "TAKE_PROFIT_MARKET",
        TrailingStopMarket = "TRAILING_STOP_MARKET", Liquidation = "LIQUIDATION",
    }
);
words!(
    /// How long an order lives. Source: fact sheet 7.3.
    TimeInForce {
        Gtc = "GTC", Ioc = "IOC", Fok = "FOK", Gtx = "GTX", Gtd = "GTD", Rpi = "RPI", GteGtc = "GTE_GTC",
    }
);
words!(
    /// Which price triggers a conditional order.
    WorkingType { Contract = "CONTRACT_PRICE", Mark = "MARK_PRICE" }
);
words!(
    /// Why an order event was pushed. Source: fact sheet 9.2.
    ExecutionType {
        New = "NEW", Trade = "TRADE", Canceled = "CANCELED", Expired = "EXPIRED", Amendment = "AMENDMENT",
        Calculated = "CALCULATED",
    }
);
words!(
    /// CROSSED or ISOLATED, in each of the venue's spellings.
    MarginWord { Crossed = "CROSSED", Cross = "cross", CrossedLower = "crossed", Isolated = "ISOLATED", IsolatedLower = "isolated" }
);
words!(
    /// Whether a symbol trades.
    SymbolStatus {
        PendingTrading = "PENDING_TRADING", Trading = "TRADING", PreDelivering = "PRE_DELIVERING",
        Delivering = "DELIVERING", Delivered = "DELIVERED", PreSettle = "PRE_SETTLE", Settling = "SETTLING",
        Close = "CLOSE",
    }
);
words!(
    /// Kind of contract. Source: fact sheet 4.2.
    ContractType {
        Perpetual = "PERPETUAL", CurrentMonth = "CURRENT_MONTH", NextMonth = "NEXT_MONTH",
        CurrentQuarter = "CURRENT_QUARTER", NextQuarter = "NEXT_QUARTER",
        PerpetualDelivering = "PERPETUAL_DELIVERING", TradifiPerpetual = "TRADIFI_PERPETUAL",
    }
);
words!(
    /// Why money moved. Source: fact sheet 4.7.
    IncomeType {
        Transfer = "TRANSFER", WelcomeBonus = "WELCOME_BONUS", RealizedPnl = "REALIZED_PNL",
        FundingFee = "FUNDING_FEE", Commission = "COMMISSION", InsuranceClear = "INSURANCE_CLEAR",
        ReferralKickback = "REFERRAL_KICKBACK", CommissionRebate = "COMMISSION_REBATE", ApiRebate = "API_REBATE",
        ContestReward = "CONTEST_REWARD", CrossCollateralTransfer = "CROSS_COLLATERAL_TRANSFER",
        OptionsPremiumFee = "OPTIONS_PREMIUM_FEE", OptionsSettleProfit = "OPTIONS_SETTLE_PROFIT",
        InternalTransfer = "INTERNAL_TRANSFER", AutoExchange = "AUTO_EXCHANGE",
        DeliveredSettlement = "DELIVERED_SETTELMENT", CoinSwapDeposit = "COIN_SWAP_DEPOSIT",
        CoinSwapWithdraw = "COIN_SWAP_WITHDRAW", PositionLimitIncreaseFee = "POSITION_LIMIT_INCREASE_FEE",
        StrategyTransfer = "STRATEGY_UMFUTURES_TRANSFER", FeeReturn = "FEE_RETURN", BfusdReward = "BFUSD_REWARD",
        SpecialFundingFee = "SPECIAL_FUNDING_FEE",
    }
);
words!(
    /// Why an account event was pushed. Source: fact sheet 9.4.
    AccountReason {
        Deposit = "DEPOSIT", Withdraw = "WITHDRAW", Order = "ORDER", FundingFee = "FUNDING_FEE",
        WithdrawReject = "WITHDRAW_REJECT", Adjustment = "ADJUSTMENT", InsuranceClear = "INSURANCE_CLEAR",
        AdminDeposit = "ADMIN_DEPOSIT", AdminWithdraw = "ADMIN_WITHDRAW", MarginTransfer = "MARGIN_TRANSFER",
        MarginTypeChange = "MARGIN_TYPE_CHANGE", AssetTransfer = "ASSET_TRANSFER",
        OptionsPremiumFee = "OPTIONS_PREMIUM_FEE", OptionsSettleProfit = "OPTIONS_SETTLE_PROFIT",
        AutoExchange = "AUTO_EXCHANGE", CoinSwapDeposit = "COIN_SWAP_DEPOSIT",
        CoinSwapWithdraw = "COIN_SWAP_WITHDRAW", Adl = "ADL",
    }
);

words!(
    /// How likely auto-deleveraging is on a symbol. Source: Binance USD-M docs, market data, "ADL Risk".
    AdlRisk { Low = "low", Medium = "medium", High = "high" }
);
words!(
    /// What may be traded in a session. Source: Binance USD-M docs, market data, "Trading Schedule".
    SessionType {
        PreMarket = "PRE_MARKET", Regular = "REGULAR", AfterMarket = "AFTER_MARKET", Overnight = "OVERNIGHT",
        NoTrading = "NO_TRADING",
    }
);
words!(
    /// What kind of payment a funding row was. Source: fact sheet 4.1.
    FundingRateType { Regular = "Regular", Special = "Special" }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_kept_and_equals_no_known_one() {
        let status: OrderStatus = serde_json::from_str(r#""HALF_DONE""#).unwrap();
        assert_eq!(status, OrderStatus::Unknown("HALF_DONE".to_owned()));
        assert_eq!(status.as_str(), "HALF_DONE");
    }

    #[test]
    fn the_venues_misspelling_is_read_as_it_is() {
        assert_eq!(IncomeType::from("DELIVERED_SETTELMENT"), IncomeType::DeliveredSettlement);
    }
}
