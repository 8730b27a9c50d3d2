//! A table of our own for the seven usual symbols, for runs without an instrument file.
//!
//! Grids are those of the recorded bars; limits and brackets are round numbers of the usual size, not a copy of any
//! day's table.

use rust_decimal::Decimal;

use super::rules::{Bracket, InstrumentRules, LotRule};
use super::vocabulary::{OrderType, SymbolStatus, Tif};

/// Name, tick, price decimals, lot step, quantity decimals, minimum notional, largest limit and market quantity.
type Row = (&'static str, &'static str, &'static str, i64, i64, i64);

const TABLE: [Row; 7] = [
    ("BTC", "0.1", "0.001", 50, 1_000, 120),
    ("ETH", "0.01", "0.001", 20, 10_000, 2_000),
    ("SOL", "0.001", "1", 5, 1_000_000, 50_000),
    ("BNB", "0.01", "0.01", 5, 100_000, 2_000),
    ("XRP", "0.0001", "0.1", 5, 10_000_000, 2_000_000),
    ("DOGE", "0.00001", "1", 5, 50_000_000, 30_000_000),
    ("ADA", "0.0001", "1", 5, 20_000_000, 2_000_000),
];

/// Leverage, notional cap in USDT, maintenance ratio in basis points.
const MAJOR_TIERS: [(u32, i64, i64); 8] = [
    (125, 50_000, 40),
    (100, 500_000, 50),
    (50, 5_000_000, 100),
    (20, 50_000_000, 250),
    (10, 200_000_000, 500),
    (5, 500_000_000, 1_000),
    (2, 1_000_000_000, 2_500),
    (1, 2_000_000_000, 5_000),
];

const STANDARD_TIERS: [(u32, i64, i64); 8] = [
    (75, 10_000, 50),
    (50, 100_000, 100),
    (25, 1_000_000, 200),
    (20, 2_000_000, 250),
    (10, 10_000_000, 500),
    (5, 20_000_000, 1_000),
    (2, 50_000_000, 2_500),
    (1, 100_000_000, 5_000),
];

impl InstrumentRules {
    /// BTCUSDT, ETHUSDT, SOLUSDT, BNBUSDT, XRPUSDT, DOGEUSDT, ADAUSDT.
    pub fn builtin() -> Vec<Self> {
        TABLE.iter().filter_map(row).collect()
    }

    /// Leverage brackets of the usual size: those of the table, or a cautious standard for a symbol that it does not have.
    pub(crate) fn usual_brackets(symbol: &str) -> Vec<Bracket> {
        let base = symbol.strip_suffix("USDT");
        TABLE
            .iter()
            .find(|row| Some(row.0) == base)
            .and_then(row)
            .map_or_else(standard_brackets, |known| known.brackets)
    }

    pub(super) fn usual_order_types() -> Vec<OrderType> {
        OrderType::ALL.iter().copied().filter(|t| *t != OrderType::Liquidation).collect()
    }

    pub(super) fn usual_tifs() -> Vec<Tif> {
        vec![Tif::Gtc, Tif::Ioc, Tif::Fok, Tif::Gtx, Tif::Gtd]
    }
}

fn row(&(base, tick, step, min_notional, max_qty, max_market_qty): &Row) -> Option<InstrumentRules> {
    let tick: Decimal = tick.parse().ok()?;
    let step: Decimal = step.parse().ok()?;
    let major = matches!(base, "BTC" | "ETH");
    let band = if major { Decimal::new(5, 2) } else { Decimal::new(1, 1) };
    let symbol = format!("{base}USDT");
    Some(InstrumentRules {
        pair: symbol.clone(),
        symbol,
        contract_type: "PERPETUAL".into(),
        status: SymbolStatus::Trading,
        onboard_ms: 1_569_398_400_000,
        delivery_ms: 4_133_404_800_000,
        base_asset: base.into(),
        quote_asset: "USDT".into(),
        margin_asset: "USDT".into(),
        // Decimals are one rule, the tick another and stricter one. Source: fact sheet 4.2.
        price_precision: tick.scale().max(2),
        qty_precision: step.scale(),
        tick,
        min_price: tick,
        max_price: Decimal::from(1_000_000),
        lot: LotRule { min: step, max: Decimal::from(max_qty), step },
        market_lot: LotRule { min: step, max: Decimal::from(max_market_qty), step },
        max_num_orders: Some(200),
        min_notional: Decimal::from(min_notional),
        percent_price_up: Some(Decimal::ONE + band),
        percent_price_down: Some(Decimal::ONE - band),
        market_take_bound: Some(band),
        trigger_protect: Some(band),
        liquidation_fee: Decimal::new(125, 4),
        order_types: InstrumentRules::usual_order_types(),
        tifs: InstrumentRules::usual_tifs(),
        brackets: if major { tiers(&MAJOR_TIERS) } else { standard_brackets() },
    })
}

/// Brackets for a symbol of which nothing else is known.
pub(super) fn standard_brackets() -> Vec<Bracket> {
    tiers(&STANDARD_TIERS)
}

/// `cum` makes maintenance margin continuous where one bracket meets the next.
fn tiers(table: &[(u32, i64, i64)]) -> Vec<Bracket> {
    let mut brackets: Vec<Bracket> = Vec::with_capacity(table.len());
    for (at, &(initial_leverage, cap, ratio_bps)) in table.iter().enumerate() {
        let maint_ratio = Decimal::new(ratio_bps, 4);
        let (notional_floor, cum) = match brackets.last() {
            Some(below) => {
                (below.notional_cap, below.cum + below.notional_cap * (maint_ratio - below.maint_ratio))
            }
            None => (Decimal::ZERO, Decimal::ZERO),
        };
        let notional_cap = Decimal::from(cap);
        brackets.push(Bracket {
            bracket: at as u32 + 1,
            initial_leverage,
            notional_cap,
            notional_floor,
            maint_ratio,
            cum,
        });
    }
    brackets
}
