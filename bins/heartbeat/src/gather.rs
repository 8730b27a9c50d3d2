//! Puts a heartbeat together: the state directory first, the exchange where that is missing or old.

use std::{io::Write, path::Path, time::Duration};

use hedge_core::{
    Clock, Decimal, InstrumentId, Posture, Timestamp, VenueReader,
    report::{Heartbeat, Kpis, Nav, Note, Topic},
};
use hedge_desk::{
    config::{Config, Mode, Profile, resolve},
    venue::{access, state_dir},
};
use hedge_runtime::SystemClock;
use hedge_store::{Owner, StateDir, tee::read_status};

use crate::{
    Args, complain,
    executor::Executor,
    setup::Setup,
    state::{self, State},
    venue::{self, Value},
};

/// Shown beside the value, never in it.
const RESERVE_BTC: Decimal = Decimal::from_parts(13, 0, 0, false, 3);
/// A state that was not written for longer is old: views are written once a minute at least while marks come in.
const OLD_AFTER: Duration = Duration::from_secs(300);
/// A ledger or mirror that lacks something for longer is named.
const BEHIND_AFTER: Duration = Duration::from_secs(60);
/// How long the exchange may take, all questions together.
const VENUE_WITHIN: Duration = Duration::from_secs(20);

/// The heartbeat, from whatever could be read.
pub(crate) async fn heartbeat(args: &Args, setup: &Setup) -> Heartbeat {
    let now = SystemClock.now();
    let place = Place::find(args, setup);
    let profile = place.profile.unwrap_or(Profile::Paper);
    let installation =
        setup.env.get("ENV").map_or_else(|| profile.to_string(), |name| name.trim().to_owned());
    let mut heartbeat = Heartbeat::new(installation, now, RESERVE_BTC);
    heartbeat.simulated = profile == Profile::MainnetDry;
    heartbeat.kpis = setup.config.as_ref().map(kpis).unwrap_or_default();
    heartbeat.notes.extend(meaning(profile));
    heartbeat.notes.extend(setup.notes.iter().cloned());

    let (state, executor) = match &place.dir {
        Ok(dir) => (state::read(dir), Executor::of(dir).await),
        Err(why) => {
            heartbeat.notes.push(Note::Missing { topic: Topic::State, why: why.clone() });
            (State::default(), Executor::NotThere)
        }
    };
    let freshness = Freshness::of(&state, &executor, profile);
    fill_in(&mut heartbeat, &state, profile, freshness);
    if let (Freshness::Old { is_running }, Some(age)) = (freshness, state.age) {
        heartbeat.notes.push(Note::OldState { age, is_running });
    }
    // A simulated account lives in its state only, and a paper run that has ended is as it should be.
    let venue_knows_better =
        freshness != Freshness::Current && matches!(profile, Profile::Testnet | Profile::Mainnet);
    let is_incomplete = state.nav.is_none() || state.positions.is_none();
    let is_from_venue = (venue_knows_better || is_incomplete)
        && ask_venue(&mut heartbeat, args, setup, profile, &state, now).await;
    if let Ok(dir) = &place.dir {
        let posture = executor.posture(dir);
        health_notes(&mut heartbeat, &state, posture, executor.is_there(), is_from_venue);
        follower_notes(&mut heartbeat, dir, executor.is_there());
    }
    explain_gaps(&mut heartbeat, &state);
    heartbeat
}

/// Whether the state directory says what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    Current,
    Old { is_running: bool },
}

impl Freshness {
    /// Without an executor a live state is old at once: somebody may have closed everything since.
    fn of(state: &State, executor: &Executor, profile: Profile) -> Self {
        let is_running = executor.is_there();
        let is_abandoned = !is_running && profile != Profile::Paper;
        match state.age {
            Some(age) if age >= OLD_AFTER || is_abandoned => Self::Old { is_running },
            _ => Self::Current,
        }
    }
}

/// The state directory, or why there is none, and whose it is.
struct Place {
    dir: Result<std::path::PathBuf, String>,
    profile: Option<Profile>,
}

