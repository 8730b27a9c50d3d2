//! The report: one self-contained page.

use std::{collections::BTreeMap, fmt::Write};

use hedge_core::Timestamp;

use super::{
    compare::Best,
    run::Swept,
    walk_forward::{Fold, WalkForward},
};
use crate::report::{
    chart::{Chart, Series, escape},
    style,
};

/// Rows that are listed, best first.
const LISTED: usize = 50;

/// Renders `report.html`. The same sweep gives the same bytes.
pub fn report(swept: &Swept) -> String {
    let mut html = String::with_capacity(64 * 1024);
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>hedge: sweep</title>\
         <style>{}{STYLE}</style></head><body><main><h1>sweep</h1><p class=\"facts\">",
        style()
    );
    for (name, value) in &swept.facts {
        let _ = write!(html, "<span><b>{}</b> {}</span>", escape(name), escape(value));
    }
    let _ = write!(
        html,
        "<span><b>from</b> {}</span><span><b>to</b> {}</span></p>",
        minute(swept.from),
        minute(swept.to)
    );
    choice(swept, &mut html);
    if let Some(walk) = &swept.walk_forward {
        walk_forward(swept, walk, &mut html);
    }
    equity(swept, &mut html);
    axes(swept, &mut html);
    map(swept, &mut html);
    list(swept, &mut html);
    html.push_str("</main></body></html>\n");
    html
}

fn choice(swept: &Swept, html: &mut String) {
    let comparison = &swept.comparison;
    html.push_str("<section><h2>In sample</h2><div class=\"figures\">");
    let mut figure = |name: &str, value: String| {
        let _ = write!(html, "<div><span>{name}</span><strong>{value}</strong></div>");
    };
    figure("combinations played", comparison.played.to_string());
    figure("refused by the configuration", (swept.rows.len() - comparison.played).to_string());
    if let Some(best) = &comparison.best {
        figure("best Sharpe ratio, a year", format!("{:.3}", best.sharpe));
        figure("best that luck alone would show", format!("{:.3}", comparison.luck));
        figure("probability that it is not luck (deflated)", format!("{:.1} %", best.dsr * 100.0));
        figure("the same, had it been the only trial", format!("{:.1} %", best.psr * 100.0));
        figure(
            "skew, kurtosis of its returns",
            format!("{:.2}, {:.2}", best.moments.skew, best.moments.kurtosis),
        );
    }
    html.push_str("</div>");
    match &comparison.best {
        Some(best) => {
            html.push_str(
                "<div class=\"wide\"><table class=\"params\"><thead><tr><th></th><th>Sharpe</th><th>Neighbourhood</th><th>Worst neighbour</th>\
                 <th>Neighbours</th><th>Return %</th><th>Drawdown %</th><th>Orders</th><th>Parameters</th></tr></thead><tbody>",
            );
            row(swept, "best", best, html);
            if let Some(stable) = &comparison.stable {
                row(swept, "stable", stable, html);
            }
            html.push_str("</tbody></table></div>");
            let verdict = match best.dsr {
                dsr if dsr >= 0.95 => "The best result is unlikely to be luck.",
                _ => "The best result may be luck: its deflated Sharpe ratio is below 95 %.",
            };
            let beside = match &comparison.stable {
                Some(stable) if stable.row == best.row => "Its neighbours are the steadiest too.",
                Some(_) => {
                    "Another combination stands on a plateau: small changes of its parameters cost less."
                }
                None => "No combination has neighbours, so nothing is known about its surroundings.",
            };
            let _ = write!(html, "<p class=\"none\">{verdict} {beside}</p>");
        }
        None => html.push_str("<p class=\"none\">No combination traded.</p>"),
    }
    html.push_str("</section>");
}

fn row(swept: &Swept, name: &str, best: &Best, html: &mut String) {
    let figures = swept.rows[best.row].trial().map(|trial| trial.figures.clone()).unwrap_or_default();
    let cells = [
        name.to_owned(),
        format!("{:.3}", best.sharpe),
        format!("{:.3}", best.neighbourhood),
        format!("{:.3}", best.worst),
        best.neighbours.to_string(),
        format!("{:.2}", figures.return_pct().round_dp(2)),
        format!("{:.2}", figures.max_drawdown_pct.round_dp(2)),
        figures.orders.to_string(),
        swept.space.describe(swept.rows[best.row].combination),
    ];
    cells_of(&cells, html);
}

fn cells_of(cells: &[String], html: &mut String) {
    html.push_str("<tr>");
    for cell in cells {
        let _ = write!(html, "<td>{}</td>", escape(cell));
    }
    html.push_str("</tr>");
}

