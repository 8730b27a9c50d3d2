//! What is told of a configuration: problems together, its hash, checks and explanations.

use super::*;

#[test]
fn problems_of_several_files_are_told_together() {
    let folder = Folder::new();
    folder.edit(FileKind::Limits, "\"MAX_POSITIONS\": 8", "\"MAX_POSITIONS\": 0");
    folder.edit(FileKind::Runtime, "bars = 500", "bars = 5");
    let problems = folder.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("risk_limits.json:4: MAX_POSITIONS = 0: "), "{problems:?}");
    assert!(problems[1].contains("history.bars = 5"), "{problems:?}");
}

#[test]
fn the_hash_changes_with_every_effective_value_and_with_nothing_else() {
    let folder = Folder::new();
    let hash = |folder: &Folder, pairs: &[(&str, &str)]| {
        Config::load(Some(&folder.0), &Env::from_pairs(pairs.iter().copied())).unwrap().hash()
    };
    let usual = hash(&folder, &[]);
    assert_eq!(usual.len(), 64);
    assert_eq!(hash(&folder, &[("BINANCE_API_KEY", "k"), ("ENV", "prod")]), usual);
    assert_eq!(hash(&Folder::new(), &[]), usual, "the path is not part of it");
    assert_eq!(hash(&folder, &[("LOG_LEVEL", "debug"), ("HEARTBEAT_TZ", "Africa/Johannesburg")]), usual);
    assert_ne!(hash(&folder, &[("HEDGE__HISTORY__BARS", "501")]), usual);
    assert_ne!(hash(&folder, &[("HEDGE__BINANCE__ORDER_PATH", "ws-api")]), usual);
    assert_eq!(hash(&folder, &[("HEDGE__BINANCE__ORDER_PATH", "rest")]), usual);
    folder.edit(FileKind::Strategies, "\"cooldown_bars\": 5", "\"cooldown_bars\": 6");
    assert_ne!(hash(&folder, &[]), usual);
}

#[test]
fn check_says_what_it_found_in_a_folder_or_a_file() {
    let report = check(Some(&shipped()), &Env::default()).unwrap();
    assert_eq!(report.lines().count(), 5, "{report}");
    assert!(report.contains("pairs_universe.json: ok, 7 symbols\n"), "{report}");
    assert!(report.contains("config_hash "), "{report}");
    let one = check(Some(&Folder::new().0.join("risk_limits.json")), &Env::default()).unwrap();
    assert!(one.ends_with("risk_limits.json: ok, halts at 9 % drawdown, at most 8 legs\n"), "{one}");
}

#[test]
fn a_file_under_another_name_is_known_by_its_content() {
    let folder = Folder::new();
    let other = folder.0.join("mine.json");
    fs::write(&other, "{\n\"strategies\": [], \"strategie\": 1}").unwrap();
    let error = check(Some(&other), &Env::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{}:2: strategie: unknown key; nearest valid key: strategies", other.display())
    );
}

#[test]
fn show_names_origins_and_hides_secrets() {
    let env = Env::from_pairs([("BINANCE_API_SECRET", "hush"), ("HEDGE__PAPER__BARS", "7")]);
    let text = show(&load(&env), &env);
    assert!(!text.contains("hush"), "{text}");
    let line = |key: &str| {
        text.lines().find(|line| line.starts_with(key)).unwrap().split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(line("paper.bars"), ["paper.bars", "7", "HEDGE__PAPER__BARS", "in", "environment"]);
    assert_eq!(line("BINANCE_API_SECRET"), ["BINANCE_API_SECRET", "set,", "hidden", "environment"]);
    assert!(line("journal.durability")[2].contains("runtime.toml:"), "{text}");
    assert!(text.contains("\"KILL_DD_PCT\""), "{text}");
}

#[test]
fn explain_knows_every_key_of_every_file_and_every_variable() {
    let text = explain("min_free_mb").unwrap();
    assert_eq!(
        text,
        "journal.min_free_mb (runtime.toml)\n  unit     MB\n  accepts  a whole number, 16 to 1000000\n  default  256\n  \
         set by   section [journal], or the variable HEDGE__JOURNAL__MIN_FREE_MB\n  \
         With less free space on the disk the engine opens nothing more, while it can still write down its exits.\n"
    );
    for name in
        ["KILL_DD_PCT", "kill_dd_pct", "capital_per_trade", "overrides", "DRY_RUN", "HEDGE__LOG__LEVEL"]
    {
        assert!(explain(name).is_ok(), "{name}");
    }
    assert_eq!(
        explain("durabillity").unwrap_err().to_string(),
        "config explain: durabillity: unknown key; nearest valid key: journal.durability"
    );
}
