//! The table at the end.

use hedge_core::{Book, Decimal};
use serde_json::json;

use crate::{
    logging::Format,
    report::{Record, grouped, money, signed},
};

const NAME_WIDTH: usize = 18;

/// Name and value of each row.
fn rows(record: &Record, book: &Book) -> Vec<(&'static str, String)> {
    let totals = book.totals();
    let gain = book.equity() - totals.nav_start;
    let percent = if totals.nav_start.is_zero() {
        Decimal::ZERO
    } else {
        (gain / totals.nav_start * Decimal::ONE_HUNDRED).round_dp(2)
    };
    let mut rows = vec![
        ("bars per symbol", grouped(&record.bars_per_symbol().to_string())),
        ("orders", grouped(&record.orders().to_string())),
        ("fills", grouped(&totals.fills.to_string())),
        ("vetoes", grouped(&record.vetoes().to_string())),
        ("hedged bars", grouped(&record.hedged_bars().to_string())),
        ("open legs", book.open_legs().count().to_string()),
        ("nav start", money(totals.nav_start)),
        ("nav end", format!("{} ({percent:+} %)", money(book.equity()))),
        ("realised", signed(totals.realized)),
        ("unrealised", signed(book.unrealized())),
        ("fees paid", money(totals.fees)),
        ("funding", signed(totals.funding)),
        ("corrections", signed(totals.corrections)),
        ("max drawdown", format!("{} %", record.max_drawdown_pct().round_dp(2))),
    ];
    let stops = record.stops();
    if let Some(coverage) = stops.stop_coverage {
        let ms = |ms: Option<u64>| format!("{} ms", grouped(&ms.unwrap_or(0).to_string()));
        rows.push((
            "stop coverage",
            format!("{} %", (coverage * Decimal::ONE_HUNDRED).round_dp(3).normalize()),
        ));
        rows.push(("unprotected p50", ms(stops.unprotected_p50_ms)));
        rows.push(("unprotected max", ms(stops.unprotected_max_ms)));
        let (missing, repaired) = (stops.stop_validator_missing_total, stops.stop_validator_repaired_total);
        rows.push(("stops missing", format!("{missing}, {repaired} repaired")));
    }
    // Every figure but those of stops is of the whole journal, so a continued run says that it is one.
    if record.starts() > 1 {
        rows.insert(0, ("starts, all told", record.starts().to_string()));
    }
    rows
}

/// The lines to print: figures of the whole journal, over all starts of the program; those of stops since the last one.
pub(super) fn lines(record: &Record, book: &Book, because: &str, format: Format) -> Vec<String> {
    match format {
        Format::Text => {
            let rows = rows(record, book);
            let width = rows.iter().map(|(_, value)| value.len()).max().unwrap_or(0);
            let rule = "-".repeat(width + NAME_WIDTH + 2);
            let mut lines =
                vec![rule.clone(), format!("{:<NAME_WIDTH$}{because:>width$}", "stopped", width = width + 2)];
            lines.extend(
                rows.iter()
                    .map(|(name, value)| format!("{name:<NAME_WIDTH$}{value:>width$}", width = width + 2)),
            );
            lines.push(rule);
            lines
        }
        Format::Json => {
            let totals = book.totals();
            vec![
                json!({
                    "tag": "[summary]",
                    "stopped": because,
                    "starts": record.starts(),
                    "bars": record.bars_per_symbol(),
                    "orders": record.orders(),
                    "fills": totals.fills,
                    "vetoes": record.vetoes(),
                    "hedged_bars": record.hedged_bars(),
                    "open_legs": book.open_legs().count(),
                    "nav_start": totals.nav_start,
                    "nav_end": book.equity().normalize(),
                    "realised": totals.realized.normalize(),
                    "unrealised": book.unrealized().normalize(),
                    "fees_paid": totals.fees.normalize(),
                    "funding_net": totals.funding.normalize(),
                    "corrections": totals.corrections.normalize(),
                    "max_drawdown_pct": record.max_drawdown_pct(),
                    "stops": record.stops(),
                })
                .to_string(),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_one_row_a_figure_in_one_width() {
        let lines = lines(&Record::default(), &Book::default(), "all bars are played", Format::Text);
        assert_eq!(lines.len(), 17);
        assert!(lines[2].starts_with("bars") && lines[2].ends_with(" 0"), "{lines:?}");
        assert!(lines.iter().skip(1).take(15).all(|line| line.len() <= lines[1].len().max(lines[0].len())));
    }
}
