//! The account of a profile, through a client that can only look.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use hedge_binance::{
    Binance, ConnectError, Credentials, CredentialsError, EndpointError, Endpoints, Mainnet, ReadOnly,
    Testnet, World,
};
use hedge_core::Clock;
use hedge_runtime::{SystemClock, clock::Scaled};
use hedge_sim::binance::ApiKey;
use thiserror::Error;

use super::{
    embedded::{EmbeddedError, Exchange, Pace},
    state::{StateError, state_dir},
};
use crate::{
    compose::{ClientSettings, ClientTies, connect},
    config::{Config, Mode, Profile},
    env::Env,
};

/// A profile's account, reached but not asked yet.
#[derive(Debug)]
pub struct Access {
    /// Can only look. Arming it takes a pass, closing with it takes none.
    pub client: Binance<ReadOnly>,
    /// REST base, as the line before the first request shows it.
    pub base: String,
    /// The clock that the client goes by.
    pub clock: Arc<dyn Clock>,
    /// Whether the venue runs on this machine.
    pub is_loopback: bool,
}

/// The account cannot be reached. Nothing was sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AccessError {
    /// Hosts that do not belong to the profile.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Keys that are missing or unusable.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The client could not be set up.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No state directory to find the exchange through.
    #[error(transparent)]
    State(#[from] StateError),
    /// The paper profile's exchange is not there.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
}

impl AccessError {
    /// 78 for hosts, keys and state directories; 1 for an exchange that is not there.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Endpoint(_) | Self::Credentials(_) | Self::State(_) => 78,
            Self::Connect(_) | Self::Embedded(_) => 1,
        }
    }
}

/// Sets the client of a profile up; sends nothing. The paper profile without `binance.rest_url` is reached through the
/// executor that runs in `state_dir` (the last paper run, if none is given). Errors: [`AccessError`].
pub fn access(
    mode: &Mode,
    config: &Config,
    env: &Env,
    state_dir_given: Option<&Path>,
) -> Result<Access, AccessError> {
    let timing = match running(mode, config, state_dir_given) {
        Some(pace) => timing(pace),
        None => (Arc::new(SystemClock) as Arc<dyn Clock>, 1.0),
    };
    access_by(mode, config, env, state_dir_given, timing, &ClientTies::default())
}

/// The same by a given clock, which runs so many times as fast as wall time, for the process that is to trade.
pub(crate) fn access_by(
    mode: &Mode,
    config: &Config,
    env: &Env,
    state_dir_given: Option<&Path>,
    timing: (Arc<dyn Clock>, f64),
    ties: &ClientTies,
) -> Result<Access, AccessError> {
    let section = &config.runtime.binance;
    let (rest, ws) = (section.rest_url.as_deref(), section.ws_url.as_deref());
    let lookup = |name: &str| env.lookup(name);
    match mode.profile {
        Profile::Paper if rest.is_none() => {
            let exchange = Exchange::load(&exchange_dir(mode, config, state_dir_given)?)?;
            let endpoints = Endpoints::<Mainnet>::new(Some(&exchange.rest_url), Some(&exchange.ws_url))?;
            let demo = ApiKey::demo();
            let credentials = Credentials::<Mainnet>::new(demo.key().to_owned(), demo.secret().to_owned())?;
            open(config, endpoints, credentials, timing, ties)
        }
        Profile::Testnet => {
            let endpoints = Endpoints::<Testnet>::new(rest, ws)?;
            let credentials = Credentials::<Testnet>::from_env(&lookup, &endpoints)?;
            open(config, endpoints, credentials, timing, ties)
        }
        Profile::Paper | Profile::MainnetDry | Profile::Mainnet => {
            let endpoints = Endpoints::<Mainnet>::new(rest, ws)?;
            open(config, endpoints, Credentials::<Mainnet>::from_env(&lookup)?, timing, ties)
        }
    }
}

/// A given directory is taken as it is: it may be one of before its owner was written.
fn exchange_dir(mode: &Mode, config: &Config, given: Option<&Path>) -> Result<PathBuf, StateError> {
    given.map_or_else(|| state_dir(mode, config, None), |given| Ok(given.to_owned()))
}

/// How the clock of a running executor's venue goes, if that venue is the profile's and runs at another speed.
fn running(mode: &Mode, config: &Config, given: Option<&Path>) -> Option<Pace> {
    let dir = exchange_dir(mode, config, given).ok()?;
    let exchange = Exchange::load(&dir).ok()?;
    let rest = config.runtime.binance.rest_url.as_deref();
    let is_its_own = rest.is_none() && mode.profile == Profile::Paper;
    let is_named =
        rest.is_some_and(|rest| rest.trim_end_matches('/') == exchange.rest_url.trim_end_matches('/'));
    exchange.pace.filter(|_| is_its_own || is_named)
}

/// A clock beside the venue's. Fractions of a multiple are left to the offset that every client measures.
fn timing(pace: Pace) -> (Arc<dyn Clock>, f64) {
    // Saturates: the range of speeds ends at a thousand.
    let times = NonZeroU32::new(pace.speed as u32).unwrap_or(NonZeroU32::MIN);
    (Arc::new(Scaled::start(pace.at(SystemClock.now()), times)), pace.speed)
}

fn open<W: World>(
    config: &Config,
    endpoints: Endpoints<W>,
    credentials: Credentials<W>,
    (clock, venue_speed): (Arc<dyn Clock>, f64),
    ties: &ClientTies,
) -> Result<Access, AccessError> {
    let (base, is_loopback) = (endpoints.rest().to_owned(), endpoints.is_loopback());
    let (ties, ours) = (ties.clone(), Arc::clone(&clock));
    let settings = ClientSettings { endpoints, credentials, clock: ours, venue_speed, ties };
    Ok(Access { client: connect(settings, &config.runtime.binance)?, base, clock, is_loopback })
}
