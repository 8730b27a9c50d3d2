//! One function per line that operators know.

use hedge_core::{
    Action, Asset, Book, CheckVerdict, Coverage, Decimal, Decision, Entry, Exit, GateCheck, Intent, Leg,
    Portion, PositionKey, PositionSide, Protection, Reading, Size, StrategyId, Tif, Verdict,
};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::sink::Format;

/// Names and JSON texts, in the order in which they are shown.
type Fields = Vec<(&'static str, String)>;

macro_rules! fields {
    ($($name:literal: $value:expr),* $(,)?) => { vec![$(($name, json(&$value))),*] };
}

/// A tagged line: in text `tag body`, in JSON an object with the same fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    tag: &'static str,
    /// The text form, where it is not the object.
    text: Option<String>,
    fields: Fields,
}

impl Line {
    const fn object(tag: &'static str, fields: Fields) -> Self {
        Self { tag, text: None, fields }
    }
    const fn sentence(tag: &'static str, text: String, fields: Fields) -> Self {
        Self { tag, text: Some(text), fields }
    }
    /// The line of something that is only pretended: `… "simulated":true}`.
    pub(super) fn simulated_if(mut self, is_simulated: bool) -> Self {
        if is_simulated {
            self.fields.push(("simulated", json(&true)));
        }
        self
    }
    /// The line without its end.
    pub fn render(&self, format: Format) -> String {
        match (format, &self.text) {
            (Format::Text, Some(text)) => format!("{} {text}", self.tag),
            (Format::Text, None) => format!("{} {}", self.tag, object(&self.fields)),
            (Format::Json, _) => {
                let mut all = fields!("tag": self.tag);
                all.extend(self.fields.iter().cloned());
                object(&all)
            }
        }
    }
}

