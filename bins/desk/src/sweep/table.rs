//! The results as tables: CSV and JSON for programs, a few lines for people.

use std::fmt::Write;

use hedge_core::Decimal;
use serde_json::{Map, Value, json};

use super::{
    compare::Best,
    outcome::{Outcome, Row},
    run::Swept,
    sharpe::Moments,
    trial::Figures,
    walk_forward::{Fold, WalkForward},
};

/// Six digits: the same on every machine, and more than a Sharpe ratio is worth.
pub(super) fn number(value: f64) -> Value {
    let rounded = format!("{value:.6}").parse().unwrap_or(f64::NAN);
    // What is neither a number nor finite is nothing in JSON.
    if rounded == 0.0 { Value::from(0.0) } else { Value::from(rounded) }
}

fn pct(value: Decimal) -> Value {
    number(value.round_dp(6).to_string().parse().unwrap_or(f64::NAN))
}

/// Every combination with its parameters and figures, with a header. In a fixed order, so the same sweep gives the same
/// bytes.
pub fn csv(swept: &Swept) -> String {
    let mut csv = String::from("combination,status");
    for axis in &swept.space.axes {
        let _ = write!(csv, ",{}", field(&axis.path));
    }
    csv.push_str(
        ",sharpe,neighbourhood_sharpe,steady_sharpe,worst_neighbour_sharpe,neighbours,psr,dsr,skew,kurtosis,periods,return_pct,\
         max_drawdown_pct,nav_end,realised,unrealised,fees_paid,funding_net,orders,fills,vetoes,hedged_bars,reason\n",
    );
    for (at, row) in swept.rows.iter().enumerate() {
        let cells = cells(swept, at, row);
        csv.push_str(&cells.iter().map(|cell| field(cell)).collect::<Vec<_>>().join(","));
        csv.push('\n');
    }
    csv
}

fn cells(swept: &Swept, at: usize, row: &Row) -> Vec<String> {
    let status = if row.trial().is_some() { "played" } else { "refused" };
    let mut cells = vec![row.combination.to_string(), status.to_owned()];
    cells.extend(swept.space.values(row.combination).into_iter().map(plain));
    match &row.outcome {
        Outcome::Refused(reason) => {
            cells.extend(std::iter::repeat_n(String::new(), 21));
            cells.push(reason.clone());
        }
        Outcome::Played(trial) => {
            match &swept.comparison.trials[at] {
                Some(best) => {
                    let Best { sharpe, neighbourhood, steady, worst, neighbours, psr, dsr, moments, .. } =
                        best;
                    let numbers = [*sharpe, *neighbourhood, *steady, *worst, *neighbours as f64, *psr, *dsr];
                    cells.extend(
                        numbers
                            .into_iter()
                            .chain([moments.skew, moments.kurtosis])
                            .map(|one| plain(&number(one))),
                    );
                }
                None => cells.extend(std::iter::repeat_n(String::new(), 9)),
            }
            let figures = &trial.figures;
            cells.push(trial.returns.len().to_string());
            cells.extend([figures.return_pct(), figures.max_drawdown_pct].map(|value| plain(&pct(value))));
            let Figures { nav_end, realised, unrealised, fees_paid, funding_net, .. } = figures;
            cells.extend([nav_end, realised, unrealised, fees_paid, funding_net].map(Decimal::to_string));
            let Figures { orders, fills, vetoes, hedged_bars, .. } = figures;
            cells.extend([orders, fills, vetoes, hedged_bars].map(u64::to_string));
            cells.push(String::new());
        }
    }
    cells
}

/// A value without the quotes of JSON, a whole number without its point.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number
            .as_f64()
            .filter(|n| n.fract() == 0.0 && n.abs() < 1e15)
            .map_or_else(|| number.to_string(), |whole| format!("{whole:.0}")),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Everything as one JSON object, indented. The same sweep gives the same bytes.
pub fn json(swept: &Swept) -> Result<String, serde_json::Error> {
    let mut object = summary(swept);
    let facts: Map<String, Value> =
        swept.facts.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    object.insert("facts".to_owned(), Value::Object(facts));
    let axes = swept.space.axes.iter().map(|axis| (axis.path.clone(), Value::Array(axis.values.clone())));
    object.insert("space".to_owned(), Value::Object(axes.collect()));
    let rows = swept.rows.iter().enumerate().map(|(at, row)| row_json(swept, at, row));
    object.insert("rows".to_owned(), Value::Array(rows.collect()));
    serde_json::to_string_pretty(&Value::Object(object))
}

/// The result in one line of JSON: what scripts read from stdout.
pub fn line(swept: &Swept) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Value::Object(summary(swept)))
}

fn summary(swept: &Swept) -> Map<String, Value> {
    let comparison = &swept.comparison;
    let of = |best: &Option<Best>| best.as_ref().map_or(Value::Null, |best| best_json(swept, best));
    let summary = json!({
        "combinations": swept.rows.len(),
        "played": comparison.played,
        "refused": swept.rows.len() - comparison.played,
        "returns": swept.period.as_str(),
        "from": swept.from.to_string(),
        "to": swept.to.to_string(),
        "best": of(&comparison.best),
        "stable": of(&comparison.stable),
        "luck_sharpe": number(comparison.luck),
        "walk_forward": swept.walk_forward.as_ref().map_or(Value::Null, |walk| walk_json(swept, walk)),
    });
    match summary {
        Value::Object(summary) => summary,
        _ => Map::new(),
    }
}

