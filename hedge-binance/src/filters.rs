//! A symbol of exchangeInfo as the rules that the engine quantises with. Source: fact sheet 4.2.

use hedge_core::{
    Asset, Decimal, InstrumentId, InstrumentSpec, InstrumentStatus, LotRule, Notional, PositionMode, Price,
    Symbol, Timestamp, Venue,
};

use crate::wire::{
    market::{Filter, SymbolInfo},
    text::{ContractType, SymbolStatus},
};

/// Delivery date of a perpetual that is not being delisted.
const NEVER_MS: i64 = 4_133_404_800_000;

/// Why a symbol cannot be traded by us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("symbol {symbol} of exchangeInfo cannot be used: {problem}")]
pub struct UnusableSymbol {
    /// Name.
    pub symbol: String,
    /// What is wrong.
    pub problem: String,
}

/// Whether the contract is a perpetual; dated contracts are left out of the instrument list.
pub fn is_perpetual(info: &SymbolInfo) -> bool {
    matches!(
        info.contract_type,
        Some(ContractType::Perpetual | ContractType::TradifiPerpetual | ContractType::PerpetualDelivering)
    )
}

/// The symbol's rules.
///
/// # Errors
/// When a rule that quantisation needs is missing or senseless.
pub fn instrument(info: &SymbolInfo) -> Result<InstrumentSpec, UnusableSymbol> {
    let bad = |problem: String| UnusableSymbol { symbol: info.symbol.clone(), problem };
    let missing = |name: &str| bad(format!("filter {name} is missing"));
    let rules = Rules::of(&info.filters);
    let (min_price, max_price, tick) = rules.price.ok_or_else(|| missing("PRICE_FILTER"))?;
    let lot = rules.lot.ok_or_else(|| missing("LOT_SIZE"))?;
    let min_notional = rules.min_notional.ok_or_else(|| missing("MIN_NOTIONAL"))?;
    if tick <= Decimal::ZERO || lot.step <= Decimal::ZERO {
        return Err(bad(format!("tick {tick} and step {} must be above 0", lot.step)));
    }
    let asset = |text: &str| Asset::parse(text).map_err(|error| bad(error.to_string()));
    Ok(InstrumentSpec {
        id: InstrumentId::new(
            Venue::Binance,
            Symbol::parse(&info.symbol).map_err(|error| bad(error.to_string()))?,
        ),
        status: match &info.status {
            SymbolStatus::Trading => InstrumentStatus::Trading,
            other => InstrumentStatus::NotTrading(other.as_str().to_owned()),
        },
        base: asset(&info.base_asset)?,
        quote: asset(&info.quote_asset)?,
        settle: asset(&info.margin_asset)?,
        tick: tick.normalize(),
        // A bound of 0 is none.
        min_price: Price::new(min_price).ok(),
        max_price: Price::new(max_price).ok(),
        lot,
        // Without a rule of their own market orders follow the general one.
        market_lot: rules.market_lot.unwrap_or(lot),
        min_notional: Notional::new(min_notional).map_err(|error| bad(error.to_string()))?,
        contract_size: Decimal::ONE,
        price_band_up: rules.band.map(|(up, _)| up),
        price_band_down: rules.band.map(|(_, down)| down),
        mode: PositionMode::Hedge,
        delivery: info.delivery_date.filter(|ms| *ms > 0 && *ms < NEVER_MS).map(Timestamp::from_ms),
    })
}

#[derive(Default)]
struct Rules {
    price: Option<(Decimal, Decimal, Decimal)>,
    lot: Option<LotRule>,
    market_lot: Option<LotRule>,
    min_notional: Option<Decimal>,
    band: Option<(Decimal, Decimal)>,
}

impl Rules {
    fn of(filters: &[Filter]) -> Self {
        let mut rules = Self::default();
        for filter in filters {
            match *filter {
                Filter::Price { min_price, max_price, tick_size } => {
                    rules.price = Some((min_price, max_price, tick_size));
                }
                Filter::Lot { min_qty, max_qty, step_size } => {
                    rules.lot = Some(lot(min_qty, max_qty, step_size));
                }
                Filter::MarketLot { min_qty, max_qty, step_size } => {
                    rules.market_lot = Some(lot(min_qty, max_qty, step_size));
                }
                Filter::MinNotional { notional } => rules.min_notional = Some(notional),
                Filter::PercentPrice { multiplier_up, multiplier_down, .. } => {
                    rules.band = Some((multiplier_up.normalize(), multiplier_down.normalize()));
                }
                Filter::MaxNumOrders { .. } | Filter::PositionRiskControl { .. } | Filter::Unknown => {}
            }
        }
        rules
    }
}

