//! Variables and configuration, as far as they can be used. What cannot is said and left out.

use std::path::PathBuf;

use hedge_core::report::{Note, Topic};
use hedge_desk::{
    config::{Config, ConfigError},
    env::Env,
    logging::{self, Format, Sink},
};

use crate::{Args, complain};

const TELEGRAM_URL: &str = "https://api.telegram.org";

/// What the program knows before it reads anything else.
pub(crate) struct Setup {
    pub(crate) env: Env,
    /// `None` when it cannot be used.
    pub(crate) config: Option<Config>,
    /// What a reader of the message should know about it.
    pub(crate) notes: Vec<Note>,
}

impl Setup {
    pub(crate) fn load(args: &Args) -> Self {
        let env = Env::load(args.env_file.as_deref()).unwrap_or_else(|error| {
            complain(&format!("variables of the file are left out: {error}"));
            process_only()
        });
        let (config, notes) = match Config::load(args.config.as_deref(), &env) {
            Ok(config) => (Some(config), Vec::new()),
            Err(error) => {
                complain(&format!("the configuration cannot be used: {error}"));
                (None, vec![Note::Missing { topic: Topic::Configuration, why: first_line(&error) }])
            }
        };
        let level = config.as_ref().map_or("warn", |config| config.runtime.log.level.as_str());
        // Requests in detail are for those who look for a fault; a cron's log should hold what failed.
        let level = if level == "info" { "warn" } else { level };
        logging::init(&Sink::to(Format::Text, std::io::stderr()), level);
        Self { env, config, notes }
    }

    /// Name of the zone in which the message tells the time.
    pub(crate) fn zone(&self) -> String {
        match &self.config {
            Some(config) => config.runtime.heartbeat.zone.clone(),
            None => self.env.get("HEARTBEAT_TZ").unwrap_or("UTC").trim().to_owned(),
        }
    }

    pub(crate) fn telegram_url(&self) -> String {
        match &self.config {
            Some(config) => config.runtime.telegram.base_url.clone(),
            None => self.env.get("HEDGE__TELEGRAM__BASE_URL").unwrap_or(TELEGRAM_URL).trim().to_owned(),
        }
    }

    /// Where state directories are looked for.
    pub(crate) fn state_root(&self) -> PathBuf {
        PathBuf::from(self.env.get("EVENT_STORE_ROOT").unwrap_or("state"))
    }
}

fn process_only() -> Env {
    let own: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Env::from_pairs(own.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn first_line(error: &ConfigError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
