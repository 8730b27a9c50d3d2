//! Trades, candles, prices and notices. Source: fact sheet 8.2.

use super::shape::shape;
use crate::wire::text::{ContractType, OrderStatus, OrderType, SessionType, Side, SymbolStatus, TimeInForce};

shape! {
    /// `aggTrade`: fills of one taker order at one price.
    AggTradeEvent {
        int {
            /// Aggregate id.
            id = "a",
            /// Traded at.
            trade_time = "T",
            /// Pushed at.
            event_time = "E",
            /// First trade in it.
            first_trade = "f",
            /// Last trade in it.
            last_trade = "l",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M; since June 2026.
            market_type = "st",
        }
        dec {
            /// Price.
            price = "p",
        }
        qty {
            /// Quantity.
            qty = "q",
        }
        opt_qty {
            /// Quantity without retail price improvement; since December 2025.
            normal_qty = "nq",
        }
        text {
            /// Name.
            symbol = "s",
        }
        yes {
            /// Whether the buyer rested, so that the seller aggressed.
            buyer_is_maker = "m",
        }
    }
}

shape! {
    /// `trade`: single fills. Not documented for futures; nothing depends on it.
    TradeEvent {
        int {
            /// Pushed at.
            event_time = "E",
            /// Traded at.
            trade_time = "T",
            /// Trade id.
            id = "t",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M.
            market_type = "st",
        }
        dec {
            /// Price.
            price = "p",
        }
        qty {
            /// Quantity.
            qty = "q",
        }
        text {
            /// Name.
            symbol = "s",
        }
        opt_text {
            /// `MARKET`, `INSURANCE_FUND`, `NA`, …
            origin = "X",
        }
        yes {
            /// Whether the buyer rested, so that the seller aggressed.
            buyer_is_maker = "m",
        }
    }
}

shape! {
    /// `markPriceUpdate`. Here `ap` is an average of marks, not a fill price.
    MarkPriceEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// Next settlement; 0 on dated contracts.
            next_funding = "T",
            /// 1 for USD-M, 2 for COIN-M; since June 2026.
            market_type = "st",
        }
        dec {
            /// Mark price.
            mark = "p",
            /// Index price.
            index = "i",
        }
        opt_dec {
            /// Moving average of the mark; since March 2026.
            mark_average = "ap",
            /// Estimated settlement price.
            settle = "P",
            /// Running estimate of the next funding rate; empty on dated contracts.
            funding_rate = "r",
        }
        text {
            /// Name.
            symbol = "s",
        }
    }
}

shape! {
    /// The candle of a `kline` event.
    KlineBody {
        int {
            /// First millisecond.
            open_time = "t",
            /// Last millisecond.
            close_time = "T",
            /// How many trades.
            trades = "n",
        }
        opt_int {
            /// First trade in it.
            first_trade = "f",
            /// Last trade in it.
            last_trade = "L",
        }
        dec {
            /// First price.
            open = "o",
            /// Last price.
            close = "c",
            /// Highest price.
            high = "h",
            /// Lowest price.
            low = "l",
        }
        qty {
            /// Base volume.
            volume = "v",
            /// Quote volume.
            quote_volume = "q",
        }
        opt_qty {
            /// Base volume that takers bought.
            taker_buy_volume = "V",
            /// Quote volume that takers bought.
            taker_buy_quote_volume = "Q",
        }
        text {
            /// Interval in the venue's spelling.
            interval = "i",
        }
        opt_text {
            /// Name; not on continuous candles.
            candle_symbol = "s",
            /// To be ignored.
            filler = "B",
        }
        yes {
            /// Whether it is over.
            closed = "x",
        }
    }
}

shape! {
    /// `kline`.
    KlineEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M.
            market_type = "st",
        }
        text {
            /// Name.
            symbol = "s",
        }
        part {
            /// The candle.
            kline: KlineBody = "k",
        }
    }
}

shape! {
    /// `continuous_kline`: candles of whatever contract of a pair is of a kind.
    ContinuousKlineEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M.
            market_type = "st",
        }
        text {
            /// Pair.
            pair = "ps",
        }
        word {
            /// Which contract of it.
            contract_type: ContractType = "ct",
        }
        part {
            /// The candle.
            kline: KlineBody = "k",
        }
    }
}

shape! {
    /// `24hrMiniTicker`.
    MiniTickerEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M; since June 2026.
            market_type = "st",
        }
        dec {
            /// Last price.
            last = "c",
            /// Price a day ago.
            open = "o",
            /// Highest of the day.
            high = "h",
            /// Lowest of the day.
            low = "l",
            /// Base volume of the day.
            volume = "v",
            /// Quote volume of the day.
            quote_volume = "q",
        }
        text {
            /// Name.
            symbol = "s",
        }
        opt_text {
            /// Pair; since June 2026.
            pair = "ps",
        }
    }
}

