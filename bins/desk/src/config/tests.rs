//! Every class of bad input gives one clear line; good input gives the effective configuration.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hedge_core::{Decimal, ForeignOrders, Symbol};
use hedge_store::Durability;

use super::{runtime_load, *};
use crate::env::Env;

const UNIVERSE: &str = r#"{
  "symbols": ["BTCUSDT", "ETHUSDT"]
}"#;
const STRATEGIES: &str = r#"{
  "strategies": [
    {
      "name": "btc", "kind": "btc_breakout", "symbol": "BTCUSDT",
      "capital_per_trade": "500",
      "cooldown_bars": 5
    },
    {
      "name": "eth", "kind": "eth_momentum",
      "symbol": "ETHUSDT",
      "capital_per_trade": "400"
    }
  ]
}"#;
const LIMITS: &str = r#"{
  "KILL_DD_PCT": 9.0,
  "KILL_DAILY_LOSS_PCT": 4.0,
  "MAX_POSITIONS": 8,
  "DAILY_RESET_TZ": "UTC"
}"#;
const RUNTIME: &str = "[history]\nbars = 500\n";

/// A configuration folder that vanishes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hedge-desk-config-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let folder = Self(path);
        for (kind, text) in FileKind::ALL.into_iter().zip([UNIVERSE, STRATEGIES, LIMITS, RUNTIME]) {
            folder.write(kind, text);
        }
        folder
    }
    fn write(&self, kind: FileKind, text: &str) {
        fs::write(self.0.join(kind.name()), text).unwrap();
    }
    fn edit(&self, kind: FileKind, from: &str, to: &str) {
        let text = fs::read_to_string(self.0.join(kind.name())).unwrap();
        assert!(text.contains(from), "{from} is not in {}", kind.name());
        self.write(kind, &text.replacen(from, to, 1));
    }
    /// The problems, with the folder's path taken off.
    fn problems(&self) -> Vec<String> {
        let error = Config::load(Some(&self.0), &Env::default()).unwrap_err();
        let prefix = format!("{}/", self.0.display());
        error.problems.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn load(env: &Env) -> Config {
    Config::load(Some(&shipped()), env).unwrap()
}

fn runtime(text: &str) -> Vec<String> {
    problems(text, &[])
}

fn problems(text: &str, env: &[(&str, &str)]) -> Vec<String> {
    let error = runtime_load::load("r.toml", text, &Env::from_pairs(env.iter().copied())).unwrap_err();
    error.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_configuration_is_good_and_equals_the_defaults() {
    let config = load(&Env::default());
    let (defaults, _) = runtime_load::load("r.toml", "", &Env::default()).unwrap();
    assert_eq!(config.runtime, defaults);
    assert_eq!(config.runtime.journal.durability, Durability::Fsync);
    assert_eq!(config.runtime.binance.recv_window_ms, 3_000);
    assert_eq!(config.runtime.paper.speed, Speed::Max);
    assert!(config.strategies.enabled().count() >= 3);
    let bnb = Symbol::parse("BNBUSDT").unwrap();
    assert_eq!(config.limits.min_notional_by_symbol.get(&bnb), Some(&Decimal::from(5)));
    assert_eq!(config.leverage(&bnb).get(), 3);
}

#[test]
fn the_shipped_runtime_file_names_every_key_with_its_default() {
    let text = fs::read_to_string(shipped().join("runtime.toml")).unwrap();
    for key in RUNTIME_KEYS {
        let (section, name) = key.split();
        let section_text =
            text.split(&format!("\n[{section}]\n")).nth(1).unwrap().split("\n[").next().unwrap();
        let line = section_text
            .lines()
            .map(|line| line.trim_start_matches("# "))
            .find(|line| line.split_once('=').is_some_and(|(left, _)| left.trim() == name));
        let line = line.unwrap_or_else(|| panic!("{} is not in runtime.toml", key.path));
        let value = line.split_once('=').unwrap().1.split('#').next().unwrap().trim().trim_matches('"');
        assert!(
            key.default.is_empty() || value == key.default,
            "{}: {value} is not {}",
            key.path,
            key.default
        );
    }
}

#[test]
fn the_example_environment_explains_every_variable_and_is_accepted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.example");
    let text = fs::read_to_string(path).unwrap();
    for variable in crate::env::VARIABLES {
        let named = text.lines().any(|line| {
            line.trim_start_matches("# ")
                .strip_prefix(variable.name)
                .is_some_and(|rest| rest.starts_with('='))
        });
        assert!(named, "{} is not in .env.example", variable.name);
    }
}

#[test]
fn what_is_built_in_is_what_ships() {
    let folder = Folder::new();
    // A lone file elsewhere is joined by the built-in ones.
    let alone = folder.0.join("alone");
    fs::create_dir(&alone).unwrap();
    fs::copy(shipped().join("runtime.toml"), alone.join("runtime.toml")).unwrap();
    let config = Config::load(Some(&alone.join("runtime.toml")), &Env::default()).unwrap();
    assert_eq!(config.file(FileKind::Limits), "built-in risk_limits.json");
    assert_eq!(config.hash(), load(&Env::default()).hash());
}

#[test]
fn the_engine_and_the_store_get_what_the_file_says() {
    let env = Env::from_pairs([
        ("HEDGE__ENGINE__MUTE_S", "60"),
        ("HEDGE__ENGINE__ADOPT_STOP_BPS", "0"),
        ("HEDGE__JOURNAL__DURABILITY", "os"),
        ("HEDGE__JOURNAL__SEGMENT_MB", "1"),
    ]);
    let config = load(&env);
    let engine = config.runtime.engine(config.limits.max_slippage());
    assert_eq!(engine.mute_for, Duration::from_secs(60));
    assert_eq!(engine.protect_within, Duration::from_secs(3));
    assert_eq!(engine.adopt_stop, None);
    let strangers = [("HEDGE__FOREIGN__POSITIONS", "leave"), ("HEDGE__FOREIGN__ORDERS", "adopt")];
    let strange = load(&Env::from_pairs(strangers));
    let strange = strange.runtime.engine(strange.limits.max_slippage());
    assert_eq!((strange.adopt_stop, strange.foreign_orders), (None, ForeignOrders::Adopt));
    let usual = load(&Env::default());
    let usual = usual.runtime.engine(usual.limits.max_slippage());
    assert_eq!((usual.adopt_stop.is_some(), usual.foreign_orders), (true, ForeignOrders::Leave));
    assert_eq!(engine.max_slippage.get(), Decimal::from(30));
    let options = config.runtime.file_options();
    assert_eq!((options.durability, options.segment_bytes), (Durability::Os, 1_048_576));
}

#[test]
fn a_variable_wins_over_the_file_and_both_are_named_as_origins() {
    let env = Env::from_pairs([("HEDGE__PAPER__SPEED", "2.5"), ("HEDGE__PAPER__BARS", "7")]);
    let (config, sources) = runtime_load::load("r.toml", "[paper]\n\nspeed = 9\nseed = 1", &env).unwrap();
    assert_eq!(config.paper.speed, Speed::Times("2.5".parse().unwrap()));
    assert_eq!((config.paper.bars, config.paper.seed), (7, 1));
    assert_eq!(sources.of("paper.speed"), "HEDGE__PAPER__SPEED in environment");
    assert_eq!(sources.of("paper.seed"), "r.toml:4");
    assert_eq!(sources.of("history.bars"), "default");
}

#[test]
fn log_level_sets_the_level_and_the_long_form_wins_over_it() {
    let level = |pairs: &[(&str, &str)]| {
        runtime_load::load("r.toml", "", &Env::from_pairs(pairs.iter().copied())).unwrap().0.log.level
    };
    assert_eq!(level(&[("LOG_LEVEL", "WARNING")]), "warn");
    assert_eq!(level(&[("LOG_LEVEL", "warn"), ("HEDGE__LOG__LEVEL", "trace")]), "trace");
}

#[test]
fn an_unknown_runtime_key_is_one_line_with_the_nearest_key() {
    assert_eq!(
        runtime("[journal]\ndurability = \"os\"\nmin_free = 256\n"),
        ["r.toml:3: journal.min_free = 256: unknown key; nearest valid key: journal.min_free_mb"]
    );
    assert_eq!(
        runtime("durability = \"os\"\n"),
        ["r.toml:1: durability = \"os\": unknown key; nearest valid key: journal.durability"]
    );
    assert_eq!(
        runtime("\n[jurnal]\ndurability = \"os\"\n"),
        ["r.toml:2: [jurnal]: unknown section; nearest valid section: [journal]"]
    );
}

#[test]
fn a_section_in_a_section_is_read_from_either_spelling_and_from_variables() {
    let env = Env::from_pairs([("HEDGE__STORE__FIRESTORE__PROJECT", "fund-1")]);
    for text in ["[store.firestore]\nview_seconds = 60\n", "[store]\nfirestore.view_seconds = 60\n"] {
        let (config, sources) = runtime_load::load("r.toml", text, &env).unwrap();
        let firestore = &config.store.firestore;
        assert_eq!((firestore.view_seconds, firestore.project.as_deref()), (60, Some("fund-1")));
        assert_eq!((firestore.database.as_str(), &firestore.env), ("(default)", &None));
        assert_eq!(sources.of("store.firestore.view_seconds"), "r.toml:2");
        assert_eq!(sources.of("store.firestore.project"), "HEDGE__STORE__FIRESTORE__PROJECT in environment");
    }
    assert_eq!(
        runtime("[store]\nmirror = \"none\"\n[store.firestore]\nview_second = 60\nproject = \"a/b\"\n"),
        [
            "r.toml:5: store.firestore.project = \"a/b\": expected letters, digits and - _ . : ( ), at most 100 (project id)",
            "r.toml:4: store.firestore.view_second = 60: unknown key; nearest valid key: store.firestore.view_seconds",
        ]
    );
    assert_eq!(
        runtime("[store.firestor]\nview_seconds = 60\n"),
        ["r.toml:1: [store.firestor]: unknown section; nearest valid section: [store.firestore]"]
    );
}

#[test]
fn a_runtime_value_of_the_wrong_type_is_one_line_with_the_range() {
    assert_eq!(
        runtime("[journal]\nmin_free_mb = \"256\"\n"),
        ["r.toml:2: journal.min_free_mb = \"256\": expected a whole number, 16 to 1000000 (MB)"]
    );
    assert_eq!(
        runtime("[history]\nbars = 500.5"),
        ["r.toml:2: history.bars = 500.5: expected a whole number, 50 to 1500 (bars)"]
    );
    assert_eq!(
        runtime("[journal]\ndurability = true"),
        ["r.toml:2: journal.durability = true: expected fsync, os (word)"]
    );
}

#[test]
fn a_runtime_value_out_of_range_is_one_line_with_the_range() {
    assert_eq!(
        runtime("[binance]\nrecv_window_ms = 5001"),
        ["r.toml:2: binance.recv_window_ms = 5001: expected a whole number, 2000 to 5000 (ms)"]
    );
    assert_eq!(
        runtime("[paper]\nspeed = 0\nbalance_usdt = 9.99"),
        [
            "r.toml:3: paper.balance_usdt = 9.99: expected a number, 10 to 100000000 (USDT)",
            "r.toml:2: paper.speed = 0: expected a number, 0.01 to 1000, or \"max\" (times wall time)",
        ]
    );
    assert_eq!(
        runtime("[binance]\nrest_url = \"ftp://x\"\nws_url = \"ws://localhost:1\""),
        ["r.toml:2: binance.rest_url = \"ftp://x\": expected a base URL, https:// or http:// (base URL)"]
    );
}

#[test]
fn the_order_path_is_one_of_two_words() {
    let path = |text: &str| {
        let (config, _) = runtime_load::load("r.toml", text, &Env::default()).unwrap();
        config.binance.order_path
    };
    assert_eq!(path(""), OrderPath::Rest);
    assert_eq!(path("[binance]\norder_path = \"rest\""), OrderPath::Rest);
    assert_eq!(path("[binance]\norder_path = \"ws-api\""), OrderPath::WsApi);
    assert_eq!(
        runtime("[binance]\norder_path = \"ws\""),
        ["r.toml:2: binance.order_path = \"ws\": expected rest, ws-api (word)"]
    );
    // A configuration of before says the same as one that names the default.
    let (config, _) = runtime_load::load("r.toml", "", &Env::default()).unwrap();
    assert!(!serde_json::to_string(&config.binance).unwrap().contains("order_path"));
}

#[test]
fn one_url_without_the_other_is_refused() {
    assert_eq!(
        problems("", &[("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:1")]),
        [
            "HEDGE__BINANCE__REST_URL in environment: binance.rest_url: given without binance.ws_url; override both or none"
        ]
    );
    let both =
        [("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:1"), ("HEDGE__BINANCE__WS_URL", "ws://127.0.0.1:2/")];
    let (config, _) = runtime_load::load("r.toml", "", &Env::from_pairs(both)).unwrap();
    assert_eq!(config.binance.rest_url.as_deref(), Some("http://127.0.0.1:1"));
}

#[test]
fn a_bad_variable_is_one_line_with_its_origin() {
    assert_eq!(
        problems("", &[("HEDGE__JOURNAL__DURABILTY", "os"), ("HEDGE__HISTORY__BARS", "many")]),
        [
            "environment: HEDGE__HISTORY__BARS = \"many\": expected a whole number, 50 to 1500 (bars)",
            "environment: HEDGE__JOURNAL__DURABILTY: unknown key journal.durabilty; nearest valid variable: HEDGE__JOURNAL__DURABILITY",
        ]
    );
}

#[test]
fn text_that_is_no_toml_is_one_line_with_its_line() {
    for text in ["[journal\n", "[journal]\nmin_free_mb = \n", "[log]\nlevel = \"info\"\nlevel = \"warn\"\n"] {
        let problems = runtime(text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with("r.toml:") && problems[0].contains(": not valid TOML: "),
            "{problems:?}"
        );
    }
}

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

fn stops(file: &str, pairs: &[(&str, &str)]) -> StopsSection {
    let env = Env::from_pairs(pairs.iter().copied());
    runtime_load::load("r.toml", file, &env).unwrap().0.stops
}

#[test]
fn a_variable_of_the_stop_validator_switches_off_and_never_on() {
    let usual = stops("", &[]);
    assert!(usual.validator && usual.repair && usual.repair_tp);
    let off = [
        ("STOP_VALIDATOR_ENABLED", "0"),
        ("STOP_VALIDATOR_REPAIR", "off"),
        ("STOP_VALIDATOR_REPAIR_TP", "no"),
    ];
    let silent = stops("", &off);
    assert!(!silent.validator && !silent.repair && !silent.repair_tp);
    let on = [("STOP_VALIDATOR_ENABLED", "1"), ("STOP_VALIDATOR_REPAIR", "true")];
    assert_eq!(stops("", &on), usual);
    let forbidden = "[stops]\nvalidator = false\nrepair = false\n";
    assert!(!stops(forbidden, &on).validator && !stops(forbidden, &on).repair, "the file has forbidden it");
}

#[test]
fn times_of_the_stop_validator_are_given_in_seconds() {
    let times = [("STOP_VALIDATOR_GRACE_SEC", "2.5"), ("STOP_VALIDATOR_INTERVAL_SEC", "3")];
    let read = stops("", &times);
    assert_eq!((read.grace_ms, read.interval_ms), (2_500, 3_000));
    for bad in ["", "soon", "-1", "0", "61", "0.0001", "1e3"] {
        let env = Env::from_pairs([("STOP_VALIDATOR_GRACE_SEC", bad)]);
        let read = runtime_load::load("r.toml", "", &env);
        match bad {
            "" => assert_eq!(read.unwrap().0.stops.grace_ms, 1_000),
            _ => {
                let text = read.unwrap_err().to_string();
                assert!(text.ends_with("expected seconds, 0.1 to 60") && !text.contains('\n'), "{text}");
            }
        }
    }
    let env = Env::from_pairs([("STOP_VALIDATOR_REPAIR", "perhaps")]);
    let text = runtime_load::load("r.toml", "", &env).unwrap_err().to_string();
    assert!(text.contains("STOP_VALIDATOR_REPAIR = \"perhaps\"") && text.contains("expected 1, 0"), "{text}");
}

#[test]
fn the_countdown_is_not_armed_before_somebody_knows_what_it_cancels() {
    let [problem] = &runtime("[deadman]\nbinance = \"armed\"")[..] else { panic!("one problem") };
    assert!(problem.starts_with("r.toml:2: deadman.binance = \"armed\": expected off"), "{problem}");
    assert!(problem.contains("hedgectl probe deadman"), "{problem}");
    let countdown = |probe: &str| {
        let text = format!("[deadman]\nbinance = \"armed\"\nprobe = \"{probe}\"");
        runtime_load::load("r.toml", &text, &Env::default()).unwrap().0.deadman.countdown()
    };
    assert!(countdown("plain_only").is_some() && countdown("override").is_some());
}

#[test]
fn an_entry_rests_at_least_as_long_as_the_venue_wants_or_without_end() {
    let gtd = |text: &str| runtime_load::load("r.toml", text, &Env::default()).unwrap().0.deadman;
    assert_eq!(gtd("").entries_vanish_after(), Some(std::time::Duration::from_secs(3_600)));
    assert_eq!(gtd("[deadman]\ngtd_s = 0").entries_vanish_after(), None);
    assert_eq!(gtd("").countdown(), None, "the countdown is off unless somebody arms it");
    assert_eq!(
        gtd("[deadman]\nbinance = \"armed\"\nprobe = \"plain_only\"\ncountdown_s = 60").countdown(),
        Some(std::time::Duration::from_secs(60))
    );
    assert_eq!(
        runtime("[deadman]\ngtd_s = 600"),
        ["r.toml:2: deadman.gtd_s = 600: expected 0, or at least 660 s: the venue takes no shorter end"]
    );
}
