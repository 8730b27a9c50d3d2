//! The parameters that vary, and the values they take.

use figment::{
    Figment,
    providers::{Format, Toml},
    value::Dict,
};
use hedge_core::Decimal;
use serde_json::Value;

use super::error::SweepError;

/// More values than this are a typing error in a range.
const MOST_VALUES: usize = 10_000;

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Its path in the configuration: `strategies.NAME.key`, `risk.KEY`, `universe.…` or `runtime.section.key`.
    pub path: String,
    /// At least one, each once.
    pub values: Vec<Value>,
}

/// All combinations of some parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    /// Ordered by path. The last one changes fastest.
    pub axes: Vec<Axis>,
}

impl Axis {
    /// Whether its values have an order, so that two of them can be neighbours.
    pub fn is_ordered(&self) -> bool {
        let numbers = || self.values.iter().map(Value::as_f64);
        numbers().all(|number| number.is_some())
            && (numbers().is_sorted_by(|a, b| a < b) || numbers().is_sorted_by(|a, b| a > b))
    }
}

impl Space {
    /// Reads a grid file: TOML whose keys are paths, and whose values are lists, or `{ from, to, step }`.
    ///
    /// Errors: [`SweepError::Grid`] in one line.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, SweepError> {
        let wrong = |text: String| SweepError::Grid { place: name.to_owned(), text };
        let dict: Dict = Figment::from(Toml::string(text)).extract().map_err(|error| {
            let text = error.to_string();
            let why = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or(&text);
            wrong(format!("not valid TOML: {}", why.trim()))
        })?;
        let tree = serde_json::to_value(dict).map_err(|error| wrong(error.to_string()))?;
        let mut axes = Vec::new();
        collect(&tree, String::new(), &mut axes).map_err(wrong)?;
        if axes.is_empty() {
            return Err(wrong(
                "names no parameter; expected lines such as \"strategies.NAME.lookback_bars\" = [12, 24, 48]"
                    .to_owned(),
            ));
        }
        axes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { axes })
    }

    /// How many combinations there are; `None` when that is more than can be counted.
    pub fn combinations(&self) -> Option<u64> {
        self.axes.iter().try_fold(1_u64, |product, axis| product.checked_mul(axis.values.len() as u64))
    }

    /// Which value each parameter has in a combination.
    pub fn places(&self, mut combination: u64) -> Vec<usize> {
        let mut places = vec![0; self.axes.len()];
        for (place, axis) in places.iter_mut().zip(&self.axes).rev() {
            let values = axis.values.len() as u64;
            *place = (combination % values) as usize;
            combination /= values;
        }
        places
    }

    /// The values of a combination.
    pub fn values(&self, combination: u64) -> Vec<&Value> {
        self.places(combination)
            .into_iter()
            .zip(&self.axes)
            .map(|(place, axis)| &axis.values[place])
            .collect()
    }

    /// `strategies.a.lookback_bars = 12, risk.KILL_DD_PCT = 9`
    pub fn describe(&self, combination: u64) -> String {
        let values = self.values(combination);
        let parts = self.axes.iter().zip(values).map(|(axis, value)| format!("{} = {value}", axis.path));
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// Tables are parts of a path, until a list or a range ends it.
fn collect(tree: &Value, path: String, axes: &mut Vec<Axis>) -> Result<(), String> {
    match tree {
        Value::Object(table) if is_range(table) => {
            axes.push(Axis { values: range(&path, table)?, path });
            Ok(())
        }
        Value::Object(table) => table.iter().try_for_each(|(key, below)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            collect(below, path, axes)
        }),
        Value::Array(values) if values.is_empty() => {
            Err(format!("{path}: the list is empty, expected at least one value"))
        }
        Value::Array(values) => {
            if let Some(twice) = values.iter().enumerate().find(|(at, value)| values[..*at].contains(value)) {
                return Err(format!("{path}: {} stands twice", twice.1));
            }
            axes.push(Axis { path, values: values.clone() });
            Ok(())
        }
        single => Err(format!(
            "{path} = {single}: expected a list such as [1, 2, 3] or {{ from = 1, to = 3, step = 1 }}"
        )),
    }
}

