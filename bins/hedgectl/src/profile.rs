//! What commands that name a profile build on.

use std::path::PathBuf;

use hedge_desk::{
    config::{Config, Mode, resolve},
    env::Env,
    venue::{Access, access, default_dir, state_dir},
};

use crate::{args::ProfileArgs, failure::Failure};

/// Variables, configuration, profile, and where its state is.
pub(crate) struct Setup {
    pub(crate) env: Env,
    pub(crate) config: Config,
    pub(crate) mode: Mode,
    /// As `--state-dir` names it.
    given: Option<PathBuf>,
    /// The directory that is looked at; it may not exist yet.
    pub(crate) state_dir: PathBuf,
}

impl Setup {
    /// Reads everything and says what was made of it.
    pub(crate) fn load(args: &ProfileArgs) -> Result<Self, Failure> {
        let env = Env::load(args.env.env_file.as_deref())?;
        let config = Config::load(args.config.config.as_deref(), &env)?;
        config.notes.iter().for_each(|note| eprintln!("warning: {note}"));
        let mode = resolve(args.profile.as_deref(), &env, &config)?;
        mode.audit().iter().for_each(|line| eprintln!("{line}"));
        let given = args.state_dir.clone();
        // Before the first start there is none; whose it is otherwise is looked at by a check of its own.
        let root = || given.clone().unwrap_or_else(|| default_dir(&mode, &config));
        let state_dir = state_dir(&mode, &config, given.as_deref()).unwrap_or_else(|_| root());
        Ok(Self { env, config, mode, given, state_dir })
    }

    /// The account, after the line that comes before the first request.
    pub(crate) fn access(&self) -> Result<Access, Failure> {
        let access = access(&self.mode, &self.config, &self.env, self.given.as_deref())?;
        eprintln!("{}", self.mode.preflight_line(&access.base));
        Ok(access)
    }
}
