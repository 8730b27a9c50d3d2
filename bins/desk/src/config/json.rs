//! Reading a JSON file into a struct, with errors that name file, line, key, range and the nearest valid key.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    outline::Outline,
    problem::{Problem, nearest, shown},
};

/// What is known about a key: what is accepted, and in which unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hint {
    pub(crate) range: &'static str,
    pub(crate) unit: &'static str,
}

/// Reads a file's text. `hint` explains keys for the messages.
pub(crate) fn read<T: DeserializeOwned>(
    name: &str,
    text: &str,
    hint: impl Fn(&str) -> Option<Hint>,
) -> Result<(T, Outline), Problem> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let what = format!("not valid JSON: {}", without_place(&error));
        return Err(Problem::new(format!("{name}:{}", error.line()), what));
    }
    let outline = Outline::parse(text).map_err(|no| Problem::new(format!("{name}:{}", no.line), no.why))?;
    match serde_json::from_str(text) {
        Ok(value) => Ok((value, outline)),
        Err(error) => Err(explain(name, &error, &outline, hint)),
    }
}

fn explain(
    name: &str,
    error: &serde_json::Error,
    outline: &Outline,
    hint: impl Fn(&str) -> Option<Hint>,
) -> Problem {
    let spot = outline.around(error.line(), error.column());
    let message = without_place(error);
    let hint_of = |key: &str| hint(key).map(|hint| expected(hint.range, hint.unit));
    let text = if message.starts_with("unknown field ") {
        let mut words = quoted(&message);
        let key = words.next().unwrap_or_default();
        match nearest(key, words) {
            Some(near) => format!("{}: unknown key; nearest valid key: {near}", spot.path),
            None => format!("{}: unknown key; none is valid here", spot.path),
        }
    } else if message.starts_with("missing field ") {
        let key = quoted(&message).next().unwrap_or_default();
        let path = if spot.path.is_empty() { key.to_owned() } else { format!("{}.{key}", spot.path) };
        let wanted = hint_of(key).map(|wanted| format!("; {wanted}")).unwrap_or_default();
        format!("{path}: missing{wanted}")
    } else {
        let wanted = spot.key.as_deref().and_then(hint_of).unwrap_or_else(|| message.clone());
        let mut text = format!("{}: {wanted}", assignment(&spot.path, &spot.found));
        if message.starts_with("unknown variant ") {
            let mut words = quoted(&message);
            let found = words.next().unwrap_or_default();
            if let Some(near) = nearest(found, words) {
                text.push_str(&format!("; nearest: {near}"));
            }
        }
        text
    };
    Problem::new(format!("{name}:{}", spot.line), text)
}

/// `expected 1 to 125 (multiple)`.
pub(crate) fn expected(range: &str, unit: &str) -> String {
    if unit.is_empty() { format!("expected {range}") } else { format!("expected {range} ({unit})") }
}

/// `leverage = 126`.
pub(crate) fn assignment(path: &str, found: &str) -> String {
    if path.is_empty() { shown(found) } else { format!("{path} = {}", shown(found)) }
}

/// The words in backquotes of a serde message.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use hedge_strategy::config::{StrategiesConfig, UniverseConfig, find_key};

    use super::*;

    fn hint(key: &str) -> Option<Hint> {
        find_key(key).map(|info| Hint { range: info.range, unit: info.unit })
    }

    fn strategies(block: &str) -> String {
        let text = format!("{{\n  \"strategies\": [\n    {{{block}}}\n  ]\n}}\n");
        read::<StrategiesConfig>("s.json", &text, hint).unwrap_err().to_string()
    }

    const GOOD: &str =
        r#""name": "a", "kind": "btc_breakout", "symbol": "BTCUSDT", "capital_per_trade": "500""#;

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_valid_key() {
        assert_eq!(
            strategies(&format!("{GOOD}, \"levrage\": 3")),
            "s.json:3: strategies[0].levrage: unknown key; nearest valid key: leverage"
        );
        assert_eq!(
            read::<UniverseConfig>("u.json", "{\"symbol\": []}", hint).unwrap_err().to_string(),
            "u.json:1: symbol: unknown key; nearest valid key: symbols"
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_what_was_found_and_the_range() {
        assert_eq!(
            strategies(&format!("{GOOD},\n\"leverage\": \"three\"")),
            "s.json:4: strategies[0].leverage = \"three\": expected 1 to 125 (multiple)"
        );
        assert_eq!(
            strategies(&format!("{GOOD}, \"leverage\": -1")),
            "s.json:3: strategies[0].leverage = -1: expected 1 to 125 (multiple)"
        );
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_nearest_one() {
        let text = strategies(&format!("{GOOD}, \"timeframe\": \"15min\""));
        assert!(
            text.starts_with("s.json:3: strategies[0].timeframe = \"15min\": expected 1m 3m 5m "),
            "{text}"
        );
        assert!(text.ends_with("; nearest: 15m"), "{text}");
    }

    #[test]
    fn a_missing_key_is_named_with_its_range() {
        assert_eq!(
            strategies(r#""name": "a", "kind": "ma_cross", "symbol": "X""#),
            "s.json:3: strategies[0].capital_per_trade: missing; expected 1 to 1000000 (USDT)"
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        assert_eq!(
            strategies(&format!("{GOOD},\n\"leverage\": 3, \"leverage\": 9")),
            "s.json:4: leverage: stands twice; the first is on line 4"
        );
    }

    #[test]
    fn text_that_is_no_json_is_refused_with_its_line() {
        let text = read::<UniverseConfig>("u.json", "{\n  \"symbols\": [\n}", hint).unwrap_err().to_string();
        assert!(text.starts_with("u.json:3: not valid JSON: "), "{text}");
        assert!(!text.contains(" at line "), "{text}");
    }

    #[test]
    fn a_list_where_an_object_belongs_is_refused() {
        let text = read::<UniverseConfig>("u.json", "[1]", hint).unwrap_err().to_string();
        assert!(text.starts_with("u.json:1: "), "{text}");
    }
}
