//! Account, positions, settings. Source: fact sheet 4.7–4.10.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    number::{boolean, decimal, int, opt_boolean, opt_decimal, opt_int, opt_text},
    text::{IncomeType, LegWord, MarginWord},
};

/// `GET /fapi/v3/account` and `GET /fapi/v2/account`; flags exist in v2 only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Initial margin of positions and orders.
    #[serde(deserialize_with = "decimal")]
    pub total_initial_margin: Decimal,
    /// Maintenance margin.
    #[serde(deserialize_with = "decimal")]
    pub total_maint_margin: Decimal,
    /// Wallet.
    #[serde(deserialize_with = "decimal")]
    pub total_wallet_balance: Decimal,
    /// Unrealised profit.
    #[serde(deserialize_with = "decimal")]
    pub total_unrealized_profit: Decimal,
    /// Wallet plus unrealised profit.
    #[serde(deserialize_with = "decimal")]
    pub total_margin_balance: Decimal,
    /// Initial margin of positions.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub total_position_initial_margin: Option<Decimal>,
    /// Initial margin of orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub total_open_order_initial_margin: Option<Decimal>,
    /// Wallet that crossed positions share.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub total_cross_wallet_balance: Option<Decimal>,
    /// Profit of crossed positions.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub total_cross_un_pnl: Option<Decimal>,
    /// What can be withdrawn.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub max_withdraw_amount: Option<Decimal>,
    /// What can be used for openings.
    #[serde(deserialize_with = "decimal")]
    pub available_balance: Decimal,
    /// v2: whether the account may trade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub can_trade: Option<bool>,
    /// v2: whether the account may deposit.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub can_deposit: Option<bool>,
    /// v2: whether the account may withdraw.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub can_withdraw: Option<bool>,
    /// v2: fees are paid in BNB.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub fee_burn: Option<bool>,
    /// v2: accounts of one group do not trade with each other.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub trade_group_id: Option<i64>,
    /// v2: several assets as one margin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_assets_margin: Option<bool>,
    /// v2: fee tier.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub fee_tier: Option<i64>,
    /// Per asset.
    pub assets: Vec<AccountAsset>,
    /// Per leg; v3 leaves flat legs out.
    #[serde(default)]
    pub positions: Vec<AccountPosition>,
}

/// One asset of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountAsset {
    /// Name.
    pub asset: String,
    /// Wallet.
    #[serde(deserialize_with = "decimal")]
    pub wallet_balance: Decimal,
    /// Unrealised profit.
    #[serde(deserialize_with = "decimal")]
    pub unrealized_profit: Decimal,
    /// Wallet plus unrealised profit.
    #[serde(deserialize_with = "decimal")]
    pub margin_balance: Decimal,
    /// Maintenance margin.
    #[serde(deserialize_with = "decimal")]
    pub maint_margin: Decimal,
    /// Initial margin.
    #[serde(deserialize_with = "decimal")]
    pub initial_margin: Decimal,
    /// Initial margin of positions.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub position_initial_margin: Option<Decimal>,
    /// Initial margin of orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub open_order_initial_margin: Option<Decimal>,
    /// Profit of crossed positions.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub cross_un_pnl: Option<Decimal>,
    /// Wallet that crossed positions share.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub cross_wallet_balance: Option<Decimal>,
    /// What can be used for openings.
    #[serde(deserialize_with = "decimal")]
    pub available_balance: Decimal,
    /// What can be withdrawn.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub max_withdraw_amount: Option<Decimal>,
    /// v2: whether it counts as margin in multi-assets mode.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub margin_available: Option<bool>,
    /// Last change.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
}

