//! Starting an exchange: instruments, market, account, log, listener.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hedge_core::{Interval, Symbol};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::clock::{Pace, VenueClock, wall_ms};
use super::config::{ExchangeConfig, Instruments, MarketSource};
use super::contracts::Announced;
use super::countdown::Countdowns;
use super::faults::Faults;
use super::feed::Feed;
use super::handle::ExchangeHandle;
use super::hub::Hub;
use super::keys::KeyRing;
use super::limits::Limits;
use super::listen_key::ListenKey;
use super::log::{CommandLog, LogError};
use super::numbers::Places;
use super::past::FUNDING_EVERY_MS;
use super::play::{Play, shifted};
use super::rest_market::DAY_MS;
use super::server;
use super::state::{ACCOUNT, App, Core, Record};
use super::tape::Tape;
use super::tick::TICK_MS;
use super::ticks::{self, TickPlay};
use crate::market::{
    DataSet, GeneratedMarket, KlineInterval, MarketError, SymbolProfile, inner_path, point_times_ms,
};
use crate::venue::{
    Command, InstrumentRules, RulesError, SecondCloseAll, SymbolId, Venue, VenueConfig, VenueError,
};

/// Bars before the start of recorded data when nobody says how many.
const DEFAULT_HISTORY_BARS: usize = 500;
/// Bars of the past that fill the tape of a recorded market.
const TAPE_BARS: usize = 2_500;

/// Names that one sentence lists.
const MOST_NAMES: usize = 20;

/// Why an exchange did not start or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The address is not a loopback address.
    #[error("{0} is not a loopback address; the simulated exchange listens on 127.0.0.1 or ::1 only")]
    NotLoopback(SocketAddr),
    /// The listener could not be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(String),
    /// An instrument file could not be read.
    #[error("cannot read {path}: {detail}")]
    InstrumentFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        detail: String,
    },
    /// The instruments cannot be used.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The market data cannot be used.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// The command log cannot be used or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The exchange core refused what it was started with.
    #[error("the exchange core refused its start: {0}")]
    Core(#[from] VenueError),
    /// The call belongs to lockstep mode.
    #[error("the exchange runs at a finite speed; only a lockstep exchange is driven step by step")]
    NotLockstep,
    /// Sockets did not answer the barrier's ping.
    #[error("{sockets} sockets did not answer a ping within {seconds} s; their clients do not read")]
    Barrier {
        /// How many.
        sockets: usize,
        /// How long was waited.
        seconds: u64,
    },
}

/// A simulated exchange; see the [module documentation](super).
#[derive(Debug)]
pub struct Exchange;

impl Exchange {
    /// Starts an exchange and returns once it answers.
    ///
    /// # Errors
    /// [`ExchangeError`] naming the setting, file or address that cannot be used.
    pub async fn start(config: ExchangeConfig) -> Result<ExchangeHandle, ExchangeError> {
        if !config.listen.ip().is_loopback() {
            return Err(ExchangeError::NotLoopback(config.listen));
        }
        if let Some(problem) = config.api_key.problem() {
            return Err(ExchangeError::Setting(problem.to_owned()));
        }
        let mut names: Vec<&str> = config.public_keys.iter().map(|key| key.key()).collect();
        names.push(config.api_key.key());
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| matches!(pair, [a, b] if a == b)) {
            let name = pair.first().copied().unwrap_or_default();
            return Err(ExchangeError::Setting(format!("two keys have the name {name}; give each its own")));
        }
        let built = build(&config)?;
        let listen = |source| ExchangeError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let keys = KeyRing::new(config.api_key.clone(), &config.public_keys);
        let app = Arc::new(App::new(built.clock, keys, built.core));
        let (problem, problems) = watch::channel(None);
        let server = tokio::spawn(server::run(Arc::clone(&app), listener));
        let market = tokio::spawn(drive(Arc::clone(&app), problem));
        Ok(ExchangeHandle::new(app, address, built.notes, problems, server, market))
    }
}

