//! The account: whose, through which host and clock, what its key may, how it keeps positions.

use hedge_binance::wire::account::{AccountConfig, SymbolConfig};
use hedge_core::{Environment, PreflightCheck, Symbol, VenueFingerprint};
use rust_decimal::Decimal;

use super::{
    check::{Findings, failed, ok, warning},
    venue::{Answer, Held, Seen, Skew},
};
use crate::config::{Config, Mode, Profile};

const PERMISSION_REMEDY: &str = "enable futures trading for this key at the venue";

/// The profile against what the client speaks to.
pub(super) fn environment(mode: &Mode, account: &VenueFingerprint) -> PreflightCheck {
    let (wanted, expected) = match mode.profile {
        Profile::Paper => (Environment::Loopback, "an exchange on this machine"),
        Profile::Testnet => (Environment::Testnet, "the demo venue, or an exchange on this machine"),
        Profile::MainnetDry | Profile::Mainnet => {
            (Environment::Mainnet, "mainnet, or an exchange on this machine")
        }
    };
    let found = format!("profile {} on {:?}", mode.profile, account.environment).to_lowercase();
    if account.environment == wanted || account.environment == Environment::Loopback {
        ok("environment", expected, found)
    } else {
        failed("environment", expected, found, "correct binance.rest_url, or name another --profile")
    }
}

/// Which host and which key.
pub(super) fn host(account: &VenueFingerprint) -> PreflightCheck {
    let found = format!("{} (key {})", account.host, account.key_digest);
    ok("host", "the profile's own, or one on this machine", found)
}

/// Whether our clock is too far from the venue's. An exchange on this machine may have a time of its own.
pub(super) fn is_off(skew: &Answer<Skew>, max_ms: u64, is_loopback: bool) -> bool {
    !is_loopback && skew.as_ref().is_ok_and(|skew| skew.ms.unsigned_abs() > max_ms)
}

/// With a clock that is off nothing is opened. `has_led` says whether legs may wait for this start: to close and protect
/// them, the client measures the difference and signs by the venue's time.
pub(super) fn clock(skew: &Answer<Skew>, max_ms: u64, is_loopback: bool, has_led: bool) -> PreflightCheck {
    let expected = format!("within {max_ms} ms of the venue's");
    match skew {
        Err(error) => failed(
            "clock",
            expected,
            error,
            "look again in a minute; else check the network, the host and binance.rest_url",
        ),
        Ok(skew) => {
            let side = if skew.ms < 0 { "ahead" } else { "behind" };
            let off = skew.ms.unsigned_abs();
            let found = format!("{off} ms {side} (round trip {} ms)", skew.round_trip.as_millis());
            if off <= max_ms {
                ok("clock", expected, found)
            } else if is_loopback {
                // A simulated exchange may live in another year; the client measures and follows.
                warning(
                    "clock",
                    expected,
                    found,
                    "nothing: an exchange on this machine has a time of its own",
                )
            } else if has_led {
                warning(
                    "clock",
                    expected,
                    format!("{found}; the executor starts, protects and closes, and opens nothing"),
                    "start a time service (chrony, systemd-timesyncd), then restart the executor",
                )
            } else {
                failed(
                    "clock",
                    expected,
                    found,
                    "start a time service (chrony, systemd-timesyncd) and look again",
                )
            }
        }
    }
}

/// Whether the key reads and trades.
pub(super) fn keys(config: &Answer<AccountConfig>, mode: &Mode) -> PreflightCheck {
    let expected = "the key reads the account, and the account may trade";
    match config {
        Err(error) => failed(
            "keys",
            expected,
            error,
            "check key and secret, and the key's list of addresses at the venue",
        ),
        Ok(config) if config.can_trade => ok("keys", expected, "reads, and may trade"),
        Ok(_) if mode.is_dry() => warning("keys", expected, "reads, but may not trade", PERMISSION_REMEDY),
        Ok(_) => failed("keys", expected, "reads, but may not trade", PERMISSION_REMEDY),
    }
}

