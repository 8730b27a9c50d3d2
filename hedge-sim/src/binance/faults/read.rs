//! A fault from the JSON of a request.

use std::collections::BTreeMap;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::fault::{Fault, FaultKind, FilterChange, Matching, OrderPool, When};
use crate::venue::SymbolStatus;

const DEFAULT_WAIT_MS: i64 = 1_000;
/// What a made-up refusal says when nobody gives it words.
const REFUSED: &str = "Refused by a fault of the simulated exchange.";

/// Reads a request body; an error is one line that says what was expected.
pub(super) fn fault(body: &str) -> Result<Fault, String> {
    let value: Value =
        serde_json::from_str(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let Value::Object(map) = value else {
        return Err("the body must be an object such as {\"fault\":\"drop\"}".to_owned());
    };
    let mut fields = Fields { map, place: "", known: Vec::new() };
    let Some(name) = fields.text("fault")? else {
        return Err(format!("\"fault\" is missing; it is one of {}", FaultKind::NAMES.join(", ")));
    };
    let matching = matching(&mut fields)?;
    let kind = kind(&name, &mut fields)?;
    let mut fault = Fault { matching, ..Fault::new(kind) };
    fault.after_ms = fields.whole("after_ms")?.unwrap_or(0);
    if let Some(for_ms) = fields.whole("for_ms")? {
        fault = fault.for_ms(for_ms);
    }
    match fields.take("count") {
        None => {}
        Some(Value::Null) => fault.count = None,
        Some(count) => fault.count = Some(small(&count, "count")?),
    }
    fields.end(&format!("{name} takes"))?;
    Ok(fault)
}

fn kind(name: &str, fields: &mut Fields) -> Result<FaultKind, String> {
    Ok(match name {
        "accept_then_drop" => FaultKind::AcceptThenDrop,
        "drop" => FaultKind::Drop,
        "delay" => {
            let delay_ms =
                fields.whole("delay_ms")?.ok_or("delay needs \"delay_ms\", milliseconds of wall time")?;
            let delay_ms = u64::try_from(delay_ms).ok().filter(|ms| *ms > 0);
            let when = fields.word("when", &[("before", When::Before), ("after", When::After)])?;
            FaultKind::Delay {
                delay_ms: delay_ms.ok_or("delay_ms must be 1 or more")?,
                when: when.unwrap_or(When::After),
            }
        }
        "http_429" => {
            let pools = [("weight", OrderPool::Weight), ("orders", OrderPool::Orders)];
            let pool = fields.word("pool", &pools)?.unwrap_or(OrderPool::Weight);
            let retry_after_s = fields.whole("retry_after_s")?.map(u64::try_from).transpose();
            FaultKind::Http429 {
                pool,
                retry_after_s: retry_after_s.map_err(|_| "retry_after_s must be 0 or more")?,
            }
        }
        "http_418" => FaultKind::Http418,
        "http_503_unknown" => {
            FaultKind::Http503Unknown { executed: fields.truth("executed")?.unwrap_or(true) }
        }
        "http_503_unavailable" => FaultKind::Http503Unavailable,
        "http_503_internal" => FaultKind::Http503Internal,
        "http_503_overload" => {
            FaultKind::Http503Overload { spare_closes: fields.truth("spare_closes")?.unwrap_or(true) }
        }
        "refuse" => {
            let code = fields.whole("code")?.filter(|code| *code < 0);
            FaultKind::Refuse {
                code: code.ok_or("refuse needs \"code\", the venue's number, such as -2021")?,
                msg: fields.text("msg")?.unwrap_or_else(|| REFUSED.to_owned()),
            }
        }
        "skew" => FaultKind::Skew {
            skew_ms: fields
                .whole("skew_ms")?
                .ok_or("skew needs \"skew_ms\", how far ahead the server clock is")?,
        },
        "duplicate" => FaultKind::Duplicate,
        "reorder" => FaultKind::Reorder { wait_ms: fields.whole("wait_ms")?.unwrap_or(DEFAULT_WAIT_MS) },
        "late" => FaultKind::Late {
            delay_ms: fields
                .whole("delay_ms")?
                .ok_or("late needs \"delay_ms\", milliseconds of venue time")?,
        },
        "lose" => FaultKind::Lose,
        "cut" => FaultKind::Cut,
        "silence" => FaultKind::Silence,
        "listen_key_expired" => FaultKind::ListenKeyExpired,
        "mode_flipped" => FaultKind::ModeFlipped {
            hedge: fields.truth("hedge")?,
            force: fields.truth("force")?.unwrap_or(false),
        },
        "filter_changed" => FaultKind::FilterChanged(change(fields)?),
        other => {
            return Err(format!("unknown fault {other:?}; known are {}", FaultKind::NAMES.join(", ")));
        }
    })
}

fn change(fields: &mut Fields) -> Result<FilterChange, String> {
    let status = fields.text("status")?.map(|text| {
        SymbolStatus::parse(&text).ok_or_else(|| {
            let known: Vec<&str> = SymbolStatus::ALL.iter().map(|status| status.as_str()).collect();
            format!("unknown status {text:?}; known are {}", known.join(", "))
        })
    });
    Ok(FilterChange {
        symbol: fields.text("symbol")?.ok_or("filter_changed needs \"symbol\"")?,
        tick: fields.decimal("tick")?,
        step: fields.decimal("step")?,
        min_notional: fields.decimal("min_notional")?,
        status: status.transpose()?,
    })
}

fn matching(fields: &mut Fields) -> Result<Matching, String> {
    let map = match fields.take("match") {
        None | Some(Value::Null) => return Ok(Matching::default()),
        Some(Value::Object(map)) => map,
        Some(_) => {
            return Err("match must be an object such as {\"method\":\"POST\",\"path\":\"/fapi/v1/order\"}"
                .to_owned());
        }
    };
    let mut fields = Fields { map, place: "match.", known: Vec::new() };
    let matching = Matching {
        method: fields.text("method")?.map(|method| method.to_ascii_uppercase()),
        path: fields.text("path")?,
        symbol: fields.text("symbol")?,
        params: params(fields.take("params"))?,
        event: fields.text("event")?,
        stream: fields.text("stream")?,
    };
    fields.end("match takes")?;
    Ok(matching)
}

fn params(value: Option<Value>) -> Result<BTreeMap<String, String>, String> {
    let map = match value {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err("match.params must be an object such as {\"side\":\"SELL\"}".to_owned()),
    };
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(number) => Ok((name, number.to_string())),
        Value::Bool(truth) => Ok((name, truth.to_string())),
        _ => Err(format!("match.params.{name} must be a text, number or truth value")),
    };
    map.into_iter().map(text).collect()
}

