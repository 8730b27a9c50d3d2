//! What must not leave a machine, taken out of texts: keys, hosts, paths, chats.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use hedge_core::{Decision, Envelope, Event, Fact};
use serde_json::Value;

use crate::{config::RUNTIME_KEYS, env::Env};

/// Longer words of letters and digits are taken for keys.
const LONGEST_WORD: usize = 39;
/// Of a bot's token, what follows its number.
const SHORTEST_BOT_KEY: usize = 30;
/// Shorter values are too likely to stand in a text by chance.
const SHORTEST_VALUE: usize = 4;
/// The same of the name of a machine, which is taken out as a whole word only: `db1`, `nas`.
const SHORTEST_HOST: usize = 3;
/// What stands before a value that nobody may read.
const BEFORE_SECRETS: [&str; 9] =
    ["signature", "listenkey", "apikey", "api_key", "secret", "token", "chat_id", "chat", "password"];
/// How paths of exchanges begin, which say nothing about a machine.
const ENDPOINTS: [&str; 10] =
    ["/fapi/", "/dapi/", "/papi/", "/sapi/", "/api/", "/futures/", "/ws", "/stream", "/public", "/private"];

/// Words before `pid 57` that are no name of a machine.
const BEFORE_PIDS: [&str; 7] = ["by", "is", "was", "with", "and", "process", "name"];
const HOST: &str = "[host]";

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
        self.add(name.trim(), HOST);
        self
    }
    /// Also the machines that are named as holders in these records and this log, `host pid 57`, wherever they stand.
    #[must_use]
    pub fn and_holders_in(mut self, records: &[Envelope], log: &str) -> Self {
        let mut found = BTreeSet::new();
        let mut look = |text: &str| {
            if text.contains(" pid ") {
                let words: Vec<_> = words(text).collect();
                let holders = (0..words.len()).filter(|at| is_holder(&words[*at..]));
                found.extend(holders.map(|at| words[at].0.to_owned()));
            }
        };
        for record in records.iter().filter(|record| !is_plain(&record.event)) {
            look(&serde_json::to_string(record).unwrap_or_default());
        }
        log.lines().for_each(look);
        found.iter().for_each(|name| self.add(name, HOST));
        self
    }
    /// The names of machines that are taken out.
    pub(super) fn hosts(&self) -> Vec<String> {
        self.values.iter().filter(|(_, by)| *by == HOST).map(|(name, _)| name.clone()).collect()
    }
    /// As this one, without names of machines that are words of the engine as well: such a word says nothing about a machine.
    #[must_use]
    pub(super) fn without_hosts(&self, names: &[String]) -> Self {
        let others = self.values.iter().filter(|(name, by)| *by != HOST || !names.contains(name)).cloned();
        Self { values: others.collect() }
    }
    fn add(&mut self, value: &str, by: &'static str) {
        let shortest = if by == HOST { SHORTEST_HOST } else { SHORTEST_VALUE };
        if value.len() >= shortest {
            self.values.push((value.to_owned(), by));
            self.values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
    }

    /// The text without it. What is taken out depends on the text only, so a decision that quotes a fact quotes it still.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found = Cow::Borrowed(text);
        for (value, by) in &self.values {
            if *by == HOST {
                if let Some(other) = without_name(&found, value) {
                    found = Cow::Owned(other);
                }
            } else if found.contains(value.as_str()) {
                found = Cow::Owned(found.replace(value.as_str(), by));
            }
        }
        let mut out = String::with_capacity(found.len());
        let mut before = "";
        let mut changed = false;
        let words: Vec<_> = words(&found).collect();
        for (at, &(word, gap)) in words.iter().enumerate() {
            let is_secret = BEFORE_SECRETS.iter().any(|name| before.eq_ignore_ascii_case(name));
            let by = if is_holder(&words[at..]) { Some(HOST.to_owned()) } else { redacted(word, is_secret) };
            match by {
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
        if is_plain(&record.event) {
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
        let nameless = self.without_hosts(&self.hosts());
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

/// Numbers and the engine's own words; most records are of these.
fn is_plain(event: &Event) -> bool {
    matches!(
        event,
        Event::Fact(Fact::Market { .. } | Fact::Tick | Fact::Instrument { .. })
            | Event::Decision(Decision::Screened { .. } | Decision::Assessed { .. })
    )
}

/// Whether these words begin with a machine that holds something: `trading-host-7 pid 57`.
fn is_holder(words: &[(&str, &str)]) -> bool {
    let [(name, " "), ("pid", " "), (number, _), ..] = words else { return false };
    number.starts_with(|c: char| c.is_ascii_digit())
        && !BEFORE_PIDS.contains(name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// The text without a name that stands in it as a word; `None` where it does not.
fn without_name(text: &str, name: &str) -> Option<String> {
    let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let (mut out, mut done) = (String::new(), 0);
    for (at, _) in text.match_indices(name) {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        if !before.ends_with(is_inside) && !after.starts_with(is_inside) {
            out.push_str(&text[done..at]);
            out.push_str(HOST);
            done = at + name.len();
        }
    }
    (done > 0).then(|| out + &text[done..])
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
        HOST
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
    let Some((host, port)) = word.rsplit_once(':') else {
        return word.eq_ignore_ascii_case("localhost") || is_full_name(word);
    };
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && host.bytes().any(|byte| byte.is_ascii_alphabetic())
        && (host.contains('.') || host.eq_ignore_ascii_case("localhost"));
    is_name && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// `db.internal.example.com`, and no key of a configuration.
fn is_full_name(word: &str) -> bool {
    let labels: Vec<&str> = word.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    labels.len() >= 3
        && labels.iter().all(is_label)
        && labels.last().is_some_and(|last| last.len() >= 2 && last.bytes().all(|b| b.is_ascii_alphabetic()))
        && !RUNTIME_KEYS.iter().any(|key| key.path == word)
}

fn is_path(word: &str) -> bool {
    let is_rooted = word.starts_with('/') || word.starts_with("~/");
    let has_folders = word.matches('/').count() >= 2;
    is_rooted && has_folders && !ENDPOINTS.iter().any(|endpoint| word.starts_with(endpoint))
}

fn is_key(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    let is_long = word.len() > LONGEST_WORD
        // A point and a colon: tokens of services consist of parts.
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'/' | b'.' | b':'))
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic);
    is_long || is_bot_token(word)
}

/// `123456789:AAH…` of a messenger's bot.
fn is_bot_token(word: &str) -> bool {
    word.trim_start_matches("bot").split_once(':').is_some_and(|(number, key)| {
        number.len() >= 6
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && key.len() >= SHORTEST_BOT_KEY
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    })
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
            ("dns error for db.internal.example.com: gone", "dns error for [host]: gone"),
            (
                "binance.rest_url and store.firestore.project of 0.1.0",
                "binance.rest_url and store.firestore.project of 0.1.0",
            ),
            (
                "the lease is held by trading-7 pid 4711 (term 3)",
                "the lease is held by [host] pid 4711 (term 3)",
            ),
            ("locked, held by pid 57", "locked, held by pid 57"),
            ("bot 12345678:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw9 refused", "bot [hidden] refused"),
            (
                "Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhYmMifQ.c2lnbmF0dXJl1 refused",
                "Bearer [hidden] refused",
            ),
            ("access ya29.a0AfH6SMBx1234567890abcdefghijklmnop9 ended", "access [hidden] ended"),
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
    fn a_machine_that_held_something_goes_wherever_it_is_named_and_no_part_of_a_word_does() {
        let because = "fenced: the lease is held by hedge-b pid 17 (term 4)".to_owned();
        let event = Event::Fact(Fact::RunStopped { because });
        let record = Envelope { seq: Seq(3), at: Timestamp::from_ms(1), cause: None, event };
        let redactor =
            Redactor::new().and_holders_in(std::slice::from_ref(&record), "waits: held by hedge-c pid 9");
        assert_eq!(
            redactor.text("hedge-b and hedge-c are back, hedge-book is not"),
            "[host] and [host] are back, hedge-book is not"
        );
        let text = serde_json::to_string(&redactor.record(&record).unwrap()).unwrap();
        assert!(text.contains("held by [host] pid 17"), "{text}");
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
