//! The table at the end.

use hedge_core::{Book, Decimal};
use serde_json::json;

use crate::{
    logging::Format,
    report::{Record, grouped, money, signed},
};

/// Name and value of each row.
fn rows(record: &Record, book: &Book, bars: u64) -> Vec<(&'static str, String)> {
    let totals = book.totals();
    let gain = book.equity() - totals.nav_start;
    let percent = if totals.nav_start.is_zero() {
        Decimal::ZERO
    } else {
        (gain / totals.nav_start * Decimal::ONE_HUNDRED).round_dp(2)
    };
    vec![
        ("bars", grouped(&bars.to_string())),
        ("orders", grouped(&record.orders().to_string())),
        ("fills", grouped(&record.fills().to_string())),
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
    ]
}

/// The lines to print.
pub(super) fn lines(record: &Record, book: &Book, bars: u64, because: &str, format: Format) -> Vec<String> {
    match format {
        Format::Text => {
            let rows = rows(record, book, bars);
            let width = rows.iter().map(|(_, value)| value.len()).max().unwrap_or(0);
            let rule = "-".repeat(width + 16);
            let mut lines =
                vec![rule.clone(), format!("{:<14}{because:>width$}", "stopped", width = width + 2)];
            lines.extend(
                rows.iter().map(|(name, value)| format!("{name:<14}{value:>width$}", width = width + 2)),
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
                    "bars": bars,
                    "orders": record.orders(),
                    "fills": record.fills(),
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
        let lines = lines(&Record::default(), &Book::default(), 2_000, "all bars are played", Format::Text);
        assert_eq!(lines.len(), 17);
        assert!(lines[2].starts_with("bars") && lines[2].ends_with("2,000"), "{lines:?}");
        assert!(lines.iter().skip(1).take(15).all(|line| line.len() <= lines[1].len().max(lines[0].len())));
    }
}
