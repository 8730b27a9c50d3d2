//! The page. Self-contained and deterministic: no script, no outside resource, no wall time.

use std::fmt::Write;

use hedge_core::{Book, Decimal, PositionKey, Timestamp};
use rust_decimal::prelude::ToPrimitive;

use super::{
    chart::{Chart, Series, escape},
    record::{Record, Trade},
};

/// Executions that are listed one by one.
const LISTED_TRADES: usize = 200;

/// What the page says about the run as such.
#[derive(Clone, Debug)]
pub struct Heading {
    /// For example `paper on the embedded exchange`.
    pub title: String,
    /// Name and value of what identifies the run (profile, seed, data, configuration hash).
    pub facts: Vec<(String, String)>,
}

/// Renders a record with the book as it stood at the end.
pub fn render(heading: &Heading, record: &Record, book: &Book) -> String {
    let mut html = String::with_capacity(256 * 1024);
    let title = escape(&heading.title);
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>hedge: {title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>"
    );
    facts(heading, record, &mut html);
    figures(record, book, &mut html);
    charts(record, &mut html);
    legs(record, book, &mut html);
    reasons("Vetoes at the gate, by rule", "openings refused", &record.refusals, &mut html);
    reasons("Signals held back by the screeners", "readings", &record.held_back, &mut html);
    trades(&record.trades, &mut html);
    html.push_str("</main></body></html>\n");
    html
}

fn facts(heading: &Heading, record: &Record, html: &mut String) {
    html.push_str("<p class=\"facts\">");
    for (name, value) in &heading.facts {
        let _ = write!(html, "<span><b>{}</b> {}</span>", escape(name), escape(value));
    }
    if let (Some(first), Some(last)) = (record.samples.first(), record.samples.last()) {
        let _ = write!(
            html,
            "<span><b>from</b> {}</span><span><b>to</b> {}</span>",
            minute(first.at),
            minute(last.at)
        );
    }
    html.push_str("</p>");
}

fn figures(record: &Record, book: &Book, html: &mut String) {
    let totals = book.totals();
    let nav = book.equity();
    let gain = nav - totals.nav_start;
    let gain_pct = if totals.nav_start.is_zero() {
        Decimal::ZERO
    } else {
        (gain / totals.nav_start * Decimal::ONE_HUNDRED).round_dp(2)
    };
    let rows: Vec<(&str, String)> = vec![
        ("NAV at the end", format!("{} USDT", money(nav))),
        ("NAV at the start", format!("{} USDT", money(totals.nav_start))),
        ("Result", format!("{} USDT ({gain_pct} %)", signed(gain))),
        ("Realised", signed(totals.realized)),
        ("Unrealised", signed(book.unrealized())),
        ("Fees paid", money(totals.fees)),
        ("Funding", signed(totals.funding)),
        ("Transfers", signed(totals.transfers)),
        ("Corrections", signed(totals.corrections)),
        ("Largest drawdown", format!("{} %", record.max_drawdown_pct().round_dp(2))),
        ("Orders", grouped(&record.orders().to_string())),
        ("Executions", grouped(&totals.fills.to_string())),
        ("Vetoes", grouped(&record.vetoes().to_string())),
        ("Closed bars, all symbols read", grouped(&record.bars().to_string())),
        ("of them with LONG and SHORT held", grouped(&record.hedged_bars().to_string())),
    ];
    html.push_str("<section class=\"figures\">");
    for (name, value) in rows {
        let _ = write!(html, "<div><span>{name}</span><strong>{value}</strong></div>");
    }
    html.push_str("</section>");
}

fn charts(record: &Record, html: &mut String) {
    let at = |t: Timestamp| t.ms() as f64 / 1_000.0;
    let equity: Vec<(f64, f64)> = record.samples.iter().map(|s| (at(s.at), float(s.nav))).collect();
    let mut peak = f64::NEG_INFINITY;
    let drawdown: Vec<(f64, f64)> = equity
        .iter()
        .map(|(t, nav)| {
            peak = peak.max(*nav);
            (*t, if peak > 0.0 { -(peak - nav) / peak * 100.0 } else { 0.0 })
        })
        .collect();
    let equity = Series { class: "equity", points: equity, filled: false };
    let drawdown = Series { class: "drawdown", points: drawdown, filled: true };
    section("Equity (USDT)", "equity over time", 260.0, vec![equity], false, html);
    section("Drawdown (%)", "drawdown from the peak over time", 150.0, vec![drawdown], true, html);
    let mut symbols: Vec<String> = record.legs.iter().map(|leg| leg.instrument.symbol.to_string()).collect();
    symbols.sort();
    symbols.dedup();
    for symbol in symbols {
        let series = record
            .legs
            .iter()
            .enumerate()
            .filter(|(_, leg)| leg.instrument.symbol.as_str() == symbol)
            .map(|(place, leg)| exposure(record, place, leg, at))
            .collect();
        let title = format!("Exposure {symbol} (USDT; LONG above, SHORT below)");
        section(&title, &format!("exposure of {symbol} per leg"), 150.0, series, true, html);
    }
}

