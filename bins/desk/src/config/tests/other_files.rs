//! Universe, strategies and limits, and files that nobody reads.

use super::*;

#[test]
fn a_strategy_value_out_of_range_is_one_line_at_its_line() {
    let folder = Folder::new();
    folder.edit(FileKind::Strategies, "\"cooldown_bars\": 5", "\"cooldown_bars\": 10001");
    assert_eq!(
        folder.problems(),
        ["strategy_config.json:6: strategies[0].cooldown_bars = 10001: expected 0 to 10000"]
    );
}

#[test]
fn an_unknown_limit_is_one_line_with_the_nearest_one() {
    let folder = Folder::new();
    folder.edit(FileKind::Limits, "\"MAX_POSITIONS\"", "\"MAX_POSITION\"");
    assert_eq!(
        folder.problems(),
        ["risk_limits.json:4: MAX_POSITION: unknown key; nearest valid key: MAX_POSITIONS"]
    );
}

#[test]
fn a_limit_of_the_wrong_type_is_one_line_with_the_range() {
    let folder = Folder::new();
    folder.edit(FileKind::Limits, "\"MAX_POSITIONS\": 8", "\"MAX_POSITIONS\": \"eight\"");
    assert_eq!(
        folder.problems(),
        ["risk_limits.json:4: MAX_POSITIONS = \"eight\": expected 1 to 200 (legs)"]
    );
}

#[test]
fn a_percentage_that_looks_like_a_fraction_is_spelled_out_both_ways() {
    let folder = Folder::new();
    folder.edit(FileKind::Limits, "\"KILL_DD_PCT\": 9.0", "\"KILL_DD_PCT\": 0.09");
    assert_eq!(
        folder.problems(),
        [
            "risk_limits.json:2: KILL_DD_PCT = 0.09: it is read as 0.09 %; if 9 % was meant, write 9. Expected 0.5 to 90 (percent)"
        ]
    );
}

#[test]
fn an_unknown_time_zone_is_one_line() {
    let folder = Folder::new();
    folder.edit(FileKind::Limits, "\"DAILY_RESET_TZ\": \"UTC\"", "\"DAILY_RESET_TZ\": \"Atlantis\"");
    let problems = folder.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("risk_limits.json:5: DAILY_RESET_TZ = \"Atlantis\": expected a zone name"),
        "{problems:?}"
    );
}

#[test]
fn an_override_of_an_unlisted_symbol_is_one_line() {
    let folder = Folder::new();
    folder.write(
        FileKind::Universe,
        "{\n  \"symbols\": [\"BTCUSDT\", \"ETHUSDT\", \"SOLUSDT\", \"BNBUSDT\"],\n  \"overrides\": {\n    \"BNBUSTD\": {}\n  }\n}",
    );
    let problems = folder.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let wanted = "pairs_universe.json:4: overrides.BNBUSTD: expected a symbol";
    assert!(problems[0].starts_with(wanted), "{problems:?}");
}

#[test]
fn a_strategy_for_a_symbol_that_is_not_listed_is_one_line_with_the_nearest_symbol() {
    let folder = Folder::new();
    folder.edit(FileKind::Strategies, "\"symbol\": \"ETHUSDT\"", "\"symbol\": \"ETHUSD\"");
    assert_eq!(
        folder.problems(),
        [
            "strategy_config.json:10: strategies[1].symbol = \"ETHUSD\": expected a symbol of pairs_universe.json; nearest: ETHUSDT"
        ]
    );
}