/// Ticks at wall time until the exchange stops. In lockstep there is nothing to do.
async fn drive(app: Arc<App>, problem: watch::Sender<Option<String>>) {
    let mut stop = app.stop.subscribe();
    let mut ticks = tokio::time::interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut n = 0;
    while app.clock.state().pace != Pace::Lockstep {
        tokio::select! {
            // The sender gone means stop as well.
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        n += 1;
        let trouble = app.with(|core| core.tick(n)).err().map(|error| error.to_string());
        problem.send_if_modified(|known| {
            let changed = *known != trouble;
            if changed {
                known.clone_from(&trouble);
            }
            changed
        });
    }
}

struct Built {
    clock: VenueClock,
    core: Core,
    notes: Vec<String>,
}

/// Everything but the sockets.
fn build(config: &ExchangeConfig) -> Result<Built, ExchangeError> {
    let mut notes = Vec::new();
    let start_ms = start_time(config)?;
    let known = read_rules(config)?;
    let market = open_market(config, &known, start_ms, &mut notes)?;
    let rules = rules_in_order(&market.play, &known)?;
    notes.extend(left_out(config, &known, &rules));
    let mut venue = open_venue(config, &market, &rules)?;
    let header = header(config, &market, &rules, start_ms);
    let seed = header.iter().map(|(name, value)| format!("{name}={value};")).collect();
    let symbols = Arc::new(rules.iter().map(|rules| rules.symbol.clone()).collect::<Vec<_>>());
    // The venue's clock does not run yet: what is opened or replayed carries its own time.
    venue.apply(market.start_ms, &Command::Tick, &mut Vec::new())?;
    let clock = VenueClock::new(market.start_ms, config.pace);
    let faults = Faults::new();
    let mut core = Core {
        environment: config.environment,
        clock: clock.clone(),
        venue,
        hub: Hub::new(config.environment, Arc::clone(&symbols), clock.clone(), faults.clone()),
        faults,
        limits: Limits::new(config.environment.weight_per_minute()),
        key: ListenKey::new(seed),
        countdowns: Countdowns::default(),
        announced: Announced::default(),
        play: market.play,
        feeds: Vec::new(),
        places: rules.iter().map(|rules| (rules.symbol.clone(), Places::of(rules))).collect(),
        log: None,
        live_until_ms: market.start_ms,
        held_news: Vec::new(),
        liquidations: BTreeMap::new(),
    };
    let resumed = resume(config, &mut core, &header, market.start_ms, &mut notes)?;
    let clock = resumed.clone().unwrap_or(clock);
    let resumed = resumed.is_some();
    core.set_clock(clock.clone());
    let now_ms = clock.now_ms();
    core.live_until_ms = now_ms;
    if config.pace != Pace::Lockstep {
        // Nobody is connected yet: what already lies in the past is there from the first request on.
        while core.play.next().is_some_and(|next| next.at_ms() <= now_ms) {
            core.play_next()?;
        }
    }
    core.feeds = (0..symbols.len()).map(|ix| Feed::new(past_tape(&core, ix, now_ms), now_ms)).collect();
    core.begin_recording(resumed, now_ms)?;
    Ok(Built { clock, core, notes })
}

/// The start that the settings, an existing log, or else the wall clock gives.
fn start_time(config: &ExchangeConfig) -> Result<i64, ExchangeError> {
    let logged = match &config.log_path {
        Some(path) => CommandLog::header_of(path)?,
        None => None,
    };
    let logged = logged.and_then(|header| header.into_iter().find(|(name, _)| name == "start_ms"));
    let logged = logged.and_then(|(_, value)| value.parse().ok());
    Ok(config.start_ms.or(logged).unwrap_or_else(wall_ms))
}

fn read_rules(config: &ExchangeConfig) -> Result<Vec<InstrumentRules>, ExchangeError> {
    match &config.instruments {
        Instruments::Builtin => {
            let rules = InstrumentRules::builtin().into_iter();
            Ok(rules.map(|rules| config.environment.adapted(rules)).collect())
        }
        Instruments::Rules(rules) => Ok(rules.clone()),
        Instruments::File(path) => {
            let fail = |detail: String| ExchangeError::InstrumentFile { path: path.clone(), detail };
            let text = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
            let json = serde_json::from_slice(&text).map_err(|error| fail(error.to_string()))?;
            Ok(InstrumentRules::from_exchange_info_json(&json)?)
        }
    }
}

struct Market {
    play: Play,
    /// Where the venue clock begins.
    start_ms: i64,
    /// What the log says about where prices come from.
    source: String,
}

fn open_market(
    config: &ExchangeConfig,
    rules: &[InstrumentRules],
    start_ms: i64,
    notes: &mut Vec<String>,
) -> Result<Market, ExchangeError> {
    match &config.market {
        MarketSource::Generated { seed, symbols, bars } => {
            let generator = GeneratedMarket::new(*seed, profiles(rules, symbols)?)?;
            let (play, start_ms, grid) = match config.pace {
                Pace::Lockstep => {
                    let start_ms = KlineInterval::from(*bars).open_ms(start_ms);
                    (Play::generated_bars(generator, *bars, start_ms)?, start_ms, bars.as_str())
                }
                Pace::Speed(_) => (Play::generated(generator), start_ms, "prints"),
            };
            Ok(Market { play, start_ms, source: format!("generated in {grid}, seed {seed}") })
        }
        MarketSource::Recorded { path, symbols } => {
            let data = read_data(path, symbols, rules)?;
            notes.extend(data.notes.iter().cloned());
            Ok(recorded(config, &Arc::new(data), start_ms, notes))
        }
        MarketSource::Data(data) => Ok(recorded(config, data, start_ms, notes)),
        MarketSource::Ticks { path, symbols } => {
            if config.pace == Pace::Lockstep {
                let text = "recorded ticks go by a clock of their own; give a speed instead of lockstep";
                return Err(ExchangeError::Setting(text.to_owned()));
            }
            let series = ticks::read(path, symbols, rules)?;
            notes.extend(series.iter().flat_map(|one| one.notes.iter().cloned()));
            let names = series.iter().map(|one| one.symbol).collect();
            let digests: Vec<&str> = series.iter().map(|one| one.digest.as_str()).collect();
            let source = format!("ticks {}", digests.join(" "));
            let play = Play::ticks(names, TickPlay::new(series, rules, start_ms));
            Ok(Market { play, start_ms, source })
        }
    }
}

fn profiles(rules: &[InstrumentRules], wanted: &[String]) -> Result<Vec<SymbolProfile>, ExchangeError> {
    let profile = |rules: &InstrumentRules| {
        let profile = Symbol::parse(&rules.symbol).ok().and_then(SymbolProfile::built_in)?;
        Some(profile.with_grid(rules.tick, rules.lot.step))
    };
    let listed = rules.iter().filter(|rules| wanted.is_empty() || wanted.contains(&rules.symbol));
    let found: Vec<SymbolProfile> = listed.filter_map(profile).collect::<Result<_, _>>()?;
    let missing: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|name| found.iter().all(|p| p.symbol().as_str() != *name))
        .collect();
    if !missing.is_empty() {
        let message =
            format!("the generated market has no {}; leave it out or play recorded data", missing.join(", "));
        return Err(ExchangeError::Setting(message));
    }
    Ok(found)
}