fn exposure(record: &Record, place: usize, leg: &PositionKey, at: fn(Timestamp) -> f64) -> Series<'static> {
    let sign = leg.side.sign() as f64;
    let points = record.samples.iter().map(|sample| {
        let held = sample.exposure.iter().find(|(known, _)| *known == place);
        (at(sample.at), held.map_or(0.0, |(_, notional)| float(*notional) * sign))
    });
    let class = if leg.side.sign() > 0 { "long" } else { "short" };
    Series { class, points: points.collect(), filled: true }
}

fn section(
    title: &str,
    label: &str,
    height: f64,
    series: Vec<Series<'_>>,
    with_zero: bool,
    html: &mut String,
) {
    let _ = write!(html, "<section><h2>{}</h2>", escape(title));
    if series.iter().all(|series| series.points.is_empty()) {
        html.push_str("<p class=\"none\">No closed bar yet.</p>");
    } else {
        let time_label = |t: f64| day(Timestamp::from_ms((t * 1_000.0) as i64));
        html.push_str(&Chart { label, height, series, with_zero, time_label }.svg());
    }
    html.push_str("</section>");
}

fn legs(record: &Record, book: &Book, html: &mut String) {
    html.push_str(
        "<section><h2>Legs</h2><div class=\"wide\"><table><thead><tr><th>Leg</th><th>Open now</th><th>Entry</th>\
         <th>Mark</th><th>Unrealised</th><th>Realised</th><th>Fees</th><th>Funding</th><th>Executions</th></tr></thead><tbody>",
    );
    for leg in book.legs() {
        let fills = record.trades.iter().filter(|trade| trade.leg == Some(leg.key)).count();
        if fills == 0 && !leg.is_open() {
            continue;
        }
        let mark = book.mark_of(&leg.key.instrument).map(|(mark, _)| mark);
        let cells = [
            leg.key.to_string(),
            if leg.is_open() { leg.qty.normalize().to_string() } else { "flat".to_owned() },
            leg.entry().map_or_else(dash, |entry| entry.get().round_dp(4).normalize().to_string()),
            mark.map_or_else(dash, |mark| mark.to_string()),
            mark.filter(|_| leg.is_open()).map_or_else(dash, |mark| signed(leg.unrealized(mark))),
            signed(leg.realized),
            money(leg.fees),
            signed(leg.funding),
            fills.to_string(),
        ];
        row(&cells, html);
    }
    html.push_str("</tbody></table></div></section>");
}

fn reasons(title: &str, what: &str, counts: &std::collections::BTreeMap<String, u64>, html: &mut String) {
    let _ = write!(html, "<section><h2>{title}</h2>");
    let most = counts.values().copied().max().unwrap_or(0);
    if most == 0 {
        html.push_str("<p class=\"none\">None.</p></section>");
        return;
    }
    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let height = sorted.len() * 24 + 4;
    let _ = write!(
        html,
        r#"<svg class="bars" viewBox="0 0 960 {height}" role="img" aria-label="{what} by reason">"#
    );
    for (i, (reason, count)) in sorted.iter().enumerate() {
        let y = i * 24 + 4;
        let width = (**count as f64 / most as f64 * 600.0).max(1.0);
        let _ = write!(
            html,
            r#"<text class="axis" x="232" y="{}" text-anchor="end">{}</text><rect class="bar" x="240" y="{y}" width="{width:.1}" height="16" rx="2"/><text class="axis" x="{:.1}" y="{}">{}</text>"#,
            y + 13,
            escape(reason),
            248.0 + width,
            y + 13,
            grouped(&count.to_string())
        );
    }
    html.push_str("</svg></section>");
}

