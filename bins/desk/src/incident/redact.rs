//! What must not leave a machine, taken out of texts: keys, hosts, paths, chats.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use hedge_core::{Decision, Envelope, Event, Fact};
use serde_json::Value;

use crate::env::Env;

/// Longer words of letters and digits are taken for keys.
const LONGEST_WORD: usize = 39;
/// Shorter values are too likely to stand in a text by chance.
const SHORTEST_VALUE: usize = 4;
/// What stands before a value that nobody may read.
const BEFORE_SECRETS: [&str; 9] =
    ["signature", "listenkey", "apikey", "api_key", "secret", "token", "chat_id", "chat", "password"];
/// How paths of exchanges begin, which say nothing about a machine.
const ENDPOINTS: [&str; 10] =
    ["/fapi/", "/dapi/", "/papi/", "/sapi/", "/api/", "/futures/", "/ws", "/stream", "/public", "/private"];

/// Takes out of texts what belongs to a machine or a person.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// Longest first, so that a part of one does not hide the rest of another.
    values: Vec<(String, &'static str)>,
}

impl Redactor {
    /// Knows patterns only.
    pub fn new() -> Self {
        Self::default()
    }
    /// Also the values of the operator's variables that nobody may read.
    #[must_use]
    pub fn and_of_env(mut self, env: &Env) -> Self {
        for name in Env::SECRETS.into_iter().chain(["TELEGRAM_CHAT_ID"]) {
            if let Some(value) = env.get(name) {
                self.add(value, "[hidden]");
            }
        }
        self
    }
    /// Also this machine's folder, wherever it is named.
    #[must_use]
    pub fn and_path(mut self, path: &Path) -> Self {
        if let Some(text) = path.to_str().filter(|text| text.contains('/')) {
            self.add(text, "[path]");
        }
        self
    }
    /// Also this name of a machine.
    #[must_use]
    pub fn and_host(mut self, name: &str) -> Self {
        self.add(name.trim(), "[host]");
        self
    }
    fn add(&mut self, value: &str, by: &'static str) {
        if value.len() >= SHORTEST_VALUE {
            self.values.push((value.to_owned(), by));
            self.values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
    }

    /// The text without it. What is taken out depends on the text only, so a decision that quotes a fact quotes it still.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found = Cow::Borrowed(text);
        for (value, by) in &self.values {
            if found.contains(value.as_str()) {
                found = Cow::Owned(found.replace(value.as_str(), by));
            }
        }
        let mut out = String::with_capacity(found.len());
        let mut before = "";
        let mut changed = false;
        for (word, gap) in words(&found) {
            let is_secret = BEFORE_SECRETS.iter().any(|name| before.eq_ignore_ascii_case(name));
            match redacted(word, is_secret) {
                Some(by) => {
                    out.push_str(&by);
                    changed = true;
                }
                None => out.push_str(word),
            }
            out.push_str(gap);
            let name = word.trim_matches(':');
            if !name.is_empty() {
                before = name;
            }
        }
        if changed { Cow::Owned(out) } else { found }
    }

    /// The record without it; `None` when there was nothing to take out. Errors: what must go stands where a record has a word
    /// of its own, and which record that is; it must not leave as it is.
    pub fn record(&self, record: &Envelope) -> Result<Option<Envelope>, String> {
        // Numbers and the engine's own words; most records are of these.
        let is_plain = matches!(
            &record.event,
            Event::Fact(Fact::Market { .. } | Fact::Tick | Fact::Instrument { .. })
                | Event::Decision(Decision::Screened { .. } | Decision::Assessed { .. })
        );
        if is_plain {
            return Ok(None);
        }
        let unreadable =
            |error: serde_json::Error| format!("record {} cannot be redacted: {error}", record.seq);
        let mut value = serde_json::to_value(record).map_err(unreadable)?;
        let whole = value.clone();
        if !self.value(&mut value) {
            return Ok(None);
        }
        if let Ok(record) = serde_json::from_value(value) {
            return Ok(Some(record));
        }
        // A machine may be called like a word of the journal, and then the word says nothing about it.
        let others = self.values.iter().filter(|(_, by)| *by != "[host]").cloned();
        let nameless = Self { values: others.collect() };
        let mut value = whole;
        if nameless.value(&mut value) {
            serde_json::from_value(value).map(Some).map_err(unreadable)
        } else {
            Ok(None)
        }
    }

    fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.text(text) {
                Cow::Borrowed(_) => false,
                Cow::Owned(other) => {
                    *text = other;
                    true
                }
            },
            Value::Array(all) => all.iter_mut().fold(false, |changed, value| self.value(value) | changed),
            Value::Object(all) => all
                .iter_mut()
                // Hashes look like keys.
                .filter(|(key, _)| !matches!(key.as_str(), "config_hash" | "data_hash" | "code_version"))
                .fold(false, |changed, (_, value)| self.value(value) | changed),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

/// Words and what stands between them. An address is one word.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_gap = |c: char| {
        c.is_whitespace()
            || matches!(c, '"' | '\'' | '`' | '(' | ')' | '<' | '>' | ',' | ';' | '{' | '}' | '|' | '\\')
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = rest.find(is_gap).unwrap_or(rest.len());
        // `key=value` and `key: value` are two words, unless it is an address with a query.
        if !rest[..end].contains("://")
            && let Some(split) = rest[..end].find(['=', '&', '?'])
        {
            end = split;
        }
        let is_between = |c: char| is_gap(c) || matches!(c, '=' | '&' | '?');
        let gap = rest[end..].find(|c| !is_between(c)).map_or(rest.len(), |at| end + at);
        let found = (&rest[..end], &rest[end..gap]);
        rest = &rest[gap..];
        Some(found)
    })
}