fn read_data(path: &Path, symbols: &[String], rules: &[InstrumentRules]) -> Result<DataSet, ExchangeError> {
    let parse =
        |name: &String| Symbol::parse(name).map_err(|error| ExchangeError::Setting(error.to_string()));
    let listed = rules.iter().map(|rules| parse(&rules.symbol)).collect::<Result<Vec<_>, _>>()?;
    if symbols.is_empty() {
        return Ok(DataSet::open(path, None, Some(&listed))?);
    }
    let wanted = symbols.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(DataSet::open(path, Some(&wanted), None)?)
}

/// At a finite speed recorded times move so that the first bar after the history closed before the start: the last one
/// that did, or one up to a settlement's distance before it, for settlements stay at their hours of the day. In lockstep
/// times stay as recorded unless a start is asked for.
fn recorded(config: &ExchangeConfig, data: &Arc<DataSet>, start_ms: i64, notes: &mut Vec<String>) -> Market {
    let wanted = config.history_bars.unwrap_or(DEFAULT_HISTORY_BARS);
    let interval = data.interval;
    let source = format!("recorded {}, {wanted} bars of history", data.content_hash());
    let as_recorded = Play::recorded(Arc::clone(data), wanted);
    let history = as_recorded.history().unwrap_or(0);
    if history < wanted {
        notes.push(format!("history: {history} bars instead of {wanted}; the data is too short for more"));
    }
    let first_open_ms = as_recorded.start_ms().unwrap_or(start_ms);
    let boundary_ms = KlineInterval::from(interval).open_ms(start_ms);
    let (by_ms, start_ms) = match (config.pace, config.start_ms) {
        (Pace::Lockstep, None) => (0, first_open_ms),
        (Pace::Lockstep, Some(_)) => (boundary_ms - first_open_ms, boundary_ms),
        (Pace::Speed(_), _) => {
            let left_ms = data.end().map_or(0, |end| end.ms() - first_open_ms);
            (whole_settlements(boundary_ms - interval.ms() - first_open_ms, interval, left_ms), start_ms)
        }
    };
    let play = if by_ms == 0 { as_recorded } else { Play::recorded(Arc::new(shifted(data, by_ms)), wanted) };
    Market { play, start_ms, source }
}