fn trades(trades: &[Trade], html: &mut String) {
    let _ = write!(html, "<section><h2>Trades</h2>");
    if trades.is_empty() {
        html.push_str("<p class=\"none\">None.</p></section>");
        return;
    }
    if trades.len() > LISTED_TRADES {
        let _ = write!(
            html,
            "<p class=\"none\">The newest {LISTED_TRADES} of {} executions.</p>",
            grouped(&trades.len().to_string())
        );
    }
    html.push_str(
        "<div class=\"wide\"><table><thead><tr><th>Time</th><th>Leg</th><th>Side</th><th>Does</th><th>Qty</th>\
         <th>Price</th><th>Fee</th><th>Realised</th><th>Client id</th></tr></thead><tbody>",
    );
    for trade in trades.iter().rev().take(LISTED_TRADES) {
        let fill = &trade.fill;
        let does = fill.is_close().map_or("?", |close| if close { "close" } else { "open" });
        let cells = [
            minute(trade.at),
            trade.leg.map_or_else(|| format!("{} BOTH", fill.instrument.symbol), |leg| leg.to_string()),
            fill.order_side.to_string(),
            does.to_owned(),
            fill.qty.to_string(),
            fill.price.to_string(),
            fill.fee.value.get().round_dp(6).normalize().to_string(),
            fill.realized.map_or_else(dash, |realized| signed(realized.get())),
            fill.client_id.as_ref().map_or_else(dash, |id| escape(id.as_str())),
        ];
        row(&cells, html);
    }
    html.push_str("</tbody></table></div></section>");
}

fn row(cells: &[String], html: &mut String) {
    html.push_str("<tr>");
    for cell in cells {
        let _ = write!(html, "<td>{cell}</td>");
    }
    html.push_str("</tr>");
}

fn dash() -> String {
    "–".to_owned()
}

fn float(value: Decimal) -> f64 {
    value.to_f64().unwrap_or(0.0)
}

/// `12,345.67`.
pub(crate) fn money(value: Decimal) -> String {
    grouped(&format!("{:.2}", value.round_dp(2)))
}

/// Like [`money`], with a sign.
pub(crate) fn signed(value: Decimal) -> String {
    let rounded = value.round_dp(2);
    let sign = if rounded.is_sign_negative() && !rounded.is_zero() { "-" } else { "+" };
    format!("{sign}{}", money(rounded.abs()))
}

/// Groups the whole digits of a number by three.
pub(crate) fn grouped(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, f)| (whole, Some(f)));
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn minute(at: Timestamp) -> String {
    at.to_string().chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Colours, tables and figures that every page shares.
pub(crate) const fn style() -> &'static str {
    STYLE
}

const STYLE: &str = "
:root{--ink:#1b1f24;--dim:#5c6670;--paper:#fbfbfa;--card:#fff;--rule:#dde1e4;--equity:#1f5fbf;--down:#b3372f;--long:#1d7a4b;--short:#b3552f}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8ea;--dim:#98a2ab;--paper:#14171a;--card:#1b1f23;--rule:#30363b;--equity:#6fa8ff;--down:#ff8278;--long:#5fd39a;--short:#f0a074}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1040px;margin:0 auto;padding:24px 20px 60px}h1{font-size:24px;margin:0 0 6px}h2{font-size:16px;margin:0 0 8px}
.facts{color:var(--dim);display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 18px}.facts b{font-weight:600}
section{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:14px 16px;margin:0 0 14px}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(180px,1fr));gap:10px 18px}.figures span{display:block;color:var(--dim);font-size:13px}.figures strong{font-variant-numeric:tabular-nums}
svg{width:100%;height:auto;display:block}.grid{stroke:var(--rule);stroke-width:1}.axis{fill:var(--dim);font:11px system-ui,sans-serif}
.line{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke}.area{stroke:none;opacity:.22}
.line.equity{stroke:var(--equity)}.line.drawdown{stroke:var(--down)}.area.drawdown{fill:var(--down)}.line.long{stroke:var(--long)}.area.long{fill:var(--long)}.line.short{stroke:var(--short)}.area.short{fill:var(--short)}
.bar{fill:var(--equity);opacity:.75}.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid var(--rule);white-space:nowrap}th:first-child,td:first-child{text-align:left}th{color:var(--dim);font-weight:600}.none{color:var(--dim);margin:0}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_signed() {
        assert_eq!(grouped("1234567.891"), "1,234,567.891");
        assert_eq!(grouped("-123"), "-123");
        assert_eq!(signed("-1234.5".parse().unwrap()), "-1,234.50");
        assert_eq!(signed("-0.001".parse().unwrap()), "+0.00");
    }

    #[test]
    fn a_page_needs_nothing_from_outside() {
        let heading = Heading { title: "a <b>".into(), facts: vec![("seed".into(), "1".into())] };
        let page = render(&heading, &Record::default(), &Book::default());
        for outside in ["http://", "https://", "<script", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("a &lt;b&gt;") && !page.contains("a <b>"));
        assert!(page.contains("prefers-color-scheme:dark"));
        assert_eq!(page, render(&heading, &Record::default(), &Book::default()));
    }
}
