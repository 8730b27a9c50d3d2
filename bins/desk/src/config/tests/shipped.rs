//! What ships, what it is worth, and who gets it.

use super::*;

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
