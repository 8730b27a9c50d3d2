//! Balances, legs and cash flows. Source: fact sheet 4.7, 4.8, 9.4.

use hedge_core::{
    AccountSnapshot, Amount, Asset, Balance, CashFlow, CashFlowKind, Decimal, LegSize, Position, PositionKey,
    PositionMode, PositionSide, Price, Qty, SignedAmount, Timestamp, TradeId,
};

use super::{DecodeError, err, instrument, leg_word, price_if_any};
use crate::wire::{
    account::{Account, AccountConfig, IncomeRow, PositionRow},
    event::{BalanceChange, PositionChange},
    text::IncomeType,
};

/// An open leg; `None` for a flat row.
///
/// # Errors
/// A row of one-way mode with a size: this product keeps legs. A sign that does not fit its leg.
pub fn position(row: &PositionRow) -> Result<Option<Position>, DecodeError> {
    let Ok(qty) = Qty::new(row.position_amt.abs()) else { return Ok(None) };
    let instrument = instrument(&row.symbol)?;
    let side = leg_word(&row.position_side)?.leg().ok_or_else(|| {
        err("positionSide", format!("{} has a one-way position of {}", row.symbol, row.position_amt))
    })?;
    sign_fits("positionAmt", row.position_amt, side, &row.symbol)?;
    let entry = Price::new(row.entry_price).map_err(|error| err("entryPrice", error))?;
    Ok(Some(
        Position::new(PositionKey::new(instrument, side), qty, entry)
            .with_prices(price_if_any(row.mark_price), price_if_any(row.liquidation_price)),
    ))
}

/// A LONG leg is counted up and a SHORT leg down (fact sheet 4.7); whatever says otherwise is not about that leg.
fn sign_fits(
    path: &'static str,
    amount: Decimal,
    side: PositionSide,
    symbol: &str,
) -> Result<(), DecodeError> {
    if amount.is_zero() || amount.is_sign_negative() == (side.sign() < 0) {
        return Ok(());
    }
    Err(err(path, format!("{amount} on the {side} leg of {symbol}")))
}

/// The size of a leg as queried, flat or not.
///
/// # Errors
/// An unknown leg, an unusable symbol, or a sign that does not fit the leg.
pub fn leg_size(row: &PositionRow) -> Result<LegSize, DecodeError> {
    let side = leg_word(&row.position_side)?;
    if let Some(leg) = side.leg() {
        sign_fits("positionAmt", row.position_amt, leg, &row.symbol)?;
    }
    Ok(LegSize {
        instrument: instrument(&row.symbol)?,
        side,
        qty: row.position_amt.abs(),
        entry: price_if_any(Some(row.entry_price)),
    })
}

/// The size of a leg as pushed, flat or not.
///
/// # Errors
/// An unknown leg, an unusable symbol, or a sign that does not fit the leg.
pub fn leg_size_of_change(row: &PositionChange) -> Result<LegSize, DecodeError> {
    let side = leg_word(&row.position_side)?;
    if let Some(leg) = side.leg() {
        sign_fits("pa", row.amount, leg, &row.symbol)?;
    }
    Ok(LegSize {
        instrument: instrument(&row.symbol)?,
        side,
        qty: row.amount.abs(),
        entry: price_if_any(row.entry),
    })
}

/// Balances and mode, from the account and its configuration.
///
/// # Errors
/// An unusable asset name.
pub fn account_snapshot(
    account: &Account,
    config: &AccountConfig,
    venue_time: Timestamp,
) -> Result<AccountSnapshot, DecodeError> {
    let balances = account
        .assets
        .iter()
        .map(|row| {
            Ok(Balance {
                asset: asset(&row.asset)?,
                wallet: SignedAmount::from_decimal(row.wallet_balance),
                available: Some(SignedAmount::from_decimal(row.available_balance)),
            })
        })
        .collect::<Result<_, DecodeError>>()?;
    Ok(AccountSnapshot {
        venue_time,
        balances,
        mode: if config.dual_side_position { PositionMode::Hedge } else { PositionMode::Net },
        multi_assets: config.multi_assets_margin,
        can_trade: Some(config.can_trade),
        can_withdraw: config.can_withdraw,
    })
}