impl Place {
    fn find(args: &Args, setup: &Setup) -> Self {
        let given = args.state_dir.as_deref();
        if let (Some(profile), Some(config)) = (args.profile, &setup.config) {
            return match mode(profile, setup, config) {
                // A variable may have made it drier than the flag.
                Ok(mode) => Self {
                    dir: state_dir(&mode, config, given).map_err(|error| error.to_string()),
                    profile: Some(mode.profile),
                },
                Err(why) => Self { dir: Err(why), profile: Some(profile) },
            };
        }
        match StateDir::resolve_for_tools(&setup.state_root(), given) {
            Ok(found) => Self::of_owner(found.dir.path(), found.dir.owner(), args.profile),
            Err(error) => Self { dir: Err(error.to_string()), profile: None },
        }
    }

    fn of_owner(dir: &Path, owner: &Owner, wanted: Option<Profile>) -> Self {
        let profile: Option<Profile> = owner.profile.parse().ok();
        match wanted {
            Some(wanted) if profile != Some(wanted) => {
                let why = format!("{} belongs to {owner}, not to profile {wanted}", dir.display());
                Self { dir: Err(why), profile: Some(wanted) }
            }
            _ => Self { dir: Ok(dir.to_owned()), profile },
        }
    }
}

fn mode(profile: Profile, setup: &Setup, config: &Config) -> Result<Mode, String> {
    resolve(Some(profile.as_str()), &setup.env, config).map_err(|error| error.to_string())
}

fn kpis(config: &Config) -> Kpis {
    let limits = &config.limits;
    Kpis { max_dd_pct: Some(limits.kill_dd_pct), max_daily_loss_pct: Some(limits.kill_daily_loss_pct) }
}

fn meaning(profile: Profile) -> Option<Note> {
    let meaning = match profile {
        Profile::Mainnet => return None,
        Profile::Paper => "a simulated exchange, no real money",
        Profile::Testnet => "the demo exchange, no real money",
        Profile::MainnetDry => "real prices, simulated fills, no order leaves",
    };
    Some(Note::Profile { profile: profile.to_string(), meaning })
}

/// What the state directory knows.
fn fill_in(heartbeat: &mut Heartbeat, state: &State, profile: Profile, freshness: Freshness) {
    heartbeat.simulated |= state.simulated;
    if let Some(nav) = &state.nav {
        let value = Nav { value: nav.value, day_ago: nav.day_ago, drawdown_pct: Some(nav.drawdown_pct) };
        heartbeat.nav = Some(value);
        // The executor's clock counts; on paper it is the exchange's, however long ago that was.
        if freshness == Freshness::Current || profile == Profile::Paper {
            heartbeat.at = nav.at;
        }
    }
    heartbeat.positions = state.positions.clone();
    heartbeat.trades = state.trades.clone();
    heartbeat.screener = state.screener.flatten();
}

/// Whether a person should look. What concerns legs and orders of the book is of no use beside those of the exchange.
/// What the ledger or the mirror lacks; a few seconds are none of a person's business. Without an executor nobody ships, and
/// only what a person must look at is news.
fn follower_notes(heartbeat: &mut Heartbeat, dir: &Path, is_running: bool) {
    for status in read_status(dir).unwrap_or_default() {
        let is_late = is_running && status.lag() >= BEHIND_AFTER;
        if status.is_alarming() || is_late {
            heartbeat.notes.push(Note::Behind { what: status.to_string() });
        }
    }
}

fn health_notes(
    heartbeat: &mut Heartbeat,
    state: &State,
    posture: Option<(Posture, String)>,
    is_running: bool,
    is_from_venue: bool,
) {
    let health = state.health.as_ref();
    let of_views = || health.map(|health| (health.posture, health.because.clone()));
    if let Some((posture, because)) = posture.or_else(of_views) {
        heartbeat.note_posture(posture, &because);
    }
    let Some(health) = health else { return };
    if is_running && !health.connected {
        heartbeat.notes.push(Note::Disconnected);
    }
    if is_from_venue {
        return;
    }
    if !health.unprotected.is_empty() {
        heartbeat.notes.push(Note::Unprotected { legs: health.unprotected.clone() });
    }
    if health.doubtful_orders > 0 {
        heartbeat.notes.push(Note::Doubtful { orders: health.doubtful_orders });
    }
}