/// One leg inside the account answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountPosition {
    /// Name.
    pub symbol: String,
    /// Leg.
    pub position_side: LegWord,
    /// Signed size.
    #[serde(deserialize_with = "decimal")]
    pub position_amt: Decimal,
    /// Profit at mark.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub unrealized_profit: Option<Decimal>,
    /// v2 only.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub entry_price: Option<Decimal>,
    /// v2 only; text there.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub leverage: Option<i64>,
    /// v2 only.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub isolated: Option<bool>,
    /// v2: largest notional at this leverage.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub max_notional: Option<Decimal>,
    /// Initial margin.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub initial_margin: Option<Decimal>,
    /// Maintenance margin.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub maint_margin: Option<Decimal>,
    /// v2: initial margin of the position.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub position_initial_margin: Option<Decimal>,
    /// v2: initial margin of its orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub open_order_initial_margin: Option<Decimal>,
    /// v2: notional of its buy orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub bid_notional: Option<Decimal>,
    /// v2: notional of its sell orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub ask_notional: Option<Decimal>,
    /// v3: margin of an isolated leg, profit included.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub isolated_margin: Option<Decimal>,
    /// v3: wallet of an isolated leg.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub isolated_wallet: Option<Decimal>,
    /// v3: signed notional.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub notional: Option<Decimal>,
    /// Last change.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
}

/// One row of `GET /fapi/v2/balance` and `/fapi/v3/balance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BalanceRow {
    /// Name.
    pub asset: String,
    /// The account, in a way that tells nobody which.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub account_alias: Option<String>,
    /// Wallet.
    #[serde(deserialize_with = "decimal")]
    pub balance: Decimal,
    /// Wallet that crossed positions share.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub cross_wallet_balance: Option<Decimal>,
    /// Profit of crossed positions.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub cross_un_pnl: Option<Decimal>,
    /// What can be used for openings.
    #[serde(deserialize_with = "decimal")]
    pub available_balance: Decimal,
    /// What can be withdrawn.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub max_withdraw_amount: Option<Decimal>,
    /// Whether it counts as margin in multi-assets mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_available: Option<bool>,
    /// Last change.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
}

/// One row of `GET /fapi/v2/positionRisk` and `/fapi/v3/positionRisk`. In v3 a missing row means flat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PositionRow {
    /// Name.
    pub symbol: String,
    /// Leg; `BOTH` in one-way mode.
    pub position_side: LegWord,
    /// Signed size: negative on the SHORT leg.
    #[serde(deserialize_with = "decimal")]
    pub position_amt: Decimal,
    /// Average entry.
    #[serde(deserialize_with = "decimal")]
    pub entry_price: Decimal,
    /// Entry with fees folded in.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub break_even_price: Option<Decimal>,
    /// Mark price.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub mark_price: Option<Decimal>,
    /// Profit at mark. The capital R is the venue's.
    #[serde(
        rename = "unRealizedProfit",
        default,
        deserialize_with = "opt_decimal",
        skip_serializing_if = "Option::is_none"
    )]
    pub unrealized_profit: Option<Decimal>,
    /// Liquidation price; "0" when there is none.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub liquidation_price: Option<Decimal>,
    /// v2: text.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub leverage: Option<i64>,
    /// v2: `cross` or `isolated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_type: Option<MarginWord>,
    /// v3.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub initial_margin: Option<Decimal>,
    /// v3.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub maint_margin: Option<Decimal>,
    /// v3: auto-deleveraging rank.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub adl: Option<i64>,
    /// Margin of an isolated leg, profit included.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub isolated_margin: Option<Decimal>,
    /// Wallet of an isolated leg.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub isolated_wallet: Option<Decimal>,
    /// Signed notional.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub notional: Option<Decimal>,
    /// v2: margin is topped up by itself; text there.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub is_auto_add_margin: Option<bool>,
    /// v2: largest notional at this leverage.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub max_notional_value: Option<Decimal>,
    /// v3: what profit is in.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub margin_asset: Option<String>,
    /// v3: initial margin of the position.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub position_initial_margin: Option<Decimal>,
    /// v3: initial margin of its orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub open_order_initial_margin: Option<Decimal>,
    /// v3: notional of its buy orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub bid_notional: Option<Decimal>,
    /// v3: notional of its sell orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub ask_notional: Option<Decimal>,
    /// Last change; 0 for a leg that never was.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
}