/// Pushed wallet balances. What is available is not pushed (`cw` is something else; fact sheet 9.4).
///
/// # Errors
/// An unusable asset name.
pub fn balances(rows: &[BalanceChange]) -> Result<Vec<Balance>, DecodeError> {
    rows.iter()
        .map(|row| {
            Ok(Balance {
                asset: asset(&row.asset)?,
                wallet: SignedAmount::from_decimal(row.wallet),
                available: None,
            })
        })
        .collect()
}

/// Whether an income row repeats what a fill already says.
pub const fn is_fill_income(row: &IncomeRow) -> bool {
    matches!(row.income_type, IncomeType::Commission | IncomeType::RealizedPnl)
}

/// One row of the income history.
///
/// # Errors
/// An unusable asset or symbol.
pub fn cash_flow(row: &IncomeRow) -> Result<CashFlow, DecodeError> {
    let symbol = row.symbol.as_deref();
    let instrument = symbol.map(instrument).transpose()?;
    let trade = row.trade_id.as_deref().and_then(|text| text.parse().ok()).map(TradeId);
    // The fee of an execution is named after it, so that the two can be compared.
    let fee_id = match (&row.income_type, instrument, trade) {
        (IncomeType::Commission, Some(instrument), Some(trade)) => Some(CashFlow::fee_id(&instrument, trade)),
        _ => None,
    };
    Ok(CashFlow {
        kind: flow_kind(&row.income_type),
        amount: Amount::new(asset(&row.asset)?, row.income),
        instrument,
        venue_time: Timestamp::from_ms(row.time),
        // Transaction ids are unique per type and user; the symbol is added in case that is per symbol only.
        id: fee_id.unwrap_or_else(|| {
            format!("{}:{}:{}", row.income_type.as_str(), row.tran_id, symbol.unwrap_or_default())
        }),
    })
}

fn flow_kind(income: &IncomeType) -> CashFlowKind {
    match income {
        IncomeType::FundingFee | IncomeType::SpecialFundingFee => CashFlowKind::Funding,
        IncomeType::Transfer
        | IncomeType::InternalTransfer
        | IncomeType::CrossCollateralTransfer
        | IncomeType::CoinSwapDeposit
        | IncomeType::CoinSwapWithdraw
        | IncomeType::StrategyTransfer => CashFlowKind::Transfer,
        IncomeType::Commission => CashFlowKind::Fee,
        IncomeType::RealizedPnl => CashFlowKind::RealizedPnl,
        other => CashFlowKind::Other(other.as_str().to_owned()),
    }
}