/// What the exchange knows, in place of what is missing or old. Whether it said it.
async fn ask_venue(
    heartbeat: &mut Heartbeat,
    args: &Args,
    setup: &Setup,
    profile: Profile,
    state: &State,
    now: Timestamp,
) -> bool {
    let Some(config) = &setup.config else { return false };
    let reached = mode(profile, setup, config).and_then(|mode| {
        let access = access(&mode, config, &setup.env, args.state_dir.as_deref());
        access.map(|access| (mode, access)).map_err(|error| error.to_string())
    });
    let unreachable = |heartbeat: &mut Heartbeat, what: &str, why: String| {
        complain(&format!("the exchange {what}: {why}"));
        heartbeat.notes.push(Note::Missing { topic: Topic::Exchange, why });
        false
    };
    let (mode, access) = match reached {
        Ok(reached) => reached,
        Err(why) => return unreachable(heartbeat, "was not asked", why),
    };
    // As every program says it, for those who look for the line.
    let _ = writeln!(std::io::stderr(), "{}", mode.preflight_line(&access.base));
    let asked = async {
        let account = venue::account(&access.client).await?;
        let instruments = instruments(config, &account.positions);
        let trades = venue::trades(&access.client, &instruments, now).await;
        Ok::<_, hedge_core::BrokerError>((account, trades))
    };
    let (account, trades) = match tokio::time::timeout(VENUE_WITHIN, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return unreachable(heartbeat, "did not answer", error.to_string()),
        Err(_) => {
            let why = format!("nothing within {} s", VENUE_WITHIN.as_secs());
            return unreachable(heartbeat, "did not answer", why);
        }
    };
    heartbeat.at = now;
    let host = access.client.fingerprint().host.clone();
    heartbeat.notes.push(Note::Source { what: format!("NAV and positions read from {host} just now") });
    heartbeat.nav = match account.value {
        Value::Known(value) => Some(Nav {
            value,
            day_ago: state.nav.as_ref().and_then(|nav| nav.day_before(now)),
            drawdown_pct: state.nav.as_ref().and_then(|nav| drawdown_pct(value, nav.peak)),
        }),
        Value::NoMark(legs) => {
            heartbeat.notes.push(Note::NoMark { legs });
            None
        }
    };
    heartbeat.positions = Some(account.positions);
    match trades {
        Ok(trades) => heartbeat.trades = Some(trades),
        Err(error) => {
            heartbeat.notes.push(Note::Missing { topic: Topic::Trades, why: error.to_string() });
        }
    }
    true
}

/// The configured symbols, and those that are held besides.
fn instruments(config: &Config, held: &[hedge_core::report::Holding]) -> Vec<InstrumentId> {
    let mut symbols = config.universe.symbols.clone();
    symbols.extend(held.iter().map(|leg| leg.symbol));
    symbols.sort_unstable();
    symbols.dedup();
    symbols.iter().filter_map(|symbol| InstrumentId::binance(symbol.as_str()).ok()).collect()
}

fn drawdown_pct(value: Decimal, peak: Decimal) -> Option<Decimal> {
    if peak <= Decimal::ZERO {
        return None;
    }
    let below = peak.checked_sub(value)?.max(Decimal::ZERO);
    below.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(peak)
}

/// Says of everything that is still unknown why it is.
fn explain_gaps(heartbeat: &mut Heartbeat, state: &State) {
    let is_known = |heartbeat: &Heartbeat, topic: Topic| match topic {
        Topic::Nav => heartbeat.nav.is_some(),
        Topic::Positions => heartbeat.positions.is_some(),
        Topic::Trades => heartbeat.trades.is_some(),
        _ => false,
    };
    for (topic, why) in &state.missing {
        if !is_known(heartbeat, *topic) {
            heartbeat.notes.push(Note::Missing { topic: *topic, why: why.clone() });
        }
    }
    if state.screener == Some(None) {
        let why = "no bar has closed since the start".to_owned();
        heartbeat.notes.push(Note::Missing { topic: Topic::Screener, why });
    }
    if heartbeat.nav.is_some_and(|nav| nav.day_ago.is_none()) {
        let since = state.nav.as_ref().and_then(state::StateNav::since);
        heartbeat.notes.push(Note::FirstDay { since });
    }
}