/// The shift rounded down to whole distances of settlements (whole days where bars are longer), unless that would use up
/// more than half of what is left to play.
fn whole_settlements(by_ms: i64, interval: Interval, left_ms: i64) -> i64 {
    let step_ms = if FUNDING_EVERY_MS % interval.ms() == 0 { FUNDING_EVERY_MS } else { DAY_MS };
    let over_ms = by_ms.rem_euclid(step_ms);
    if over_ms <= left_ms / 2 { by_ms - over_ms } else { by_ms }
}

/// Instruments of a file that have no market, unless somebody chose the symbols.
fn left_out(
    config: &ExchangeConfig,
    known: &[InstrumentRules],
    played: &[InstrumentRules],
) -> Option<String> {
    let (MarketSource::Generated { symbols, .. }
    | MarketSource::Recorded { symbols, .. }
    | MarketSource::Ticks { symbols, .. }) = &config.market
    else {
        return None;
    };
    if !symbols.is_empty() || !matches!(config.instruments, Instruments::File(_)) {
        return None;
    }
    let is_played = |name: &str| played.iter().any(|rules| rules.symbol == name);
    let names: Vec<&str> =
        known.iter().map(|rules| rules.symbol.as_str()).filter(|name| !is_played(name)).collect();
    let shown = names.get(..MOST_NAMES.min(names.len())).unwrap_or_default().join(", ");
    let more = match names.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| format!("instruments without a market, left out: {shown}{more}"))
}

/// The rules of the played symbols in the order of the market.
fn rules_in_order(play: &Play, rules: &[InstrumentRules]) -> Result<Vec<InstrumentRules>, ExchangeError> {
    let of = |symbol: &Symbol| {
        rules.iter().find(|rules| rules.symbol == symbol.as_str()).cloned().ok_or_else(|| {
            ExchangeError::Setting(format!(
                "there are bars of {symbol} but no instrument; give an instrument file with it"
            ))
        })
    };
    let found = play.symbols().iter().map(of).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Err(ExchangeError::Setting("no instrument has a market; nothing could be traded".to_owned()));
    }
    Ok(found)
}

fn open_venue(
    config: &ExchangeConfig,
    market: &Market,
    rules: &[InstrumentRules],
) -> Result<Venue, ExchangeError> {
    if config.balance_usdt < Decimal::ZERO {
        return Err(ExchangeError::Setting(format!(
            "the balance is {}, it must not be negative",
            config.balance_usdt
        )));
    }
    let venue_config = VenueConfig {
        second_close_all: config.second_close_all,
        countdown_cancels_algos: config.countdown_cancels_algos,
        ..VenueConfig::default()
    };
    let mut venue = Venue::new(venue_config);
    let mut events = Vec::new();
    let first_ms =
        market.play.warmup().iter().map(|(_, bar)| bar.open_time.ms()).min().unwrap_or(market.start_ms);
    for (ix, rules) in rules.iter().enumerate() {
        let price = market.play.first_price(ix as u16, market.start_ms);
        let price = price
            .ok_or_else(|| ExchangeError::Setting(format!("{} has no price to start from", rules.symbol)))?;
        venue.apply(first_ms, &Command::List { rules: Box::new(rules.clone()), price }, &mut events)?;
    }
    // The past leaves its trace in the book, exactly as a backtest on the same bars has it.
    for (ix, bar) in market.play.warmup() {
        let scale = u32::from(bar.price_scale);
        let to = rules.get(usize::from(*ix)).and_then(|rules| rules.ticks_from_scaled(bar.close, scale));
        if let Some(to) = to {
            let jump = Command::Jump { symbol: SymbolId(*ix), to, mark: None };
            venue.apply(bar.end().ms(), &jump, &mut events)?;
        }
    }
    let open = Command::OpenAccount { account: ACCOUNT, balance_usdt: config.balance_usdt };
    venue.apply(market.start_ms, &open, &mut events)?;
    Ok(venue)
}

