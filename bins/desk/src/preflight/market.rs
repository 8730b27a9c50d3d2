//! The symbols: listed, trading, and with rules that the configured entries fit.

use std::collections::BTreeMap;

use hedge_core::{InstrumentSpec, InstrumentStatus, PreflightCheck, Symbol};
use rust_decimal::Decimal;

use super::{check::Findings, venue::Answer};
use crate::config::Config;

const DROP: &str = "drop the symbol from pairs_universe.json and its strategies from strategy_config.json";

/// Every symbol is listed, trades, and settles in USDT.
pub(super) fn listed(listed: &Answer<Vec<InstrumentSpec>>, symbols: &[Symbol]) -> PreflightCheck {
    let mut findings = Findings::new("symbols", "every symbol is listed, trades, and settles in USDT");
    match listed {
        Err(error) => findings.fail(error.as_str(), "look again"),
        Ok(specs) => {
            for symbol in symbols {
                let Some(spec) = spec_of(specs, symbol) else {
                    findings.fail(format!("{symbol} is not a perpetual that the venue lists"), DROP);
                    continue;
                };
                match &spec.status {
                    InstrumentStatus::Trading => {}
                    InstrumentStatus::NotTrading(word) => findings.fail(format!("{symbol} is {word}"), DROP),
                }
                if spec.settle.as_str() != "USDT" {
                    findings.fail(format!("{symbol} settles in {}", spec.settle), DROP);
                }
                if let Some(at) = spec.delivery {
                    findings.warn(format!("{symbol} stops trading at {at}"), DROP);
                }
            }
        }
    }
    findings.check(format!("{} symbols trading", symbols.len()))
}

/// Each strategy's entry, cut down to the venue's grid, is neither too small nor too large for one order.
pub(super) fn entries(
    listed: &Answer<Vec<InstrumentSpec>>,
    marks: &BTreeMap<Symbol, Decimal>,
    config: &Config,
    symbols: &[Symbol],
) -> PreflightCheck {
    let mut findings = Findings::new("filters", "each entry fits step, smallest and largest order");
    let strategies: Vec<_> =
        config.strategies.enabled().filter(|block| symbols.contains(&block.symbol)).collect();
    if let Ok(specs) = listed {
        for block in &strategies {
            // A symbol that is not listed is told by its own check.
            let Some(spec) = spec_of(specs, &block.symbol) else { continue };
            let Some(mark) = marks.get(&block.symbol).copied().filter(|mark| *mark > Decimal::ZERO) else {
                findings.fail(format!("{} has no mark price", block.symbol), "look again");
                continue;
            };
            let own = config.limits.min_notional_by_symbol.get(&block.symbol).copied();
            let least = own.unwrap_or(config.limits.min_notional_usdt).max(spec.min_notional.get());
            if let Err((found, remedy)) = fits(spec, mark, block.capital_per_trade, least) {
                findings.fail(format!("{} on {}: {found}", block.name, block.symbol), remedy);
            }
        }
    } else {
        findings.fail("the symbols' rules are not known", "look again");
    }
    findings.check(format!("{} strategies' entries fit", strategies.len()))
}

/// Whether an entry of that notional can be sent as one order. Units: USDT.
fn fits(
    spec: &InstrumentSpec,
    mark: Decimal,
    notional: Decimal,
    least: Decimal,
) -> Result<(), (String, &'static str)> {
    let raise = "raise capital_per_trade, or disable the strategy";
    let wanted = notional.checked_div(mark).unwrap_or_default();
    // A leg is left by one market order, so the smaller of both maxima counts.
    let largest = spec.lot.max.min(spec.market_lot.max);
    let Some(qty) = spec.floor_qty(wanted, &spec.lot) else {
        let (got, min) = (wanted.round_dp(8).normalize(), spec.lot.min.normalize());
        return Err((format!("capital_per_trade {notional} buys {got}, the smallest order is {min}"), raise));
    };
    let sent = (qty.get() * mark).round_dp(2);
    if sent < least {
        let text = format!(
            "capital_per_trade {notional} becomes an order of {}, the least is {}",
            sent.normalize(),
            least.normalize()
        );
        return Err((text, raise));
    }
    if wanted > largest {
        let (got, max) = (wanted.round_dp(8).normalize(), largest.normalize());
        return Err((
            format!("capital_per_trade {notional} buys {got}, the largest order is {max}"),
            "lower capital_per_trade",
        ));
    }
    Ok(())
}

