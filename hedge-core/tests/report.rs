//! The operators' heartbeat, line by line.
#![allow(clippy::unwrap_used)]

use hedge_core::{
    Decimal, PositionSide, Symbol, Timestamp,
    report::{ClockFace, Heartbeat, Holding, Kpis, Nav, Note, Screened, Topic, Trade, Trades},
};

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn symbol(name: &str) -> Symbol {
    Symbol::parse(name).unwrap()
}

fn leg(name: &str, side: PositionSide, qty: &str, u_pnl: &str) -> Holding {
    Holding { symbol: symbol(name), side, qty: dec(qty), u_pnl: Some(dec(u_pnl)) }
}

fn trade(name: &str, pnl: &str) -> Trade {
    Trade { symbol: symbol(name), pnl: Some(dec(pnl)) }
}

fn johannesburg() -> ClockFace {
    ClockFace { offset_s: 7_200, zone: "SAST".into() }
}

/// The operators' own example.
fn example() -> Heartbeat {
    let mut heartbeat = Heartbeat::new("prod", Timestamp::from_ms(1_755_849_600_000), dec("0.013"));
    heartbeat.nav =
        Some(Nav { value: dec("12345.67"), day_ago: Some(dec("12222.22")), drawdown_pct: Some(dec("3.2")) });
    heartbeat.positions = Some(vec![
        leg("BTCUSDT", PositionSide::Short, "0.001", "0.157"),
        leg("ETHUSDT", PositionSide::Short, "0.042", "-0.289"),
        leg("SOLUSDT", PositionSide::Long, "1.0", "-6.099"),
        leg("SOLUSDT", PositionSide::Short, "1.0", "5.699"),
    ]);
    heartbeat.trades = Some(Trades {
        latest: vec![trade("SOLUSDT", "3.12"), trade("ETHUSDT", "-0.58"), trade("BTCUSDT", "0.22")],
        is_cut: true,
    });
    heartbeat.screener = Some(Screened { attempted: 15, emitted: 1 });
    heartbeat.kpis = Kpis { max_dd_pct: Some(dec("9.0")), max_daily_loss_pct: Some(dec("9.0")) };
    heartbeat
}

#[test]
fn the_operators_example_is_rendered_line_by_line() {
    assert_eq!(
        example().text(&johannesburg()),
        "\
HEDGE — 8h Update (prod)
Time: 2025-08-22 10:00 SAST

NAV: 12,345.67 USDT  (Δ24h: +123.45, +1.01%)
Drawdown: 3.2%  |  Trend: ↑

Open Positions (top 5):
• ETHUSDT  SHORT 0.042  uPnL -0.29
• BTCUSDT  SHORT 0.001  uPnL +0.16
• SOLUSDT  LONG  1.000  uPnL -6.10  |  SHORT 1.000 uPnL +5.70 (hedged)

Recent PnL (last 5 trades):
• SOLUSDT +3.12
• ETHUSDT -0.58
• BTCUSDT +0.22
• …

Notes:
• Reserve: 0.013 BTC (not included in NAV)
• Screener: attempted=15, emitted=1 (last cycle)"
    );
}

#[test]
fn the_json_twin_has_the_operators_keys_and_unsigned_quantities() {
    assert_eq!(
        example().json(),
        "{\"env\":\"prod\",\"timestamp\":\"2025-08-22T08:00:00Z\",\"nav\":12345.67,\"nav_24h_delta_abs\":123.45,\
         \"nav_24h_delta_pct\":1.01,\"drawdown_pct\":3.2,\"trend\":\"up\",\"reserve_btc\":0.013,\"positions\":[\
         {\"symbol\":\"ETHUSDT\",\"side\":\"SHORT\",\"qty\":0.042,\"uPnl\":-0.289},\
         {\"symbol\":\"BTCUSDT\",\"side\":\"SHORT\",\"qty\":0.001,\"uPnl\":0.157},\
         {\"symbol\":\"SOLUSDT\",\"side\":\"LONG\",\"qty\":1,\"uPnl\":-6.099},\
         {\"symbol\":\"SOLUSDT\",\"side\":\"SHORT\",\"qty\":1,\"uPnl\":5.699}],\
         \"recent_trades\":[{\"symbol\":\"SOLUSDT\",\"pnl\":3.12},{\"symbol\":\"ETHUSDT\",\"pnl\":-0.58},\
         {\"symbol\":\"BTCUSDT\",\"pnl\":0.22}],\"screener\":{\"attempted\":15,\"emitted\":1},\
         \"kpis\":{\"max_dd_pct\":9,\"max_daily_loss_pct\":9}}"
    );
}

#[test]
fn a_dry_run_says_so_in_the_title_and_on_every_row() {
    let mut heartbeat = example();
    heartbeat.simulated = true;
    let text = heartbeat.text(&ClockFace::utc());
    assert!(text.starts_with("HEDGE — 8h Update (prod, simulated)\nTime: 2025-08-22 08:00 UTC\n"), "{text}");
    let twin: serde_json::Value = serde_json::from_str(&heartbeat.json()).unwrap();
    assert_eq!(twin["simulated"], true);
    for rows in ["positions", "recent_trades"] {
        let rows = twin[rows].as_array().unwrap();
        assert!(!rows.is_empty() && rows.iter().all(|row| row["simulated"] == true), "{rows:?}");
    }
    assert!(!example().json().contains("simulated"));
}

