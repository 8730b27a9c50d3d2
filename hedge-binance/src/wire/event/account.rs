//! Balances, legs, settings and warnings of the account. Source: fact sheet 9.4 and 9.5.

use super::shape::shape;
use crate::wire::text::{AccountReason, LegWord, MarginWord};

shape! {
    /// One asset of an `ACCOUNT_UPDATE`.
    BalanceChange {
        dec {
            /// Wallet.
            wallet = "wb",
        }
        opt_dec {
            /// Wallet that crossed positions share. Not what is available.
            cross_wallet = "cw",
            /// Change that is neither profit nor fee.
            change = "bc",
        }
        text {
            /// Name.
            asset = "a",
        }
    }
}

shape! {
    /// One leg of an `ACCOUNT_UPDATE`.
    PositionChange {
        dec {
            /// Signed size.
            amount = "pa",
        }
        opt_dec {
            /// Average entry.
            entry = "ep",
            /// Entry with fees.
            break_even = "bep",
            /// Profit so far, before fees.
            realized = "cr",
            /// Profit at mark.
            unrealized = "up",
            /// Wallet of an isolated leg.
            isolated_wallet = "iw",
        }
        text {
            /// Name.
            symbol = "s",
        }
        word {
            /// Leg.
            position_side: LegWord = "ps",
        }
        opt_word {
            /// Crossed or isolated.
            margin_type: MarginWord = "mt",
        }
    }
}

shape! {
    /// What changed in an `ACCOUNT_UPDATE`.
    AccountBody {
        opt_text {
            /// Symbol of a funding payment; since August 2026.
            symbol = "S",
        }
        word {
            /// Why.
            reason: AccountReason = "m",
        }
        list {
            /// Changed assets.
            balances: BalanceChange = "B",
            /// Changed legs.
            positions: PositionChange = "P",
        }
    }
}

shape! {
    /// `ACCOUNT_UPDATE`.
    AccountUpdate {
        int {
            /// Pushed at.
            event_time = "E",
            /// Engine time.
            time = "T",
        }
        part {
            /// What changed.
            body: AccountBody = "a",
        }
    }
}

shape! {
    /// The leverage half of an `ACCOUNT_CONFIG_UPDATE`.
    LeverageChange {
        int {
            /// New multiple.
            leverage = "l",
        }
        text {
            /// Name.
            symbol = "s",
        }
    }
}

shape! {
    /// The multi-assets half of an `ACCOUNT_CONFIG_UPDATE`.
    MultiAssetsChange {
        yes {
            /// New state.
            multi_assets = "j",
        }
    }
}

shape! {
    /// `ACCOUNT_CONFIG_UPDATE`: either half.
    ConfigUpdate {
        opt_int {
            /// Pushed at.
            event_time = "E",
            /// Engine time.
            time = "T",
        }
        opt_part {
            /// Leverage of a symbol.
            leverage: LeverageChange = "ac",
            /// Multi-assets mode.
            multi_assets: MultiAssetsChange = "ai",
        }
    }
}

shape! {
    /// One leg of a `MARGIN_CALL`.
    MarginCallLeg {
        opt_dec {
            /// Signed size.
            amount = "pa",
            /// Wallet of an isolated leg.
            isolated_wallet = "iw",
            /// Mark.
            mark = "mp",
            /// Profit at mark.
            unrealized = "up",
            /// Maintenance margin needed.
            maintenance = "mm",
        }
        text {
            /// Name.
            symbol = "s",
        }
        word {
            /// Leg.
            position_side: LegWord = "ps",
        }
        opt_word {
            /// Crossed or isolated.
            margin_type: MarginWord = "mt",
        }
    }
}

shape! {
    /// `MARGIN_CALL`. May come after the liquidation that it warns of.
    MarginCall {
        opt_int {
            /// Pushed at.
            event_time = "E",
        }
        opt_dec {
            /// Wallet of crossed positions; on crossed calls only.
            cross_wallet = "cw",
        }
        list {
            /// Legs in danger.
            positions: MarginCallLeg = "p",
        }
    }
}

shape! {
    /// `listenKeyExpired`. The connection stays open and mute.
    ListenKeyExpired {
        opt_int {
            /// Pushed at; text in an older form.
            event_time = "E",
        }
        opt_text {
            /// The key that is over.
            listen_key = "listenKey",
        }
    }
}

shape! {
    /// A native strategy. Source: Binance USD-M docs, user data streams, "STRATEGY_UPDATE".
    StrategyBody {
        int {
            /// Number.
            strategy_id = "si",
        }
        opt_int {
            /// When it changed.
            update_time = "ut",
            /// Why, as a number.
            operation = "c",
        }
        opt_text {
            /// `GRID`, …
            strategy_type = "st",
            /// State.
            strategy_status = "ss",
            /// Name.
            symbol = "s",
        }
    }
}

shape! {
    /// `STRATEGY_UPDATE`: a native strategy of the venue has started, changed or ended.
    StrategyUpdate {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// Engine time.
            time = "T",
        }
        part {
            /// The strategy.
            strategy: StrategyBody = "su",
        }
    }
}

shape! {
    /// A native grid. Source: Binance USD-M docs, user data streams, "GRID_UPDATE".
    GridBody {
        int {
            /// Number.
            strategy_id = "si",
        }
        opt_int {
            /// When it changed.
            update_time = "ut",
        }
        opt_dec {
            /// Profit so far.
            realized = "r",
            /// Average price of what is open.
            unmatched_price = "up",
            /// Quantity that is open.
            unmatched_qty = "uq",
            /// Fee of what is open.
            unmatched_fee = "uf",
            /// Profit of matched pairs.
            matched_profit = "mp",
        }
        opt_text {
            /// `GRID`.
            strategy_type = "st",
            /// State.
            strategy_status = "ss",
            /// Name.
            symbol = "s",
        }
    }
}

shape! {
    /// `GRID_UPDATE`: a level of a native grid has filled.
    GridUpdate {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// Engine time.
            time = "T",
        }
        part {
            /// The grid.
            grid: GridBody = "gu",
        }
    }
}