#[test]
fn two_strategies_of_one_symbol_agree_on_its_leverage() {
    let folder = Folder::new();
    let block = |name: &str, leverage: u32| {
        format!(
            "{{\"name\": \"{name}\", \"kind\": \"ma_cross\", \"symbol\": \"BTCUSDT\", \"capital_per_trade\": 100, \"leverage\": {leverage}}}"
        )
    };
    folder.write(
        FileKind::Strategies,
        &format!("{{\"strategies\": [\n{},\n{}\n]}}", block("a", 3), block("b", 2)),
    );
    let problems = folder.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0]
            .starts_with("strategy_config.json:3: strategies[1].leverage = 2: expected 3 as in strategy a"),
        "{problems:?}"
    );
    folder.write(
        FileKind::Universe,
        r#"{"symbols": ["BTCUSDT"], "overrides": {"BTCUSDT": {"target_leverage": 1}}}"#,
    );
    let config = Config::load(Some(&folder.0), &Env::default()).unwrap();
    assert_eq!(config.leverage(&Symbol::parse("BTCUSDT").unwrap()).get(), 1);
}

#[test]
fn no_symbol_is_set_to_more_than_max_leverage() {
    let folder = Folder::new();
    folder.edit(FileKind::Strategies, "\"cooldown_bars\": 5", "\"leverage\": 20");
    folder.write(
        FileKind::Universe,
        "{\n  \"symbols\": [\"BTCUSDT\", \"ETHUSDT\"],\n  \"overrides\": {\"ETHUSDT\": {\"target_leverage\": 4}}\n}",
    );
    assert_eq!(
        folder.problems(),
        [
            "pairs_universe.json:3: overrides.ETHUSDT.target_leverage = 4: expected at most MAX_LEVERAGE = 3 (risk_limits.json)",
            "strategy_config.json:6: strategies[0].leverage = 20: expected at most MAX_LEVERAGE = 3 (risk_limits.json)",
        ]
    );
    // Also when one file is named: the others of its folder count.
    let file = folder.0.join(FileKind::Strategies.name());
    assert_eq!(check(Some(&file), &Env::default()).unwrap_err().problems.len(), 2);
    folder.edit(FileKind::Limits, "\"MAX_POSITIONS\": 8", "\"MAX_POSITIONS\": 8, \"MAX_LEVERAGE\": 20.0");
    assert!(Config::load(Some(&folder.0), &Env::default()).is_ok());
}

#[test]
fn a_bound_below_one_limits_the_notional_and_forbids_no_leverage_of_one() {
    let folder = Folder::new();
    folder.edit(FileKind::Limits, "\"MAX_POSITIONS\": 8", "\"MAX_POSITIONS\": 8, \"MAX_LEVERAGE\": 0.5");
    assert_eq!(folder.problems().len(), 2, "{:?}", folder.problems());
    folder.edit(FileKind::Strategies, "\"cooldown_bars\": 5", "\"leverage\": 1");
    folder.edit(
        FileKind::Strategies,
        "\"capital_per_trade\": \"400\"",
        "\"capital_per_trade\": \"400\", \"leverage\": 1",
    );
    assert!(Config::load(Some(&folder.0), &Env::default()).is_ok());
}

#[test]
fn a_file_that_nobody_reads_is_named_with_the_nearest_name() {
    let folder = Folder::new();
    for name in ["runtime.tml", ".hidden.json", "notes.txt"] {
        fs::write(folder.0.join(name), "").unwrap();
    }
    let notes = Config::load(Some(&folder.0), &Env::default()).unwrap().notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].ends_with("runtime.tml is not read; nearest file name: runtime.toml"), "{notes:?}");
    let report = check(Some(&folder.0), &Env::default()).unwrap();
    assert!(report.starts_with("warning: ") && report.contains("config_hash"), "{report}");
}

#[test]
fn a_missing_file_is_one_line_and_runtime_may_be_missing() {
    let folder = Folder::new();
    fs::remove_file(folder.0.join("runtime.toml")).unwrap();
    assert!(Config::load(Some(&folder.0), &Env::default()).is_ok());
    fs::remove_file(folder.0.join("risk_limits.json")).unwrap();
    let problems = folder.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("risk_limits.json: not found; name a folder"), "{problems:?}");
}