fn walk_forward(swept: &Swept, walk: &WalkForward, html: &mut String) {
    html.push_str("<section><h2>Out of sample</h2><div class=\"figures\">");
    let mut figure = |name: &str, value: String| {
        let _ = write!(html, "<div><span>{name}</span><strong>{value}</strong></div>");
    };
    let none = || "–".to_owned();
    let sharpe = walk.moments().map(|moments| moments.sharpe_a_year(swept.period));
    figure("Sharpe ratio of all tests, a year", sharpe.map_or_else(none, |sharpe| format!("{sharpe:.3}")));
    figure("return of all tests", format!("{:.2} %", walk.return_pct().round_dp(2)));
    figure("worst test's drawdown", format!("{:.2} %", walk.max_drawdown_pct().round_dp(2)));
    let efficiency = walk.efficiency(&swept.rows);
    figure(
        "mean return after the cuts by that before",
        efficiency.map_or_else(none, |share| format!("{:.0} %", share * 100.0)),
    );
    html.push_str(
        "</div><div class=\"wide\"><table class=\"params\"><thead><tr><th>Chosen until</th><th>Judged until</th><th>Sharpe before</th>\
         <th>Sharpe after</th><th>Return %</th><th>Drawdown %</th><th>Orders</th><th>Parameters</th></tr></thead><tbody>",
    );
    let a_year = swept.period.a_year().sqrt();
    for Fold { cut, test_to, row, train_sharpe, test, .. } in &walk.folds {
        let after = test.moments().map(|moments| moments.sharpe() * a_year);
        cells_of(
            &[
                minute(*cut),
                minute(*test_to),
                format!("{:.3}", train_sharpe * a_year),
                after.map_or_else(none, |sharpe| format!("{sharpe:.3}")),
                format!("{:.2}", test.figures.return_pct().round_dp(2)),
                format!("{:.2}", test.figures.max_drawdown_pct.round_dp(2)),
                test.figures.orders.to_string(),
                swept.space.describe(swept.rows[*row].combination),
            ],
            html,
        );
    }
    html.push_str("</tbody></table></div></section>");
}

/// The best and the stable one over time, and the tests one after the other.
fn equity(swept: &Swept, html: &mut String) {
    let curve = |returns: &[f64], ends_ms: &[i64]| {
        let mut worth = 100.0;
        let grown = returns.iter().zip(ends_ms).map(|(change, end_ms)| {
            worth *= 1.0 + change;
            (*end_ms as f64 / 1_000.0, worth)
        });
        grown.collect::<Vec<_>>()
    };
    let mut series = Vec::new();
    let chosen = [("equity", &swept.comparison.best), ("long", &swept.comparison.stable)];
    for (class, best) in chosen {
        if let Some(trial) = best.as_ref().and_then(|best| swept.rows[best.row].trial()) {
            series.push(Series { class, points: curve(&trial.returns, &trial.ends_ms), filled: false });
        }
    }
    if let Some(walk) = &swept.walk_forward {
        let ends: Vec<i64> = walk.folds.iter().flat_map(|fold| fold.test.ends_ms.iter().copied()).collect();
        series.push(Series { class: "drawdown", points: curve(&walk.returns(), &ends), filled: false });
    }
    if series.is_empty() {
        return;
    }
    html.push_str(
        "<section><h2>Equity, 100 at the start: best (blue), stable (green), out of sample (red)</h2>",
    );
    let time_label = |t: f64| minute(Timestamp::from_ms((t * 1_000.0) as i64)).chars().take(10).collect();
    let chart = Chart { label: "equity over time", height: 260.0, series, with_zero: false, time_label };
    html.push_str(&chart.svg());
    html.push_str("</section>");
}

/// Mean and best Sharpe ratio by the value of each parameter.
fn axes(swept: &Swept, html: &mut String) {
    for (axis, parameter) in swept.space.axes.iter().enumerate().filter(|(_, one)| one.values.len() > 1) {
        let mut by_value: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (at, row) in swept.rows.iter().enumerate().filter(|(_, row)| row.trial().is_some()) {
            let sharpe = swept.comparison.trials[at].as_ref().map_or(0.0, |best| best.sharpe);
            by_value.entry(swept.space.places(row.combination)[axis]).or_default().push(sharpe);
        }
        let _ = write!(
            html,
            "<section><h2>{}</h2><div class=\"wide\"><table><thead><tr><th>Value</th><th>Trials</th><th>Mean Sharpe</th>\
             <th>Best</th><th>Worst</th></tr></thead><tbody>",
            escape(&parameter.path)
        );
        for (place, sharpes) in by_value {
            let mean = sharpes.iter().sum::<f64>() / sharpes.len() as f64;
            let high = sharpes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let low = sharpes.iter().copied().fold(f64::INFINITY, f64::min);
            let value = parameter.values[place].to_string();
            cells_of(
                &[
                    value,
                    sharpes.len().to_string(),
                    format!("{mean:.3}"),
                    format!("{high:.3}"),
                    format!("{low:.3}"),
                ],
                html,
            );
        }
        html.push_str("</tbody></table></div></section>");
    }
}