/// `canWithdraw` speaks of the account; whether also of the key is not confirmed (fact sheet 4.7).
pub(super) fn withdrawals(
    config: &AccountConfig,
    environment: Environment,
    is_accepted: bool,
) -> PreflightCheck {
    let (name, expected) = ("withdrawals", "not possible");
    let found = "possible for the account; the venue does not say whether also with this key";
    match (config.can_withdraw, environment) {
        (Some(false), _) => ok(name, expected, "not possible"),
        (None, _) => ok(name, expected, "the venue does not say"),
        (Some(true), Environment::Mainnet) if !is_accepted => failed(
            name,
            expected,
            found,
            "forbid withdrawals for this key at the venue, then set preflight.accept_withdraw = true in runtime.toml",
        ),
        (Some(true), Environment::Mainnet) => warning(
            name,
            expected,
            format!("{found}; accepted by preflight.accept_withdraw"),
            "make sure that withdrawals are forbidden for this key at the venue",
        ),
        (Some(true), _) => warning(name, expected, found, "nothing: this is not mainnet"),
    }
}

/// Hedge mode. The executor switches it on, which the venue refuses while anything is open.
pub(super) fn hedge_mode(config: &AccountConfig, seen: &Seen, mode: &Mode) -> PreflightCheck {
    let (name, expected) = ("hedge mode", "on: LONG and SHORT are two positions");
    if config.dual_side_position {
        return ok(name, expected, "on");
    }
    if mode.is_dry() {
        let one_way = seen.held.as_ref().map_or(0, |held| held.iter().filter(|row| !row.is_leg()).count());
        return if one_way > 0 {
            let found = format!("off, with {one_way} one-way positions that the dry run cannot take over");
            failed(name, expected, found, "close them and switch hedge mode on at the venue")
        } else {
            warning(
                name,
                expected,
                "off; the dry run trades as if it were on",
                "switch it on before real money is traded",
            )
        };
    }
    match seen.is_busy() {
        Some(false) => warning(
            name,
            expected,
            "off; the executor switches it on at its start",
            "nothing, or switch it on at the venue",
        ),
        Some(true) => failed(
            name,
            expected,
            format!("off, and the venue refuses to switch while anything is open: {}", open(seen)),
            "close these positions and cancel these orders, then look again",
        ),
        None => failed(name, expected, "off, and what is open is not known", "look again"),
    }
}

fn open(seen: &Seen) -> String {
    let held = seen.held.iter().flatten().map(|row| format!("{} {}", row.symbol, row.leg.as_str()));
    let orders = seen.orders.iter().flatten();
    let orders =
        orders.map(|order| format!("order {} on {}", order.client_id.as_str(), order.instrument.symbol));
    held.chain(orders).collect::<Vec<_>>().join(", ")
}

pub(super) fn multi_assets(config: &AccountConfig) -> PreflightCheck {
    let (name, expected) = ("margin assets", "single-asset mode");
    if config.multi_assets_margin {
        failed(name, expected, "multi-assets mode", "switch the account to single-asset mode at the venue")
    } else {
        ok(name, expected, "single-asset mode")
    }
}

/// Margin type of each symbol. The executor sets CROSSED; the venue refuses while the symbol has a position or an order
/// (-4047, -4048; fact sheet 4.7).
pub(super) fn margin_type(
    settings: &Answer<Vec<SymbolConfig>>,
    seen: &Seen,
    symbols: &[Symbol],
    mode: &Mode,
) -> PreflightCheck {
    let mut findings = Findings::new("margin type", "CROSSED for every symbol");
    let rows = match settings {
        Ok(rows) => rows,
        Err(error) => {
            findings.fail(error.as_str(), "look again");
            return findings.check("");
        }
    };
    for symbol in symbols {
        let Some(row) = row_of(rows, symbol) else {
            findings.fail(format!("the account does not know {symbol}"), "drop it from pairs_universe.json");
            continue;
        };
        let found = row.margin_type.as_str().to_uppercase();
        if found.starts_with("CROSS") {
            continue;
        }
        let (positions, orders) = open_on(seen, symbol);
        if mode.is_dry() {
            findings.warn(format!("{symbol} {found}"), "set it to CROSSED before real money is traded");
        } else if positions + orders > 0 {
            findings.fail(
                format!("{symbol} {found}, and the venue refuses to switch it with {positions} positions and {orders} orders open on it"),
                "close the positions and cancel the orders of these symbols, then look again",
            );
        } else {
            findings.warn(
                format!("{symbol} {found}; the executor sets CROSSED at its start"),
                "nothing, or set it to CROSSED at the venue",
            );
        }
    }
    findings.check(format!("CROSSED for {} symbols", symbols.len()))
}

