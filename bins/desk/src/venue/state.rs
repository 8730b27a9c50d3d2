//! Which state directory belongs to a profile.

use std::path::{Path, PathBuf};

use hedge_store::{StateDir, StateDirError};
use thiserror::Error;

use crate::config::{Config, Mode, Profile};

/// No state directory of the profile.
#[derive(Debug, Error)]
pub enum StateError {
    /// It cannot be found or read.
    #[error(transparent)]
    Dir(#[from] StateDirError),
    /// It is somebody else's.
    #[error("{path} belongs to profile {owner}, not to {wanted}; name the right --profile or another --state-dir", path = path.display())]
    Foreign {
        /// Which directory.
        path: PathBuf,
        /// The profile that owns it.
        owner: String,
        /// The profile that runs.
        wanted: Profile,
    },
}

/// What a state directory's owner file says about the venue. The place decides, not its address: an exchange on this
/// machine may listen elsewhere at the next start.
pub fn venue_name(mode: &Mode, config: &Config) -> &'static str {
    let is_set = config.runtime.binance.rest_url.is_some();
    let is_here = config.runtime.binance.is_on_this_machine();
    match mode.profile {
        Profile::Paper if is_set => "binance-loopback",
        Profile::Paper => "binance-embedded",
        _ if is_here => "binance-loopback",
        Profile::Testnet => "binance-testnet",
        Profile::MainnetDry | Profile::Mainnet => "binance-mainnet",
    }
}

/// The state directory that a profile takes when none is named, but for paper, whose runs have one each below the root. A
/// dry run has one of its own: a variable that turns an installed mainnet dry must find a place to run in.
pub fn default_dir(mode: &Mode, config: &Config) -> PathBuf {
    let root = &config.switches.state_root;
    match mode.profile {
        Profile::MainnetDry => root.join(Profile::MainnetDry.as_str()),
        Profile::Paper | Profile::Testnet | Profile::Mainnet => root.clone(),
    }
}

/// The state directory that a tool of this profile looks at: the given one, else the root of a live profile, else the last
/// paper run. Changes nothing. Errors: none there, or it is another profile's.
pub fn state_dir(mode: &Mode, config: &Config, given: Option<&Path>) -> Result<PathBuf, StateError> {
    let root = &config.switches.state_root;
    let own = (mode.profile == Profile::MainnetDry).then(|| default_dir(mode, config));
    let found = StateDir::resolve_for_tools(root, given.or(own.as_deref()))?.dir;
    if found.owner().profile == mode.profile.as_str() {
        return Ok(found.path().to_owned());
    }
    let paper = root.join("paper").join("last");
    if given.is_none() && mode.profile == Profile::Paper && paper.exists() {
        // A live profile owns the root; paper runs live beside it.
        let dir = paper.canonicalize().unwrap_or(paper);
        return Ok(StateDir::resolve_for_tools(root, Some(&dir))?.dir.path().to_owned());
    }
    Err(StateError::Foreign {
        path: found.path().to_owned(),
        owner: found.owner().profile.clone(),
        wanted: mode.profile,
    })
}
