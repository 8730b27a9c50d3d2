//! `runtime.toml` and the variables over it.

use super::*;

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