/// Leverage of each symbol. The executor sets it; with CROSSED margin the venue allows that at any time, with ISOLATED not
/// downwards while a position is open (-4161; fact sheet 4.7), which the margin type's check tells.
pub(super) fn leverage(
    settings: &Answer<Vec<SymbolConfig>>,
    config: &Config,
    symbols: &[Symbol],
    mode: &Mode,
) -> PreflightCheck {
    let mut findings = Findings::new("leverage", "as configured");
    match settings {
        Err(error) => findings.fail(error.as_str(), "look again"),
        Ok(rows) => {
            for symbol in symbols {
                let wanted = i64::from(config.leverage(symbol).get());
                // A symbol that is not known is told by the margin type's check.
                let Some(found) = row_of(rows, symbol).map(|row| row.leverage) else { continue };
                if found == wanted {
                    continue;
                }
                if mode.is_dry() {
                    findings.warn(
                        format!("{symbol} {found}x instead of {wanted}x"),
                        "nothing: the dry run uses the configured leverage",
                    );
                } else {
                    findings.warn(
                        format!("{symbol} {found}x; the executor sets {wanted}x at its start"),
                        "nothing, or set it at the venue",
                    );
                }
            }
        }
    }
    findings.check(format!("as configured for {} symbols", symbols.len()))
}

/// Money: USDT is what everything settles in; other assets are not in the equity that limits go by.
pub(super) fn settlement(seen: &Seen) -> PreflightCheck {
    let mut findings = Findings::new("settlement", "USDT in the wallet, and nothing else");
    let account = match &seen.account {
        Ok(account) => account,
        Err(error) => {
            findings.fail(error.as_str(), "look again");
            return findings.check("");
        }
    };
    let usdt =
        account.assets.iter().find(|row| row.asset == "USDT").map_or(Decimal::ZERO, |row| row.wallet_balance);
    if usdt <= Decimal::ZERO {
        findings.warn(
            format!("{} USDT", usdt.normalize()),
            "transfer USDT to the futures wallet: nothing can be opened",
        );
    }
    for row in account.assets.iter().filter(|row| row.asset != "USDT" && !row.wallet_balance.is_zero()) {
        findings.warn(
            format!("{} {} that no limit counts", row.wallet_balance.normalize(), row.asset),
            "nothing if it is there for fees; else transfer it out of the futures wallet",
        );
    }
    findings.check(format!("{} USDT", usdt.round_dp(2).normalize()))
}

fn row_of<'a>(rows: &'a [SymbolConfig], symbol: &Symbol) -> Option<&'a SymbolConfig> {
    rows.iter().find(|row| row.symbol == symbol.as_str())
}