shape! {
    /// `24hrTicker`.
    TickerEvent {
        int {
            /// Pushed at.
            event_time = "E",
            /// Beginning of the statistics.
            open_time = "O",
            /// End of the statistics.
            close_time = "C",
        }
        opt_int {
            /// First trade of the day.
            first_trade = "F",
            /// Last trade of the day.
            last_trade = "L",
            /// How many trades.
            trades = "n",
            /// 1 for USD-M, 2 for COIN-M; since June 2026.
            market_type = "st",
        }
        dec {
            /// Change over the day.
            change = "p",
            /// The same in percent.
            change_percent = "P",
            /// Volume-weighted average price.
            average = "w",
            /// Last price.
            last = "c",
            /// Quantity of the last trade.
            last_qty = "Q",
            /// Price a day ago.
            open = "o",
            /// Highest of the day.
            high = "h",
            /// Lowest of the day.
            low = "l",
            /// Base volume of the day.
            volume = "v",
            /// Quote volume of the day.
            quote_volume = "q",
        }
        text {
            /// Name.
            symbol = "s",
        }
        opt_text {
            /// Pair; since June 2026.
            pair = "ps",
        }
    }
}

shape! {
    /// The order by which the venue liquidates somebody.
    ForceOrderBody {
        int {
            /// When.
            trade_time = "T",
        }
        dec {
            /// Ordered quantity.
            qty = "q",
            /// Limit price, near bankruptcy.
            price = "p",
        }
        opt_dec {
            /// Average fill price.
            avg_price = "ap",
            /// Quantity of the last fill.
            last_qty = "l",
            /// Filled so far.
            filled_qty = "z",
        }
        text {
            /// Name.
            symbol = "s",
        }
        word {
            /// SELL closes a LONG.
            order_side: Side = "S",
            /// LIMIT usually.
            order_type: OrderType = "o",
            /// State.
            status: OrderStatus = "X",
        }
        opt_word {
            /// IOC usually.
            time_in_force: TimeInForce = "f",
        }
    }
}

shape! {
    /// `forceOrder`: the largest liquidation of a symbol within a second.
    ForceOrderEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M; since June 2026.
            market_type = "st",
        }
        opt_text {
            /// Pair; since June 2026.
            pair = "ps",
        }
        part {
            /// The order.
            order: ForceOrderBody = "o",
        }
    }
}

shape! {
    /// A leverage bracket in a `contractInfo`.
    ContractBracket {
        int {
            /// Number.
            bracket = "bs",
        }
        opt_int {
            /// Lowest leverage.
            min_leverage = "mi",
            /// Highest leverage.
            max_leverage = "ma",
        }
        dec {
            /// Lowest notional.
            notional_floor = "bnf",
            /// Highest notional.
            notional_cap = "bnc",
            /// Maintenance margin as a fraction of notional.
            maintenance_ratio = "mmr",
        }
        opt_dec {
            /// What is deducted from the maintenance margin.
            cumulative = "cf",
        }
    }
}

shape! {
    /// `contractInfo`: a symbol was listed, changes its state or its brackets, or will be delisted.
    ContractInfoEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// Delivery or announced delisting.
            delivery_date = "dt",
            /// First day.
            onboard_date = "ot",
            /// 1 for USD-M, 2 for COIN-M.
            market_type = "st",
        }
        text {
            /// Name.
            symbol = "s",
        }
        opt_text {
            /// Pair; left out since June 2026.
            pair = "ps",
        }
        word {
            /// Whether it trades.
            status: SymbolStatus = "cs",
        }
        opt_word {
            /// Perpetual or dated.
            contract_type: ContractType = "ct",
        }
        list {
            /// New brackets, where they changed.
            brackets: ContractBracket = "bks",
        }
    }
}

shape! {
    /// `assetIndexUpdate`: what an asset counts in multi-assets mode.
    AssetIndexEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M.
            market_type = "st",
        }
        dec {
            /// Index price.
            index = "i",
        }
        opt_dec {
            /// Buffer of bids.
            bid_buffer = "b",
            /// Buffer of asks.
            ask_buffer = "a",
            /// Rate at which it is bought.
            bid_rate = "B",
            /// Rate at which it is sold.
            ask_rate = "A",
            /// Buffer of bids at automatic exchange.
            auto_bid_buffer = "q",
            /// Buffer of asks at automatic exchange.
            auto_ask_buffer = "g",
            /// Rate at which it is bought automatically.
            auto_bid_rate = "Q",
            /// Rate at which it is sold automatically.
            auto_ask_rate = "G",
        }
        text {
            /// Asset pair.
            symbol = "s",
        }
    }
}

shape! {
    /// An asset in a `compositeIndex`. Source: Binance USD-M docs, "Composite Index Symbol Information Streams".
    CompositePart {
        opt_dec {
            /// Weight as a quantity.
            weight_qty = "w",
            /// Weight in percent, as a fraction.
            weight = "W",
            /// Index price of the asset.
            asset_index = "i",
        }
        text {
            /// What is bought.
            base = "b",
            /// What it is priced in.
            quote = "q",
        }
    }
}

shape! {
    /// `compositeIndex`: a symbol that is an index of several assets.
    CompositeIndexEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// 1 for USD-M, 2 for COIN-M.
            market_type = "st",
        }
        dec {
            /// Index price.
            index = "p",
        }
        text {
            /// Name.
            symbol = "s",
        }
        opt_text {
            /// `baseAsset`.
            component = "C",
        }
        list {
            /// What it is made of.
            parts: CompositePart = "c",
        }
    }
}

shape! {
    /// A session of the market behind equity and commodity perpetuals (`tradingSession`). The sheet does not list its fields:
    /// UNCONFIRMED, so most are optional.
    TradingSessionEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// Beginning of the session.
            session_start = "t",
            /// End of the session.
            session_end = "T",
        }
        word {
            /// Which session.
            session: SessionType = "S",
        }
    }
}