fn parameters(swept: &Swept, row: usize) -> Value {
    let combination = swept.rows[row].combination;
    let values = swept.space.axes.iter().zip(swept.space.values(combination));
    Value::Object(values.map(|(axis, value)| (axis.path.clone(), value.clone())).collect())
}

fn best_json(swept: &Swept, best: &Best) -> Value {
    let figures = swept.rows[best.row].trial().map(|trial| trial.figures.clone()).unwrap_or_default();
    json!({
        "combination": swept.rows[best.row].combination,
        "parameters": parameters(swept, best.row),
        "sharpe": number(best.sharpe),
        "neighbourhood_sharpe": number(best.neighbourhood),
        "steady_sharpe": number(best.steady),
        "worst_neighbour_sharpe": number(best.worst),
        "neighbours": best.neighbours,
        "psr": number(best.psr),
        "dsr": number(best.dsr),
        "return_pct": pct(figures.return_pct()),
        "max_drawdown_pct": pct(figures.max_drawdown_pct),
        "orders": figures.orders,
        "nav_end": figures.nav_end.to_string(),
    })
}

fn row_json(swept: &Swept, at: usize, row: &Row) -> Value {
    let mut object = json!({ "combination": row.combination, "parameters": parameters(swept, at) });
    match &row.outcome {
        Outcome::Refused(reason) => object["refused"] = Value::from(reason.as_str()),
        Outcome::Played(trial) => {
            object["figures"] = serde_json::to_value(&trial.figures).unwrap_or_default();
            if let Some(best) = &swept.comparison.trials[at] {
                let Moments { count, skew, kurtosis, .. } = best.moments;
                object["sharpe"] = number(best.sharpe);
                object["neighbourhood_sharpe"] = number(best.neighbourhood);
                object["steady_sharpe"] = number(best.steady);
                object["worst_neighbour_sharpe"] = number(best.worst);
                object["neighbours"] = Value::from(best.neighbours);
                object["psr"] = number(best.psr);
                object["dsr"] = number(best.dsr);
                object["periods"] = Value::from(count);
                object["skew"] = number(skew);
                object["kurtosis"] = number(kurtosis);
            }
        }
    }
    object
}

fn walk_json(swept: &Swept, walk: &WalkForward) -> Value {
    let a_year = swept.period.a_year().sqrt();
    let fold = |fold: &Fold| {
        json!({
            "train_from": fold.train_from.to_string(),
            "cut": fold.cut.to_string(),
            "test_to": fold.test_to.to_string(),
            "combination": swept.rows[fold.row].combination,
            "parameters": parameters(swept, fold.row),
            "train_sharpe": number(fold.train_sharpe * a_year),
            "test_sharpe": fold.test.moments().map_or(Value::Null, |moments| number(moments.sharpe() * a_year)),
            "test_return_pct": pct(fold.test.figures.return_pct()),
            "test_max_drawdown_pct": pct(fold.test.figures.max_drawdown_pct),
            "test_orders": fold.test.figures.orders,
        })
    };
    json!({
        "folds": walk.folds.iter().map(fold).collect::<Vec<_>>(),
        "sharpe": walk.moments().map_or(Value::Null, |moments| number(moments.sharpe() * a_year)),
        "return_pct": pct(walk.return_pct()),
        "max_drawdown_pct": pct(walk.max_drawdown_pct()),
        "orders": walk.orders(),
        "efficiency": walk.efficiency(&swept.rows).map_or(Value::Null, number),
    })
}

/// For people: the best, the stable one, and what came after the cuts.
pub fn summary_table(swept: &Swept) -> String {
    let comparison = &swept.comparison;
    let refused = swept.rows.len() - comparison.played;
    let mut text =
        format!("{} combinations played, {refused} refused by the configuration\n", comparison.played);
    let none = ["no combination traded", "no combination with neighbours traded"];
    for ((name, best), none) in
        [("best", &comparison.best), ("stable", &comparison.stable)].into_iter().zip(none)
    {
        match best {
            None => {
                let _ = writeln!(text, "  {name:<7} {none}");
            }
            Some(best) => {
                let return_pct =
                    swept.rows[best.row].trial().map(|trial| trial.figures.return_pct()).unwrap_or_default();
                let _ = writeln!(
                    text,
                    "  {name:<7} Sharpe {:>7.3}, neighbourhood {:>7.3} ({} neighbours), return {:>8.2} %  {}",
                    best.sharpe,
                    best.neighbourhood,
                    best.neighbours,
                    return_pct.round_dp(2),
                    swept.space.describe(swept.rows[best.row].combination)
                );
            }
        }
    }
    if let Some(best) = &comparison.best {
        let _ = writeln!(
            text,
            "  luck alone would show a best Sharpe of {:.3} among {} trials; probability that the best is better: {:.1} % (deflated Sharpe ratio)",
            comparison.luck,
            comparison.played,
            best.dsr * 100.0
        );
    }
    if let Some(walk) = &swept.walk_forward {
        let sharpe = walk.moments().map_or_else(
            || "none".to_owned(),
            |moments| format!("{:.3}", moments.sharpe_a_year(swept.period)),
        );
        let _ = writeln!(
            text,
            "  out of sample, {} windows: Sharpe {sharpe}, return {:.2} %, largest drawdown {:.2} %",
            walk.folds.len(),
            walk.return_pct().round_dp(2),
            walk.max_drawdown_pct().round_dp(2)
        );
    }
    text
}