/// Mean Sharpe ratio over the two parameters that matter most, as a map.
fn map(swept: &Swept, html: &mut String) {
    let mut spread: Vec<(f64, usize)> = (0..swept.space.axes.len())
        .filter(|axis| (2..=40).contains(&swept.space.axes[*axis].values.len()))
        .map(|axis| (spread_of(swept, axis), axis))
        .collect();
    spread.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let [(_, across), (_, down), ..] = spread[..] else { return };
    let mut cells: BTreeMap<(usize, usize), (f64, u32)> = BTreeMap::new();
    for (at, row) in swept.rows.iter().enumerate().filter(|(_, row)| row.trial().is_some()) {
        let places = swept.space.places(row.combination);
        let cell = cells.entry((places[down], places[across])).or_default();
        cell.0 += swept.comparison.trials[at].as_ref().map_or(0.0, |best| best.sharpe);
        cell.1 += 1;
    }
    let mean = |cell: &(f64, u32)| cell.0 / f64::from(cell.1);
    let most = cells.values().map(|cell| mean(cell).abs()).fold(f64::MIN_POSITIVE, f64::max);
    let (columns, lines) = (&swept.space.axes[across], &swept.space.axes[down]);
    let _ = write!(
        html,
        "<section><h2>Mean Sharpe ratio: {} across, {} down</h2><div class=\"wide\"><table class=\"map\"><thead><tr><th></th>",
        escape(&columns.path),
        escape(&lines.path)
    );
    columns.values.iter().for_each(|value| {
        let _ = write!(html, "<th>{}</th>", escape(&value.to_string()));
    });
    html.push_str("</tr></thead><tbody>");
    for (line, value) in lines.values.iter().enumerate() {
        let _ = write!(html, "<tr><td>{}</td>", escape(&value.to_string()));
        for column in 0..columns.values.len() {
            match cells.get(&(line, column)).map(mean) {
                None => html.push_str("<td></td>"),
                Some(sharpe) => {
                    let class = if sharpe >= 0.0 { "up" } else { "down" };
                    let share = (sharpe.abs() / most * 85.0).round();
                    let _ = write!(html, "<td class=\"{class}\" style=\"--share:{share}%\">{sharpe:.2}</td>");
                }
            }
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div></section>");
}

/// How far the mean Sharpe ratios of an axis' values lie apart.
fn spread_of(swept: &Swept, axis: usize) -> f64 {
    let mut sums: BTreeMap<usize, (f64, u32)> = BTreeMap::new();
    for (at, row) in swept.rows.iter().enumerate().filter(|(_, row)| row.trial().is_some()) {
        let sum = sums.entry(swept.space.places(row.combination)[axis]).or_default();
        sum.0 += swept.comparison.trials[at].as_ref().map_or(0.0, |best| best.sharpe);
        sum.1 += 1;
    }
    let means = || sums.values().map(|sum| sum.0 / f64::from(sum.1));
    if sums.is_empty() { 0.0 } else { means().fold(f64::MIN, f64::max) - means().fold(f64::MAX, f64::min) }
}

fn list(swept: &Swept, html: &mut String) {
    let mut ranked: Vec<&Best> = swept.comparison.trials.iter().flatten().collect();
    ranked.sort_by(|a, b| b.sharpe.total_cmp(&a.sharpe).then(a.row.cmp(&b.row)));
    if ranked.is_empty() {
        return;
    }
    let _ = write!(
        html,
        "<section><h2>The {} best of {}</h2><div class=\"wide\"><table class=\"params\"><thead><tr><th>Combination</th><th>Sharpe</th>\
         <th>Neighbourhood</th><th>Worst neighbour</th><th>Neighbours</th><th>Return %</th><th>Drawdown %</th><th>Orders</th>\
         <th>Parameters</th></tr></thead><tbody>",
        ranked.len().min(LISTED),
        swept.comparison.played
    );
    for best in ranked.into_iter().take(LISTED) {
        row(swept, &swept.rows[best.row].combination.to_string(), best, html);
    }
    html.push_str("</tbody></table></div></section>");
}

fn minute(at: Timestamp) -> String {
    at.to_string().chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

const STYLE: &str = "
table.params th:last-child,table.params td:last-child{text-align:left;white-space:normal;min-width:260px}
table.map th,table.map td{text-align:center}table.map td{border:1px solid var(--rule)}table.map td:first-child{font-weight:600}
table.map td.up{background:color-mix(in srgb,var(--long) var(--share),var(--card))}table.map td.down{background:color-mix(in srgb,var(--down) var(--share),var(--card))}
";