fn open_on(seen: &Seen, symbol: &Symbol) -> (usize, usize) {
    let positions = seen.held.iter().flatten().filter(|row: &&Held| row.symbol == symbol.as_str()).count();
    let orders = seen.orders.iter().flatten().filter(|order| order.instrument.symbol == *symbol).count();
    (positions, orders)
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use hedge_core::{CheckResult, Venue};

    use super::{super::venue::NoAnswer, *};
    use crate::{config::resolve, env::Env};

    fn account(can_trade: bool, can_withdraw: Option<bool>) -> AccountConfig {
        AccountConfig {
            fee_tier: None,
            can_trade,
            can_withdraw,
            can_deposit: None,
            dual_side_position: false,
            multi_assets_margin: false,
            trade_group_id: None,
            update_time: None,
        }
    }

    fn mode(profile: &str) -> Mode {
        let env = Env::from_pairs([]);
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
        resolve(Some(profile), &env, &Config::load(Some(&shipped), &env).unwrap()).unwrap()
    }

    fn fingerprint(environment: Environment) -> VenueFingerprint {
        VenueFingerprint {
            venue: Venue::Binance,
            environment,
            host: "https://fapi.binance.com".into(),
            key_digest: "0123456789abcdef".into(),
        }
    }

    #[test]
    fn withdrawals_fail_on_mainnet_until_a_person_accepts_them_and_warn_elsewhere() {
        use CheckResult::{Failed, Ok, Warning};
        let result =
            |can, environment, accepted| withdrawals(&account(true, can), environment, accepted).result;
        assert_eq!(result(Some(true), Environment::Mainnet, false), Failed);
        assert_eq!(result(Some(true), Environment::Mainnet, true), Warning);
        assert_eq!(result(Some(true), Environment::Testnet, false), Warning);
        assert_eq!(result(Some(true), Environment::Loopback, false), Warning);
        assert_eq!(result(Some(false), Environment::Mainnet, false), Ok);
        // The venue need not say it (fact sheet 4.7); silence is told, and is no yes.
        assert_eq!(result(None, Environment::Mainnet, false), Ok);
        let check = withdrawals(&account(true, Some(true)), Environment::Mainnet, false);
        assert!(check.remedy.contains("preflight.accept_withdraw = true"), "{check:?}");
    }

    #[test]
    fn a_clock_that_is_off_fails_except_where_the_exchange_has_a_time_of_its_own() {
        let off = |ms| Ok(Skew { ms, round_trip: Duration::from_millis(30) });
        let first = |skew: &Answer<Skew>, is_loopback| clock(skew, 500, is_loopback, false);
        assert_eq!(first(&off(500), false).result, CheckResult::Ok);
        assert_eq!(first(&off(-501), false).result, CheckResult::Failed);
        assert_eq!(first(&off(501), true).result, CheckResult::Warning);
        assert_eq!(first(&Err(NoAnswer::silence("no answer")), true).result, CheckResult::Failed);
        assert_eq!(first(&off(-501), false).found, "501 ms ahead (round trip 30 ms)");
        assert_eq!(first(&off(501), false).found, "501 ms behind (round trip 30 ms)");
    }

    #[test]
    fn a_clock_that_is_off_keeps_nobody_from_coming_back_to_legs_and_lets_nobody_open() {
        let off = |ms| Ok(Skew { ms, round_trip: Duration::from_millis(30) });
        let check = clock(&off(-501), 500, false, true);
        assert_eq!(check.result, CheckResult::Warning);
        assert!(check.found.contains("opens nothing") && check.remedy.contains("time service"), "{check:?}");
        assert!(is_off(&off(-501), 500, false) && !is_off(&off(500), 500, false));
        assert!(!is_off(&off(-501), 500, true), "an exchange on this machine has a time of its own");
        let unknown = Err(NoAnswer::silence("no answer"));
        assert!(!is_off(&unknown, 500, false));
        assert_eq!(clock(&unknown, 500, false, true).result, CheckResult::Failed);
    }

    #[test]
    fn a_client_of_another_world_than_the_profile_fails() {
        let result = |profile, of| environment(&mode(profile), &fingerprint(of)).result;
        for (profile, own) in [
            ("testnet", Environment::Testnet),
            ("mainnet-dry", Environment::Mainnet),
            ("mainnet", Environment::Mainnet),
            ("paper", Environment::Loopback),
        ] {
            for of in [Environment::Loopback, Environment::Testnet, Environment::Mainnet] {
                let fits = of == own || of == Environment::Loopback;
                assert_eq!(result(profile, of) == CheckResult::Ok, fits, "{profile} {of:?}");
            }
        }
    }

    #[test]
    fn an_account_that_may_not_trade_fails_unless_nothing_would_be_sent() {
        let config = Ok(account(false, None));
        assert_eq!(keys(&config, &mode("mainnet")).result, CheckResult::Failed);
        assert_eq!(keys(&config, &mode("mainnet-dry")).result, CheckResult::Warning);
        assert_eq!(keys(&Err(NoAnswer::refused("-2015")), &mode("mainnet-dry")).result, CheckResult::Failed);
    }
}