/// A compact object with its fields in the given order.
fn object(fields: &[(&'static str, String)]) -> String {
    let rows: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", rows.join(","))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// `[preflight] profile=paper base=… testnet=False dry_run=False`: the one line before the first request.
pub fn preflight(profile: &str, base: &str, testnet: bool, dry_run: bool) -> Line {
    Line::sentence(
        "[preflight]",
        format!("profile={profile} base={base} testnet={} dry_run={}", python(testnet), python(dry_run)),
        fields!("profile": profile, "base": base, "testnet": testnet, "dry_run": dry_run),
    )
}

/// `[executor] account OK — futures=True testnet=… dry_run=… balances: […] positions: N`.
pub fn account_ok(book: &Book, testnet: bool, dry_run: bool) -> Line {
    let usdt = book.wallet(&Asset::usdt()).round_dp(8).normalize();
    let balance: Fields = fields!("asset": Asset::usdt(), "balance": usdt.to_string());
    let balances = format!("[{}]", object(&balance));
    let positions = book.open_legs().count();
    let mut fields = fields!("futures": true, "testnet": testnet, "dry_run": dry_run);
    fields.extend([("balances", balances.clone()), ("positions", json(&positions))]);
    let text = format!(
        "account OK — futures=True testnet={} dry_run={} balances: {balances} positions: {positions}",
        python(testnet),
        python(dry_run),
    );
    Line::sentence("[executor]", text, fields)
}

/// `[screener] SOLUSDT 15m z=+2.57 rsi=53.3 atr=0.011 cross_up=True cross_down=False in_trade=False side=-`.
pub(super) fn screener(reading: &Reading, book: &Book) -> Line {
    let is_open = |side: &PositionSide| {
        book.leg(&PositionKey::new(reading.instrument, *side)).is_some_and(|leg| leg.is_open())
    };
    let side = if PositionSide::BOTH.iter().all(is_open) {
        "LONG+SHORT"
    } else {
        reading.side.map_or("-", |side| side.as_str())
    };
    let text = format!(
        "{} {} z={} rsi={} atr={} cross_up={} cross_down={} in_trade={} side={side}",
        reading.instrument.symbol,
        reading.timeframe,
        shown(reading.z, |z| format!("{z:+.2}")),
        shown(reading.rsi, |rsi| format!("{rsi:.1}")),
        shown(reading.atr, |atr| format!("{atr:.3}")),
        python(reading.cross_up),
        python(reading.cross_down),
        python(reading.in_trade),
    );
    let fields = fields!(
        "symbol": reading.instrument.symbol,
        "timeframe": reading.timeframe,
        "z": reading.z,
        "rsi": reading.rsi,
        "atr": reading.atr,
        "cross_up": reading.cross_up,
        "cross_down": reading.cross_down,
        "in_trade": reading.in_trade,
        "side": side,
    );
    Line::sentence("[screener]", text, fields)
}

/// `[screener] attempted=… emitted=…`: one cycle of closed bars.
pub(super) fn cycle(attempted: u64, emitted: u64) -> Line {
    Line::sentence(
        "[screener]",
        format!("attempted={attempted} emitted={emitted}"),
        fields!("attempted": attempted, "emitted": emitted),
    )
}

/// `[decision] {… "veto":[…] …}` of a reading that led to nothing.
pub(super) fn held_back(strategy: StrategyId, reading: &Reading) -> Line {
    Line::object(
        "[decision]",
        fields!(
            "strategy": strategy,
            "symbol": reading.instrument.symbol,
            "timeframe": reading.timeframe,
            "side": reading.side,
            "emitted": false,
            "veto": reading.veto,
        ),
    )
}

/// `[decision] {… "veto":[] …}` of the gate: the rules that refused or shrank, empty when all passed.
pub(super) fn assessed(position: &PositionKey, checks: &[GateCheck], verdict: &Verdict) -> Line {
    let veto: Vec<&str> = checks
        .iter()
        .filter(|check| check.verdict == CheckVerdict::Refuse)
        .map(|check| check.rule.as_ref())
        .collect();
    let (word, to) = match verdict {
        Verdict::Approve => ("approve", None),
        Verdict::Shrink { to } => ("shrink", Some(to.to_string())),
        Verdict::Refuse { .. } => ("refuse", None),
    };
    let mut fields = fields!(
        "symbol": position.instrument.symbol,
        "side": position.side,
        "emitted": true,
        "verdict": word,
        "veto": veto,
        "checks": checks.len(),
    );
    if let Some(to) = to {
        fields.push(("shrunk_to", json(&to)));
    }
    Line::object("[decision]", fields)
}

/// `[screener->executor] {… "symbol":"SOLUSDT","signal":"BUY" …}`.
pub(super) fn handed_over(strategy: StrategyId, intent: &Intent) -> Line {
    let (signal, side) = signal(intent);
    Line::object(
        "[screener->executor]",
        fields!(
            "symbol": intent.position().map(|position| position.instrument.symbol),
            "signal": signal,
            "positionSide": side,
            "strategy": strategy,
            "kind": kind(intent),
        ),
    )
}

/// `[executor] INTENT {…}`.
pub(super) fn intent(strategy: StrategyId, intent: &Intent) -> Line {
    let (signal, side) = signal(intent);
    let mut fields = fields!(
        "strategy": strategy,
        "kind": kind(intent),
        "symbol": intent.position().map(|position| position.instrument.symbol),
        "positionSide": side,
        "side": signal,
        "because": intent.because(),
    );
    let mut put = |name: &'static str, value: String| fields.push((name, value));
    match intent {
        Intent::Open { size, entry, protection, .. } => {
            match size {
                Size::Qty(qty) => put("quantity", text(qty.get())),
                Size::Notional(notional) => put("notional", text(notional.get())),
            }
            match entry {
                Entry::Market => put("entry", json(&"market")),
                Entry::Limit { price, .. } => put("entry", text(price.get())),
            }
            if let Protection::Stop { trigger, take_profits } = protection {
                put("stop", text(trigger.get()));
                let rungs: Vec<Decimal> = take_profits.iter().map(|rung| rung.trigger.get()).collect();
                put("take_profits", json(&rungs));
            }
        }
        Intent::Close { portion, exit, .. } => {
            put(
                "portion",
                match portion {
                    Portion::All => json(&"all"),
                    Portion::Qty(qty) => text(qty.get()),
                    Portion::Fraction(part) => {
                        json(&format!("{}%", (part.get() * Decimal::ONE_HUNDRED).normalize()))
                    }
                },
            );
            put("exit", json(&order_type(&Leg::Close(*exit, Coverage::Qty))));
        }
        Intent::Protect { trigger, .. } => put("stop", text(trigger.get())),
        Intent::Cancel { order, .. } => put("order", json(&order.as_str())),
    }
    Line::object("[executor] INTENT", fields)
}

/// `[executor] SEND_ORDER {… "positionSide":"LONG" …}` and `[executor] CANCEL_ORDER {…}`.
pub(super) fn order(decision: &Decision) -> Option<Line> {
    match decision {
        Decision::OrderApproved { client_id, strategy, position, leg, qty, purpose, .. } => {
            let mut fields = fields!(
                "symbol": position.instrument.symbol,
                "side": position.side.order_side(leg.action()),
                "positionSide": position.side,
                "type": order_type(leg),
                "purpose": purpose,
                "strategy": strategy,
            );
            let mut put = |name: &'static str, value: String| fields.push((name, value));
            let mut conditional = false;
            match leg {
                Leg::Open(Entry::Market) | Leg::Close(Exit::Market, _) => {}
                Leg::Open(Entry::Limit { price, tif }) | Leg::Close(Exit::Limit { price, tif }, _) => {
                    put("price", text(price.get()));
                    put("timeInForce", json(&tif_word(tif)));
                }
                Leg::Close(exit, _) => {
                    conditional = true;
                    if let Exit::StopMarket { trigger, .. } | Exit::TakeProfitMarket { trigger, .. } = exit {
                        put("triggerPrice", text(trigger.get()));
                    }
                }
            }
            if matches!(leg, Leg::Close(_, Coverage::WholeLeg)) {
                put("closePosition", json(&"true"));
            } else {
                put("quantity", text(qty.get()));
            }
            let id = if conditional { "clientAlgoId" } else { "newClientOrderId" };
            put(id, json(&client_id.as_str()));
            Some(Line::object("[executor] SEND_ORDER", fields))
        }
        Decision::CancelRequested { order, because } => Some(Line::object(
            "[executor] CANCEL_ORDER",
            fields!("order": order.as_str(), "because": because),
        )),
        _ => None,
    }
}

/// `[executor] ORDER_REQ /fapi/v1/order 200 {…}` or `ORDER_ERR`; the body as the venue sent it.
pub(super) fn request(is_error: bool, path: &str, status: &str, body: &str) -> Line {
    let tag = if is_error { "[executor] ORDER_ERR" } else { "[executor] ORDER_REQ" };
    // As the venue sent it, its fields in its order; made compact only where it is not.
    let body = match serde_json::from_str::<&RawValue>(body) {
        Ok(raw) if !raw.get().contains('\n') => raw.get().to_owned(),
        Ok(_) => serde_json::from_str::<Value>(body).map_or_else(|_| json(&body), |value| value.to_string()),
        Err(_) => json(&body),
    };
    let text = format!("{path} {status} {body}");
    let status = status.parse::<u64>().map_or_else(|_| json(&status), |status| json(&status));
    Line::sentence(tag, text, vec![("path", json(&path)), ("status", status), ("body", body)])
}

/// Things that a person should see: `[executor] ALERT …`, `[executor] POSTURE …`, `[executor] MUTED …`.
pub(super) fn notice(decision: &Decision) -> Option<Line> {
    let (tag, fields) = match decision {
        Decision::Alert { position, text } => {
            ("[executor] ALERT", fields!("leg": position.map(|position| position.to_string()), "text": text))
        }
        Decision::PostureChanged { posture, because } => {
            ("[executor] POSTURE", fields!("posture": posture, "because": because))
        }
        Decision::LegHalted { position, forced, because } => (
            "[executor] LEG HALTED",
            fields!(
                "symbol": position.instrument.symbol,
                "positionSide": position.side,
                "forced": forced,
                "because": because
            ),
        ),
        Decision::StopRepaired { position, guard, after_ms } => (
            "[executor] STOP REPAIRED",
            fields!(
                "symbol": position.instrument.symbol,
                "positionSide": position.side,
                "guard": guard,
                "after_ms": after_ms
            ),
        ),
        Decision::Muted { instrument, until, because } => (
            "[executor] MUTED",
            fields!("symbol": instrument.symbol, "until": until.to_string(), "because": because),
        ),
        Decision::FlattenRequested { position, because } => (
            "[executor] FLATTEN",
            fields!("symbol": position.instrument.symbol, "positionSide": position.side, "because": because),
        ),
        Decision::Corrected { difference } => ("[executor] CORRECTED", fields!("difference": difference)),
        _ => return None,
    };
    Some(Line::object(tag, fields))
}

fn signal(intent: &Intent) -> (Option<&'static str>, Option<&'static str>) {
    let action = match intent {
        Intent::Open { .. } => Action::Open,
        _ => Action::Close,
    };
    let position = intent.position();
    (position.map(|p| p.side.order_side(action).as_str()), position.map(|p| p.side.as_str()))
}

const fn kind(intent: &Intent) -> &'static str {
    match intent {
        Intent::Open { .. } => "open",
        Intent::Close { .. } => "close",
        Intent::Protect { .. } => "protect",
        Intent::Cancel { .. } => "cancel",
    }
}

const fn order_type(leg: &Leg) -> &'static str {
    match leg {
        Leg::Open(Entry::Market) | Leg::Close(Exit::Market, _) => "MARKET",
        Leg::Open(Entry::Limit { .. }) | Leg::Close(Exit::Limit { .. }, _) => "LIMIT",
        Leg::Close(Exit::StopMarket { .. }, _) => "STOP_MARKET",
        Leg::Close(Exit::TakeProfitMarket { .. }, _) => "TAKE_PROFIT_MARKET",
        Leg::Close(Exit::TrailingStop { .. }, _) => "TRAILING_STOP_MARKET",
    }
}

const fn tif_word(tif: &Tif) -> &'static str {
    match tif {
        Tif::Gtc => "GTC",
        Tif::Ioc => "IOC",
        Tif::Fok => "FOK",
        Tif::PostOnly => "GTX",
        Tif::Gtd { .. } => "GTD",
    }
}