/// What a log belongs to: everything that its replay depends on.
fn header(
    config: &ExchangeConfig,
    market: &Market,
    rules: &[InstrumentRules],
    start_ms: i64,
) -> Vec<(String, String)> {
    let digest = |rules: &InstrumentRules| serde_json::to_vec(rules).map(Sha256::digest).ok();
    let instruments = rules.iter().filter_map(digest).fold(Sha256::new(), |sum, one| sum.chain_update(one));
    let instruments: String = instruments.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let second = match config.second_close_all {
        SecondCloseAll::Refuse4130 => "refuse",
        SecondCloseAll::Accept => "accept",
    };
    [
        ("format", "hedge-sim binance 2".to_owned()),
        ("market", market.source.clone()),
        ("instruments", instruments),
        ("balance_usdt", config.balance_usdt.normalize().to_string()),
        ("second_close_all", second.to_owned()),
        ("start_ms", start_ms.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    // Where it is as usual it is left out, so that earlier logs stay readable.
    .chain(config.countdown_cancels_algos.then(|| ("countdown_cancels".to_owned(), "all".to_owned())))
    .collect()
}

/// Opens the log and does again what it tells; the clock that goes on from there, if there was anything.
fn resume(
    config: &ExchangeConfig,
    core: &mut Core,
    header: &[(String, String)],
    start_ms: i64,
    notes: &mut Vec<String>,
) -> Result<Option<VenueClock>, ExchangeError> {
    let Some(path) = &config.log_path else { return Ok(None) };
    let (log, replay) = CommandLog::open::<Record<'static>>(path, header)?;
    core.log = Some(log);
    if replay.torn_bytes > 0 {
        notes.push(format!(
            "command log {}: the last line was torn, {} bytes of it were cut off; it was never acknowledged",
            path.display(),
            replay.torn_bytes
        ));
    }
    let records = replay.records.len();
    let mut last_ms = start_ms;
    for record in replay.records {
        last_ms = last_ms.max(core.replay(record));
    }
    if records == 0 {
        return Ok(None);
    }
    notes.push(format!("command log {}: {records} records replayed", path.display()));
    Ok(Some(VenueClock::new(last_ms, config.pace)))
}

/// Prints at the points of the past bars' paths, a quarter of the volume each.
fn past_tape(core: &Core, ix: usize, now_ms: i64) -> Tape {
    let mut tape = Tape::starting_at(1);
    let bars = core.play.recorded_bars(ix as u16, now_ms);
    for bar in bars.iter().skip(bars.len().saturating_sub(TAPE_BARS)) {
        let qty = (bar.volume_decimal() / Decimal::from(4)).round_dp(u32::from(bar.volume_scale));
        let mut before = bar.open;
        for (at_ms, price) in
            point_times_ms(bar.open_time.ms(), bar.interval).into_iter().zip(inner_path(bar))
        {
            if at_ms <= now_ms && !qty.is_zero() {
                tape.print(at_ms, bar.decimal(price), qty, price < before);
            }
            before = price;
        }
    }
    tape
}

/// Symbols by their position, for handles and tests.
pub(crate) fn symbol_names(core: &Core) -> BTreeMap<SymbolId, String> {
    core.venue.instruments().map(|(id, rules)| (id, rules.symbol.clone())).collect()
}

/// The two background tasks of an exchange.
pub(crate) type Server = JoinHandle<std::io::Result<()>>;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn recorded_times_move_by_whole_settlements_when_enough_is_left_to_play() {
        let shift = |by_hours: i64, interval, left_hours: i64| {
            whole_settlements(by_hours * HOUR_MS, interval, left_hours * HOUR_MS) / HOUR_MS
        };
        assert_eq!(shift(8_007, Interval::M15, 14), 8_000);
        assert_eq!(shift(8_000, Interval::M15, 0), 8_000);
        assert_eq!(shift(-3, Interval::H8, 100), -8);
        assert_eq!(shift(49, Interval::H12, 1_000), 48);
        assert_eq!(shift(47, Interval::D1, 1_000), 24);
        // Seven of thirteen hours would be over before the start.
        assert_eq!(shift(8_007, Interval::M15, 13), 8_007);
    }
}