fn spec_of<'a>(specs: &'a [InstrumentSpec], symbol: &Symbol) -> Option<&'a InstrumentSpec> {
    specs.iter().find(|spec| spec.id.symbol == *symbol)
}

#[cfg(test)]
mod tests {
    use hedge_core::{Asset, InstrumentId, LotRule, Notional, PositionMode, Venue};

    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn spec(symbol: &str) -> InstrumentSpec {
        let lot = LotRule { min: dec("0.001"), max: dec("1000"), step: dec("0.001") };
        InstrumentSpec {
            id: InstrumentId::new(Venue::Binance, Symbol::parse(symbol).unwrap()),
            status: InstrumentStatus::Trading,
            base: Asset::parse("BTC").unwrap(),
            quote: Asset::usdt(),
            settle: Asset::usdt(),
            tick: dec("0.1"),
            min_price: None,
            max_price: None,
            lot,
            market_lot: LotRule { max: dec("120"), ..lot },
            min_notional: Notional::new(dec("50")).unwrap(),
            contract_size: Decimal::ONE,
            price_band_up: None,
            price_band_down: None,
            mode: PositionMode::Hedge,
            delivery: None,
        }
    }

    fn problem(mark: &str, notional: &str, least: &str) -> Option<String> {
        fits(&spec("BTCUSDT"), dec(mark), dec(notional), dec(least)).err().map(|(found, _)| found)
    }

    #[test]
    fn an_entry_is_cut_to_the_grid_before_it_is_compared_with_the_minimum() {
        assert_eq!(problem("60000", "500", "50"), None);
        // 99 buys 0.001, which is 60: enough for 50, not for 61.
        assert_eq!(problem("60000", "99", "50"), None);
        assert_eq!(
            problem("60000", "99", "61").as_deref(),
            Some("capital_per_trade 99 becomes an order of 60, the least is 61")
        );
        assert_eq!(
            problem("60000", "50", "50").as_deref(),
            Some("capital_per_trade 50 buys 0.00083333, the smallest order is 0.001")
        );
    }

    #[test]
    fn an_entry_that_no_single_market_order_could_close_is_named() {
        assert_eq!(problem("1", "120", "50"), None);
        assert_eq!(
            problem("1", "121", "50").as_deref(),
            Some("capital_per_trade 121 buys 121, the largest order is 120")
        );
    }

    #[test]
    fn symbols_that_cannot_be_traded_are_named_with_the_reason() {
        let symbols = ["BTCUSDT", "ETHUSDT", "XRPUSDT"].map(|name| Symbol::parse(name).unwrap());
        let halted = InstrumentSpec {
            status: InstrumentStatus::NotTrading("SETTLING".to_owned()),
            settle: Asset::parse("USDC").unwrap(),
            ..spec("ETHUSDT")
        };
        let check = listed(&Ok(vec![spec("BTCUSDT"), halted]), &symbols);
        assert!(!check.passed());
        assert_eq!(
            check.found,
            "ETHUSDT is SETTLING; ETHUSDT settles in USDC; XRPUSDT is not a perpetual that the venue lists"
        );
        let fine = listed(&Ok(vec![spec("BTCUSDT")]), &symbols[..1]);
        assert_eq!((fine.passed(), fine.found.as_str()), (true, "1 symbols trading"));
    }
}