/// What stands for a word that must go; `None` for one that may stay.
fn redacted(word: &str, is_secret: bool) -> Option<String> {
    let core = word.trim_end_matches(['.', ':', '!']);
    let rest = &word[core.len()..];
    if core.is_empty() {
        return None;
    }
    if is_secret {
        return Some(format!("[hidden]{rest}"));
    }
    if let Some(at) = core.find("://") {
        let scheme = core[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |before| before + 1);
        return Some(format!("{}[url]{rest}", &core[..scheme]));
    }
    let by = if is_host(core) {
        "[host]"
    } else if is_path(core) {
        "[path]"
    } else if core.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')) {
        "[mail]"
    } else if is_key(core) {
        "[hidden]"
    } else {
        return None;
    };
    Some(format!("{by}{rest}"))
}

fn is_host(word: &str) -> bool {
    if word.parse::<SocketAddr>().is_ok() {
        return true;
    }
    let bare = word.trim_start_matches('[').trim_end_matches(']');
    if bare.len() > 2 && bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let Some((host, port)) = word.rsplit_once(':') else { return word.eq_ignore_ascii_case("localhost") };
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && host.bytes().any(|byte| byte.is_ascii_alphabetic())
        && (host.contains('.') || host.eq_ignore_ascii_case("localhost"));
    is_name && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_path(word: &str) -> bool {
    let is_rooted = word.starts_with('/') || word.starts_with("~/");
    let has_folders = word.matches('/').count() >= 2;
    is_rooted && has_folders && !ENDPOINTS.iter().any(|endpoint| word.starts_with(endpoint))
}

fn is_key(word: &str) -> bool {
    word.len() > LONGEST_WORD
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/'))
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use hedge_core::{Seq, Timestamp};

    use super::*;

    fn redacted(text: &str) -> String {
        Redactor::new().text(text).into_owned()
    }

    #[test]
    fn hosts_paths_keys_and_chats_go_and_words_stay() {
        for (text, wanted) in [
            (
                "error sending request for url (https://fapi.binance.com/fapi/v1/order?a=1)",
                "error sending request for url ([url])",
            ),
            ("connect 127.0.0.1:8080 refused", "connect [host] refused"),
            ("tcp [::1]:443: refused.", "tcp [host]: refused."),
            ("db.internal.example.com:5432 is gone", "[host] is gone"),
            ("cannot write /var/lib/hedge/state/journal: no space", "cannot write [path]: no space"),
            ("path=/srv/ann/hedge/x.json", "path=[path]"),
            ("POST /fapi/v1/order failed (-2021)", "POST /fapi/v1/order failed (-2021)"),
            ("symbol=BTCUSDT&signature=abc123&x=1", "symbol=BTCUSDT&signature=[hidden]&x=1"),
            (
                "\"listenKey\":\"pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1\"",
                "\"listenKey\":\"[hidden]\"",
            ),
            ("chat_id=-1001234567", "chat_id=[hidden]"),
            ("told ann@example.com", "told [mail]"),
            (
                "order h0sn8www00111s at 64000.5, 0.012 of 1.5",
                "order h0sn8www00111s at 64000.5, 0.012 of 1.5",
            ),
            (
                "stopped: SIGTERM; 3 legs, reason: drawdown 9.1 %",
                "stopped: SIGTERM; 3 legs, reason: drawdown 9.1 %",
            ),
            ("测试 — ok", "测试 — ok"),
        ] {
            assert_eq!(redacted(text), wanted);
            assert_eq!(redacted(wanted), wanted, "what was redacted stays as it is");
        }
    }

    #[test]
    fn the_values_of_this_machine_go_wherever_they_stand() {
        let env = Env::from_pairs([("TELEGRAM_CHAT_ID", "4711471"), ("BINANCE_API_KEY", "shortKey1")]);
        let redactor =
            Redactor::new().and_of_env(&env).and_path(Path::new("/srv/x")).and_host("trading-host-7\n");
        assert_eq!(
            redactor.text("to 4711471 with shortKey1 from trading-host-7 in /srv/x"),
            "to [hidden] with [hidden] from [host] in [path]"
        );
    }

    #[test]
    fn a_record_without_such_words_is_not_touched() {
        let record = |because: &str| Envelope {
            seq: Seq(3),
            at: Timestamp::from_ms(1),
            cause: None,
            event: Event::Fact(Fact::RunStopped { because: because.to_owned() }),
        };
        let redactor = Redactor::new();
        assert_eq!(redactor.record(&record("SIGTERM")), Ok(None));
        assert_eq!(redactor.record(&record("at http://10.0.0.1/")), Ok(Some(record("at [url]"))));
        // A machine that is called like a word of the journal, and a secret that is one.
        let fact = Redactor::new().and_host("run_stopped").record(&record("at http://10.0.0.1/"));
        assert_eq!(fact, Ok(Some(record("at [url]"))));
        let mut hostile = Redactor::new();
        hostile.add("run_stopped", "[hidden]");
        assert!(hostile.record(&record("over")).unwrap_err().contains("cannot be redacted"));
    }
}