/// `GET /fapi/v1/accountConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountConfig {
    /// Fee tier.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub fee_tier: Option<i64>,
    /// Whether the account may trade.
    pub can_trade: bool,
    /// Whether the account may withdraw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub can_withdraw: Option<bool>,
    /// Whether the account may deposit.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub can_deposit: Option<bool>,
    /// Hedge mode.
    pub dual_side_position: bool,
    /// Several assets as one margin.
    pub multi_assets_margin: bool,
    /// Accounts of one group do not trade with each other; -1 for none.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub trade_group_id: Option<i64>,
    /// Last change.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
}

/// One row of `GET /fapi/v1/symbolConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolConfig {
    /// Name.
    pub symbol: String,
    /// CROSSED or ISOLATED.
    pub margin_type: MarginWord,
    /// Margin is topped up by itself.
    #[serde(deserialize_with = "boolean")]
    pub is_auto_add_margin: bool,
    /// Leverage of both legs.
    #[serde(deserialize_with = "int")]
    pub leverage: i64,
    /// Largest notional at this leverage.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub max_notional_value: Option<Decimal>,
}

/// `GET /fapi/v1/positionSide/dual`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DualSide {
    /// Hedge mode.
    #[serde(deserialize_with = "boolean")]
    pub dual_side_position: bool,
}

/// `GET /fapi/v1/multiAssetsMargin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultiAssets {
    /// Several assets as one margin.
    #[serde(deserialize_with = "boolean")]
    pub multi_assets_margin: bool,
}

/// `GET /fapi/v1/feeBurn`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeBurn {
    /// Fees are paid in BNB.
    #[serde(deserialize_with = "boolean")]
    pub fee_burn: bool,
}

/// Answer of `POST /fapi/v1/leverage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeverageSet {
    /// Name.
    pub symbol: String,
    /// What holds now.
    #[serde(deserialize_with = "int")]
    pub leverage: i64,
    /// Largest notional at this leverage.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub max_notional_value: Option<Decimal>,
}

/// One symbol of `GET /fapi/v1/leverageBracket`. Its numbers are JSON numbers (fact sheet 4.9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeverageBrackets {
    /// Name.
    pub symbol: String,
    /// Only for accounts with adjusted limits.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub notional_coef: Option<Decimal>,
    /// From small to large notional.
    pub brackets: Vec<Bracket>,
}

/// One bracket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bracket {
    /// Number from 1.
    #[serde(deserialize_with = "int")]
    pub bracket: i64,
    /// Highest leverage.
    #[serde(deserialize_with = "int")]
    pub initial_leverage: i64,
    /// Upper end.
    #[serde(deserialize_with = "decimal")]
    pub notional_cap: Decimal,
    /// Lower end.
    #[serde(deserialize_with = "decimal")]
    pub notional_floor: Decimal,
    /// Maintenance rate.
    #[serde(deserialize_with = "decimal")]
    pub maint_margin_ratio: Decimal,
    /// Maintenance amount.
    #[serde(deserialize_with = "decimal")]
    pub cum: Decimal,
}

/// `GET /fapi/v1/commissionRate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommissionRate {
    /// Name.
    pub symbol: String,
    /// Fraction for resting orders.
    #[serde(deserialize_with = "decimal")]
    pub maker_commission_rate: Decimal,
    /// Fraction for taking orders.
    #[serde(deserialize_with = "decimal")]
    pub taker_commission_rate: Decimal,
    /// Fraction for retail-price-improvement orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub rpi_commission_rate: Option<Decimal>,
}

/// One row of `GET /fapi/v1/income`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncomeRow {
    /// Name; empty for transfers.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Why.
    pub income_type: IncomeType,
    /// How much; negative is paid.
    #[serde(deserialize_with = "decimal")]
    pub income: Decimal,
    /// In what.
    pub asset: String,
    /// Free text.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// Unique together with the type.
    #[serde(deserialize_with = "int")]
    pub tran_id: i64,
    /// Trade, where there is one.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub trade_id: Option<String>,
}

/// Answer of `POST` and `PUT /fapi/v1/listenKey`; older servers answer `{}` to `PUT`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenKeyAnswer {
    /// The key: whoever knows it reads the account's events.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub listen_key: Option<String>,
}

impl std::fmt::Debug for ListenKeyAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenKeyAnswer")
            .field("listen_key", &self.listen_key.as_ref().map(|_| "redacted"))
            .finish()
    }
}