fn asset(text: &str) -> Result<Asset, DecodeError> {
    Asset::parse(text).map_err(|error| err("asset", error))
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;
    use hedge_core::PositionSide;

    /// The sample of fact sheet 4.8.
    const ROWS: &str = r#"[{"symbol":"ETHUSDT","positionSide":"LONG","positionAmt":"0.750","entryPrice":"2480.5",
      "breakEvenPrice":"2481.74","markPrice":"2502.11000000","unRealizedProfit":"16.20750000",
      "liquidationPrice":"1204.33","isolatedMargin":"0","notional":"1876.58250000","marginAsset":"USDT",
      "isolatedWallet":"0","initialMargin":"187.65825000","maintMargin":"9.38291250","adl":2,"updateTime":1795168800161},
     {"symbol":"ETHUSDT","positionSide":"SHORT","positionAmt":"-0.300","entryPrice":"2511.0","markPrice":"2502.11",
      "unRealizedProfit":"2.66700000","liquidationPrice":"0","notional":"-750.63300000","updateTime":1795168790021},
     {"symbol":"ETHUSDT","positionSide":"BOTH","positionAmt":"0.000","entryPrice":"0.0","updateTime":0}]"#;

    fn rows() -> Vec<PositionRow> {
        json("positions", ROWS.as_bytes()).unwrap()
    }

    #[test]
    fn both_legs_of_one_symbol_are_two_positions_and_a_flat_row_is_none() {
        let positions: Vec<_> = rows().iter().filter_map(|row| position(row).unwrap()).collect();
        assert_eq!(positions.len(), 2);
        assert_eq!(
            (positions[0].key().side, positions[0].qty().to_string()),
            (PositionSide::Long, "0.75".into())
        );
        assert_eq!(
            (positions[1].key().side, positions[1].qty().to_string()),
            (PositionSide::Short, "0.3".into())
        );
        assert_eq!(positions[1].liquidation(), None, "a liquidation price of 0 is none");
    }

    #[test]
    fn a_sign_that_does_not_fit_its_leg_is_an_error() {
        let mut row = rows().remove(1);
        row.position_amt = -row.position_amt;
        assert_eq!(position(&row).unwrap_err().what, "positionAmt");
        assert_eq!(leg_size(&row).unwrap_err().what, "positionAmt");
        let pushed = r#"{"s":"ETHUSDT","pa":"-0.5","ep":"3000","ps":"LONG"}"#;
        let mut pushed: PositionChange = json("change", pushed.as_bytes()).unwrap();
        assert_eq!(leg_size_of_change(&pushed).unwrap_err().what, "pa");
        pushed.amount = Decimal::ZERO;
        assert_eq!(leg_size_of_change(&pushed).unwrap().qty, Decimal::ZERO, "a flat leg has no sign");
    }

    #[test]
    fn an_open_one_way_position_is_an_error() {
        let mut row = rows().remove(2);
        row.position_amt = rows()[0].position_amt;
        assert_eq!(position(&row).unwrap_err().what, "positionSide");
    }

    #[test]
    fn income_becomes_a_flow_with_an_id_of_its_own() {
        let text = r#"{"symbol":"ETHUSDT","incomeType":"FUNDING_FEE","income":"-0.18765825","asset":"USDT","info":"",
          "time":1795190400000,"tranId":9689322392,"tradeId":""}"#;
        let row: IncomeRow = json("income", text.as_bytes()).unwrap();
        let flow = cash_flow(&row).unwrap();
        assert_eq!((flow.kind, flow.id.as_str()), (CashFlowKind::Funding, "FUNDING_FEE:9689322392:ETHUSDT"));
        assert_eq!(flow.amount.to_string(), "-0.18765825 USDT");
        assert!(!is_fill_income(&row));
    }

    #[test]
    fn the_fee_of_an_execution_is_named_after_it() {
        let text = r#"{"symbol":"ETHUSDT","incomeType":"COMMISSION","income":"-0.0251","asset":"USDT","info":"",
          "time":1795190400000,"tranId":9689322393,"tradeId":"2059192"}"#;
        let row: IncomeRow = json("income", text.as_bytes()).unwrap();
        let flow = cash_flow(&row).unwrap();
        let eth = hedge_core::InstrumentId::binance("ETHUSDT").unwrap();
        assert_eq!((flow.kind, flow.id), (CashFlowKind::Fee, CashFlow::fee_id(&eth, TradeId(2_059_192))));
        let nameless = text.replace("2059192", "");
        let row: IncomeRow = json("income", nameless.as_bytes()).unwrap();
        assert_eq!(cash_flow(&row).unwrap().id, "COMMISSION:9689322393:ETHUSDT");
    }

    #[test]
    fn an_unknown_income_type_keeps_its_word() {
        let text =
            r#"{"symbol":"","incomeType":"MOON_BONUS","income":"1","asset":"USDT","time":1,"tranId":"7"}"#;
        let flow = cash_flow(&json("income", text.as_bytes()).unwrap()).unwrap();
        assert_eq!((flow.kind, flow.instrument), (CashFlowKind::Other("MOON_BONUS".into()), None));
    }
}