fn lot(min: Decimal, max: Decimal, step: Decimal) -> LotRule {
    LotRule { min: min.normalize(), max: max.normalize(), step: step.normalize() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::market::ExchangeInfo;

    const INFO: &str = r#"{"serverTime":1795168800000,"symbols":[{
      "symbol":"ABCUSDT","pair":"ABCUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,
      "status":"TRADING","baseAsset":"ABC","quoteAsset":"USDT","marginAsset":"USDT",
      "pricePrecision":4,"quantityPrecision":1,"filters":[
       {"filterType":"PRICE_FILTER","minPrice":"0","maxPrice":"500","tickSize":"0.0001"},
       {"filterType":"LOT_SIZE","minQty":"0.1","maxQty":"900000","stepSize":"0.1"},
       {"filterType":"MARKET_LOT_SIZE","minQty":"0.1","maxQty":"60000","stepSize":"0.10"},
       {"filterType":"MAX_NUM_ORDERS","limit":200},
       {"filterType":"MIN_NOTIONAL","notional":"5"},
       {"filterType":"PERCENT_PRICE","multiplierUp":"1.1000","multiplierDown":"0.9000","multiplierDecimal":"4"},
       {"filterType":"POSITION_RISK_CONTROL","positionControlSide":"NONE"}]}]}"#;

    fn info() -> SymbolInfo {
        serde_json::from_str::<ExchangeInfo>(INFO).unwrap().symbols.remove(0)
    }

    #[test]
    fn the_fact_sheets_symbol_becomes_a_specification() {
        let spec = instrument(&info()).unwrap();
        assert!(spec.is_trading());
        assert_eq!(spec.tick, Decimal::new(1, 4));
        assert_eq!(spec.min_price, None, "a bound of 0 is none");
        assert_eq!(spec.market_lot.max, Decimal::from(60_000));
        assert_eq!(spec.min_notional.to_string(), "5");
        assert_eq!((spec.price_band_up, spec.delivery), (Some(Decimal::new(11, 1)), None));
    }

    #[test]
    fn a_symbol_that_is_being_delisted_says_when() {
        let mut info = info();
        info.delivery_date = Some(1_795_172_400_000);
        info.status = SymbolStatus::from("SETTLING");
        let spec = instrument(&info).unwrap();
        assert_eq!(spec.delivery, Some(Timestamp::from_ms(1_795_172_400_000)));
        assert_eq!(spec.status, InstrumentStatus::NotTrading("SETTLING".to_owned()));
    }

    #[test]
    fn a_missing_filter_is_an_error_and_not_a_default() {
        let mut info = info();
        info.filters.retain(|filter| !matches!(filter, Filter::MinNotional { .. }));
        assert_eq!(
            instrument(&info).unwrap_err().to_string(),
            "symbol ABCUSDT of exchangeInfo cannot be used: filter MIN_NOTIONAL is missing"
        );
    }

    /// Files recorded from the real venue between 2021 and 2025.
    #[test]
    fn every_recorded_perpetual_becomes_a_specification() {
        let Ok(root) = std::env::var("HEDGE_TEST_DATA") else {
            println!("SKIP recorded exchangeInfo: HEDGE_TEST_DATA is not set");
            return;
        };
        println!("DATA TEST: recorded exchangeInfo answers");
        let mut seen = 0;
        for entry in std::fs::read_dir(format!("{root}/instruments")).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_string_lossy().contains("exchangeInfo") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let info: ExchangeInfo = serde_json::from_str(&text).unwrap();
            for symbol in info.symbols.iter().filter(|symbol| is_perpetual(symbol)) {
                let spec = instrument(symbol).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert!(spec.lot.step > Decimal::ZERO);
                seen += 1;
            }
        }
        assert!(seen > 100, "only {seen} symbols were read");
    }
}
