//! A venue's stated rules as the simulated exchange checks them.

use hedge_core::{Decimal, InstrumentSpec, InstrumentStatus, LotRule};

use crate::venue::{self, Bracket, InstrumentRules, OrderType, RulesError, SymbolStatus, Tif};

/// The most leverage that any symbol is offered with. Source: Binance USD-M docs, Change Initial Leverage; fact sheet 4.7.
const MOST_LEVERAGE: u32 = 125;
/// Fee of a forced close where the venue does not state it: what most symbols have. Source: fact sheet 4.2, `liquidationFee`.
const LIQUIDATION_FEE: Decimal = Decimal::from_parts(125, 0, 0, false, 4);
/// No filter is finer than this, and no price or quantity on a grid is either.
const FINEST: u32 = 8;

/// The rules that a specification states. What it does not state is permitted: no limit on the number of orders, no bound
/// on market orders, no protection of triggers, any leverage up to 125 for any notional.
///
/// Maintenance margins are not stated either, and cannot be left out: they come from the simulator's own table, so that
/// liquidations come about where they usually would.
///
/// # Errors
/// [`RulesError`] for a contract of more than one base unit, or for a grid that the exchange cannot keep.
pub fn rules_of(spec: &InstrumentSpec) -> Result<InstrumentRules, RulesError> {
    let symbol = spec.id.symbol.as_str().to_owned();
    if spec.contract_size != Decimal::ONE {
        let what = format!("a contract is {} base units, only 1 is simulated", spec.contract_size);
        return Err(RulesError { symbol, what });
    }
    let lot = |lot: &LotRule| venue::LotRule { min: lot.min, max: lot.max, step: lot.step };
    let price = |bound: Option<hedge_core::Price>| bound.map_or(Decimal::ZERO, hedge_core::Price::get);
    let rules = InstrumentRules {
        pair: symbol.clone(),
        contract_type: "PERPETUAL".to_owned(),
        status: status_of(&spec.status),
        onboard_ms: 0,
        delivery_ms: spec.delivery.map_or(0, |at| at.ms()),
        base_asset: spec.base.as_str().to_owned(),
        quote_asset: spec.quote.as_str().to_owned(),
        margin_asset: spec.settle.as_str().to_owned(),
        price_precision: FINEST,
        qty_precision: FINEST,
        tick: spec.tick,
        min_price: price(spec.min_price),
        max_price: price(spec.max_price),
        lot: lot(&spec.lot),
        market_lot: lot(&spec.market_lot),
        max_num_orders: None,
        min_notional: spec.min_notional.get(),
        percent_price_up: spec.price_band_up,
        percent_price_down: spec.price_band_down,
        market_take_bound: None,
        trigger_protect: None,
        liquidation_fee: LIQUIDATION_FEE,
        order_types: OrderType::ALL.iter().copied().filter(|kind| *kind != OrderType::Liquidation).collect(),
        tifs: vec![Tif::Gtc, Tif::Ioc, Tif::Fok, Tif::Gtx, Tif::Gtd],
        brackets: maintenance_only(InstrumentRules::usual_brackets(&symbol)),
        symbol,
    };
    rules.validate()?;
    Ok(rules)
}

/// The maintenance ratios of a table, without its limits on leverage and notional.
fn maintenance_only(mut brackets: Vec<Bracket>) -> Vec<Bracket> {
    for bracket in &mut brackets {
        bracket.initial_leverage = MOST_LEVERAGE;
    }
    if let Some(last) = brackets.last_mut() {
        last.notional_cap = Decimal::from(10_000_000_000_000_000_u64);
    }
    brackets
}

/// The status in the exchange's own word. A word that it does not have lets legs be closed and nothing be opened.
pub(super) fn status_of(status: &InstrumentStatus) -> SymbolStatus {
    match status {
        InstrumentStatus::Trading => SymbolStatus::Trading,
        InstrumentStatus::NotTrading(word) => match SymbolStatus::parse(word) {
            Some(SymbolStatus::Trading) | None => SymbolStatus::PreSettle,
            Some(other) => other,
        },
    }
}