fn small(value: &Value, name: &str) -> Result<u32, String> {
    let fits = value.as_u64().and_then(|count| u32::try_from(count).ok());
    fits.ok_or_else(|| format!("{name} is {value}; expected a whole number from 1, or null for no limit"))
}

/// The fields of an object, taken one by one.
struct Fields {
    map: Map<String, Value>,
    place: &'static str,
    known: Vec<&'static str>,
}

impl Fields {
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.map.remove(name)
    }

    /// The field, unless it is absent or null.
    fn given(&mut self, name: &'static str) -> Option<Value> {
        self.take(name).filter(|value| !value.is_null())
    }

    fn wrong<T>(&self, name: &str, value: &Value, expected: &str) -> Result<T, String> {
        Err(format!("{}{name} is {value}; expected {expected}", self.place))
    }

    fn text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        match self.given(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(other) => self.wrong(name, &other, "a text"),
        }
    }

    fn whole(&mut self, name: &'static str) -> Result<Option<i64>, String> {
        match self.given(name) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(whole) => Ok(Some(whole)),
                None => self.wrong(name, &value, "a whole number"),
            },
        }
    }

    fn truth(&mut self, name: &'static str) -> Result<Option<bool>, String> {
        match self.given(name) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(truth)),
            Some(other) => self.wrong(name, &other, "true or false"),
        }
    }

    /// A decimal as text or as a number.
    fn decimal(&mut self, name: &'static str) -> Result<Option<Decimal>, String> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            other => return self.wrong(name, other, "a number such as \"0.10\""),
        };
        match Decimal::from_str(&text) {
            Ok(decimal) => Ok(Some(decimal)),
            Err(_) => self.wrong(name, &value, "a number such as \"0.10\""),
        }
    }

    fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.wrong(name, &Value::String(text), &known.join(" or "))
            }
        }
    }

    /// Whatever is left is unknown.
    fn end(self, what: &str) -> Result<(), String> {
        let Some((name, _)) = self.map.into_iter().next() else { return Ok(()) };
        let known = self
            .known
            .iter()
            .filter(|known| !matches!(**known, "fault"))
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        Err(format!("unknown field \"{}{name}\"; {what} {known}", self.place))
    }
}