fn is_range(table: &serde_json::Map<String, Value>) -> bool {
    !table.is_empty() && table.keys().all(|key| ["from", "to", "step"].contains(&key.as_str()))
}

fn range(path: &str, table: &serde_json::Map<String, Value>) -> Result<Vec<Value>, String> {
    let number = |key: &str| {
        let value = table
            .get(key)
            .ok_or_else(|| format!("{path}: {key} is missing, expected {{ from, to, step }}"))?;
        decimal(value).ok_or_else(|| format!("{path}.{key} = {value}: expected a number"))
    };
    let (from, to, step) = (number("from")?, number("to")?, number("step")?);
    if step <= Decimal::ZERO || to < from {
        return Err(format!(
            "{path}: from {from} to {to} in steps of {step}: expected from ≤ to and a step above 0"
        ));
    }
    let whole = table.values().all(Value::is_i64);
    let mut values = Vec::new();
    let mut at = from;
    while at <= to {
        if values.len() == MOST_VALUES {
            return Err(format!("{path}: more than {MOST_VALUES} values; take a larger step"));
        }
        values.push(json_number(at, whole));
        at += step;
    }
    Ok(values)
}

/// A number as it is written.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => {
            number.to_string().parse().ok().or_else(|| Decimal::from_scientific(&number.to_string()).ok())
        }
        _ => None,
    }
}

pub(super) fn json_number(value: Decimal, whole: bool) -> Value {
    let text = value.normalize().to_string();
    let as_whole = text.parse::<i64>().ok().filter(|_| whole).map(Value::from);
    as_whole.or_else(|| text.parse::<f64>().ok().map(Value::from)).unwrap_or(Value::String(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(text: &str) -> Space {
        Space::from_toml("grid.toml", text).unwrap()
    }
    fn refused(text: &str) -> String {
        Space::from_toml("grid.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn lists_and_ranges_give_combinations_in_a_fixed_order() {
        let space = space(
            "\"risk.KILL_DD_PCT\" = [5, 9]\n[strategies.a]\nstop.atr = { from = 1.1, to = 1.3, step = 0.1 }\nmode = [\"x\"]\n",
        );
        let paths: Vec<&str> = space.axes.iter().map(|axis| axis.path.as_str()).collect();
        assert_eq!(paths, ["risk.KILL_DD_PCT", "strategies.a.mode", "strategies.a.stop.atr"]);
        assert_eq!(space.axes[2].values, [1.1, 1.2, 1.3].map(Value::from), "exact, not 1.2000000000000002");
        assert_eq!(space.combinations(), Some(6));
        assert_eq!(space.places(4), [1, 0, 1]);
        assert_eq!(
            space.describe(4),
            "risk.KILL_DD_PCT = 9, strategies.a.mode = \"x\", strategies.a.stop.atr = 1.2"
        );
        assert!(space.axes[0].is_ordered() && !space.axes[1].is_ordered());
    }

    #[test]
    fn whole_ranges_stay_whole_and_end_at_their_end() {
        let space = space("\"a.b\" = { from = 10, to = 25, step = 5 }\n");
        assert_eq!(space.axes[0].values, [10, 15, 20, 25].map(Value::from));
    }

    #[test]
    fn what_is_no_grid_is_one_line() {
        for (text, expected) in [
            ("", "grid.toml: names no parameter"),
            ("a = 3\n", "grid.toml: a = 3: expected a list"),
            ("a = []\n", "grid.toml: a: the list is empty"),
            ("a = [1, 2, 1]\n", "grid.toml: a: 1 stands twice"),
            ("a = { from = 1, to = 3 }\n", "grid.toml: a: step is missing"),
            ("a = { from = 3, to = 1, step = 1 }\n", "expected from ≤ to"),
            ("a = { from = 1, to = 3, step = 0 }\n", "a step above 0"),
            ("a = { from = 1, to = 1000000, step = 1 }\n", "more than 10000 values"),
            ("a = { from = \"x\", to = 3, step = 1 }\n", "a.from = \"x\": expected a number"),
            ("a = [1\n", "grid.toml: not valid TOML: "),
        ] {
            let error = refused(text);
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
    }
}