#[test]
fn what_is_not_known_is_told_as_such_and_is_null_for_machines() {
    let mut heartbeat = Heartbeat::new("prod", Timestamp::from_ms(1_755_849_600_000), dec("0.013"));
    heartbeat.notes.push(Note::Missing { topic: Topic::State, why: "no state directory".into() });
    assert_eq!(
        heartbeat.text(&ClockFace::utc()),
        "\
HEDGE — 8h Update (prod)
Time: 2025-08-22 08:00 UTC

NAV: n/a  (Δ24h: n/a)
Drawdown: n/a  |  Trend: n/a

Open Positions (top 5):
• n/a

Recent PnL (last 5 trades):
• n/a

Notes:
• Reserve: 0.013 BTC (not included in NAV)
• Screener: n/a
• Missing: state (no state directory)"
    );
    assert_eq!(
        heartbeat.json(),
        "{\"env\":\"prod\",\"timestamp\":\"2025-08-22T08:00:00Z\",\"nav\":null,\"nav_24h_delta_abs\":null,\
         \"nav_24h_delta_pct\":null,\"drawdown_pct\":null,\"trend\":null,\"reserve_btc\":0.013,\"positions\":null,\
         \"recent_trades\":null,\"screener\":{\"attempted\":null,\"emitted\":null},\
         \"kpis\":{\"max_dd_pct\":null,\"max_daily_loss_pct\":null}}"
    );
}

#[test]
fn an_account_without_legs_and_trades_is_not_an_unknown_one() {
    let mut heartbeat = example();
    heartbeat.positions = Some(Vec::new());
    heartbeat.trades = Some(Trades::default());
    let text = heartbeat.text(&ClockFace::utc());
    assert!(text.contains("(top 5):\n• none\n"), "{text}");
    assert!(text.contains("(last 5 trades):\n• none\n"), "{text}");
    assert!(heartbeat.json().contains("\"positions\":[],\"recent_trades\":[],"));
}

#[test]
fn a_first_day_has_a_value_and_no_trend() {
    let mut heartbeat = example();
    heartbeat.nav = heartbeat.nav.map(|nav| Nav { day_ago: None, ..nav });
    let text = heartbeat.text(&ClockFace::utc());
    assert!(text.contains("NAV: 12,345.67 USDT  (Δ24h: n/a)\nDrawdown: 3.2%  |  Trend: n/a\n"), "{text}");
    assert!(heartbeat.json().contains(
        "\"nav_24h_delta_abs\":null,\"nav_24h_delta_pct\":null,\"drawdown_pct\":3.2,\"trend\":null"
    ));
}

#[test]
fn columns_stand_below_each_other_whatever_the_names_and_quantities() {
    let mut heartbeat = example();
    heartbeat.positions = Some(vec![
        leg("1000PEPEUSDT", PositionSide::Long, "12000", "1"),
        leg("BTCUSDT", PositionSide::Short, "0.00015", "-1234.5"),
        Holding { u_pnl: None, ..leg("XRPUSDT", PositionSide::Long, "7", "0") },
    ]);
    let text = heartbeat.text(&ClockFace::utc());
    let rows: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Open")).skip(1).take(3).collect();
    assert_eq!(
        rows,
        [
            "• BTCUSDT       SHORT 0.00015    uPnL -1,234.50",
            "• 1000PEPEUSDT  LONG  12000.000  uPnL +1.00",
            "• XRPUSDT       LONG  7.000      uPnL n/a",
        ]
    );
}

#[test]
fn the_text_lists_five_symbols_and_five_trades_and_the_twin_every_leg() {
    let mut heartbeat = example();
    let names = ["AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT", "FUSDT", "GUSDT"];
    let pnl = |i: usize| i.to_string();
    heartbeat.positions =
        Some(names.iter().enumerate().map(|(i, name)| leg(name, PositionSide::Long, "1", &pnl(i))).collect());
    heartbeat.trades = Some(Trades { latest: names.map(|name| trade(name, "1")).to_vec(), is_cut: false });
    let text = heartbeat.text(&ClockFace::utc());
    let listed: Vec<&str> =
        text.lines().filter(|line| line.contains("LONG")).map(|l| &l["• ".len()..]).collect();
    assert!(listed.len() == 5 && listed[0].starts_with("GUSDT") && listed[4].starts_with("CUSDT"), "{text}");
    assert_eq!(text.lines().filter(|line| line.ends_with("+1.00") && !line.contains("uPnL")).count(), 5);
    let twin: serde_json::Value = serde_json::from_str(&heartbeat.json()).unwrap();
    assert_eq!(twin["positions"].as_array().unwrap().len(), 7);
    assert_eq!(twin["positions"][0]["symbol"], "GUSDT");
    assert_eq!(twin["recent_trades"].as_array().unwrap().len(), 5);
}

#[test]
fn a_zone_may_be_on_another_day_and_at_odd_minutes() {
    let at = Timestamp::from_ms(1_755_907_140_000); // 2025-08-22 23:59 UTC
    let face = |offset_s, zone: &str| ClockFace { offset_s, zone: zone.into() };
    assert_eq!(face(20_700, "+0545").show(at), "2025-08-23 05:44 +0545");
    assert_eq!(face(-34_200, "MART").show(at), "2025-08-22 14:29 MART");
}