fn text(value: Decimal) -> String {
    json(&value.normalize().to_string())
}

fn shown(value: Option<f64>, show: impl FnOnce(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// Operators' scripts look for the words that the former program printed.
const fn python(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

#[cfg(test)]
mod tests {
    use hedge_core::{InstrumentId, Interval};

    use super::*;

    fn sol() -> InstrumentId {
        InstrumentId::binance("SOLUSDT").unwrap()
    }

    fn reading() -> Reading {
        Reading {
            instrument: sol(),
            timeframe: Interval::M15,
            z: Some(2.571),
            rsi: Some(53.32),
            atr: Some(0.0109),
            cross_up: true,
            cross_down: false,
            in_trade: false,
            side: None,
            emitted: false,
            veto: vec!["z_low".into()],
        }
    }

    #[test]
    fn the_screener_line_is_the_one_operators_grep() {
        assert_eq!(
            screener(&reading(), &Book::default()).render(Format::Text),
            "[screener] SOLUSDT 15m z=+2.57 rsi=53.3 atr=0.011 cross_up=True cross_down=False in_trade=False side=-"
        );
        let warming = Reading { z: None, rsi: None, atr: None, side: Some(PositionSide::Long), ..reading() };
        assert_eq!(
            screener(&warming, &Book::default()).render(Format::Text),
            "[screener] SOLUSDT 15m z=- rsi=- atr=- cross_up=True cross_down=False in_trade=False side=LONG"
        );
    }

    #[test]
    fn json_lines_carry_the_same_fields() {
        let line = screener(&reading(), &Book::default()).render(Format::Json);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["tag"], "[screener]");
        assert_eq!(value["symbol"], "SOLUSDT");
        assert_eq!(value["cross_up"], true);
        assert!(!line.contains(": "), "compact");
    }

    #[test]
    fn a_decision_names_its_vetoes() {
        let strategy = StrategyId::parse("sol_fast_lane").unwrap();
        let line = held_back(strategy, &reading()).render(Format::Text);
        assert!(line.starts_with("[decision] {"), "{line}");
        assert!(line.contains(r#""veto":["z_low"]"#), "{line}");
        let passed = [GateCheck::holds("max_positions", true, None)];
        let line = assessed(&PositionKey::long(sol()), &passed, &Verdict::Approve).render(Format::Text);
        assert!(line.contains(r#""veto":[]"#), "{line}");
        let refused = [GateCheck::holds("max_positions", false, None)];
        let verdict = Verdict::Refuse { rule: "max_positions".into() };
        let line = assessed(&PositionKey::long(sol()), &refused, &verdict).render(Format::Text);
        assert!(line.contains(r#""veto":["max_positions"]"#), "{line}");
    }

    #[test]
    fn requests_keep_path_status_and_body_in_text() {
        let body = r#"{"clientOrderId":"h1e","status":"NEW"}"#;
        assert_eq!(
            request(false, "/fapi/v1/order", "200", body).render(Format::Text),
            r#"[executor] ORDER_REQ /fapi/v1/order 200 {"clientOrderId":"h1e","status":"NEW"}"#
        );
        assert!(
            request(true, "/fapi/v1/order", "400", "gone")
                .render(Format::Text)
                .starts_with("[executor] ORDER_ERR ")
        );
    }

    #[test]
    fn the_preflight_line_is_one_line_of_pairs() {
        assert_eq!(
            preflight("paper", "http://127.0.0.1:9", false, false).render(Format::Text),
            "[preflight] profile=paper base=http://127.0.0.1:9 testnet=False dry_run=False"
        );
    }
}
