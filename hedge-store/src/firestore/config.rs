//! Where a Firestore store writes, as whom, and how patiently.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use super::auth::CredentialsError;

/// The service's own address. Source: fact sheet "services", section a.1.
pub const PRODUCTION_URL: &str = "https://firestore.googleapis.com/v1";
/// The database that every project has.
pub const DEFAULT_DATABASE: &str = "(default)";
/// Where a machine at Google gets its token.
pub const METADATA_HOST: &str = "metadata.google.internal";

/// Who is writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The key file of a service account.
    ServiceAccount(PathBuf),
    /// The service account of the machine this runs on, asked from its metadata server.
    Metadata {
        /// Host and, if not 80, port of that server.
        host: String,
    },
    /// The emulator's owner. Only loopback hosts take this.
    Emulator,
}

/// Where a Firestore store writes, as whom, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirestoreConfig {
    /// The project.
    pub project: String,
    /// The database, mostly [`DEFAULT_DATABASE`].
    pub database: String,
    /// The document under `hedge` that holds everything of one installation: `prod`, `paper`, …
    pub env: String,
    /// Address up to and with `/v1`.
    pub base_url: String,
    /// Who is writing.
    pub access: Access,
    /// Shortest distance of two writes of one view. The service wants at least a second.
    pub view_interval: Duration,
    /// Distance of the points of the NAV series.
    pub nav_interval: Duration,
    /// Writes a day that cost nothing. Units: documents.
    pub free_writes_per_day: u64,
    /// Longest wait for one answer.
    pub request_timeout: Duration,
    /// How often and how patiently a call is repeated.
    pub retry: FirestoreRetry,
}

/// How often and how patiently a call is repeated. Every call of this store may be repeated: writes carry a precondition or
/// replace a whole document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirestoreRetry {
    /// Attempts in all.
    pub attempts: NonZeroU32,
    /// First wait; doubles.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
    /// First pause after the quota is exhausted; doubles.
    pub quota_pause: Duration,
    /// No pause is longer: the day's quota comes back at midnight Pacific time, and one call an hour finds that out.
    pub quota_pause_cap: Duration,
}

/// Source: fact sheet "services", section a.7.
impl Default for FirestoreRetry {
    fn default() -> Self {
        Self {
            attempts: NonZeroU32::MIN.saturating_add(4),
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            quota_pause: Duration::from_secs(60),
            quota_pause_cap: Duration::from_secs(3_600),
        }
    }
}

/// What people configure, before it is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirestoreValues<'a> {
    /// `store.firestore.project`.
    pub project: Option<&'a str>,
    /// `store.firestore.database`.
    pub database: Option<&'a str>,
    /// `store.firestore.env`.
    pub env: Option<&'a str>,
    /// `store.firestore.base_url`.
    pub base_url: Option<&'a str>,
    /// `store.firestore.view_seconds`.
    pub view_seconds: Option<u64>,
    /// The installation's name when neither the key nor the variable `ENV` gives one and it is not live, which is `prod`.
    pub default_env: &'a str,
    /// Whether this process may write where the real account is shown (`hedge/prod`).
    pub is_live: bool,
}

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirestoreConfigError {
    /// A value is missing or not usable.
    #[error("{key} {problem}")]
    Value {
        /// The key or variable.
        key: &'static str,
        /// What is wrong, what was expected and what to do.
        problem: String,
    },
    /// The key file cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// Where the real account is shown. Source: the operators' runbook.
const LIVE: &str = "prod";
/// Shortest distance of two writes of one document. Source: fact sheet "services", section a.6.
const LEAST_VIEW_SECONDS: u64 = 1;

impl FirestoreConfig {
    /// The production service with everything else at its default.
    pub fn new(project: impl Into<String>, env: impl Into<String>, access: Access) -> Self {
        Self {
            project: project.into(),
            database: DEFAULT_DATABASE.to_owned(),
            env: env.into(),
            base_url: PRODUCTION_URL.to_owned(),
            access,
            view_interval: Duration::from_secs(60),
            nav_interval: Duration::from_secs(300),
            free_writes_per_day: 20_000,
            request_timeout: Duration::from_secs(10),
            retry: FirestoreRetry::default(),
        }
    }

    /// The emulator on this machine. Units of `host`: `127.0.0.1:8931`.
    pub fn emulator(host: &str, project: impl Into<String>, env: impl Into<String>) -> Self {
        Self { base_url: format!("http://{host}/v1"), ..Self::new(project, env, Access::Emulator) }
    }

    /// From the configuration and the variables that Google's tools use: `FIRESTORE_EMULATOR_HOST`,
    /// `GOOGLE_APPLICATION_CREDENTIALS` and `GCE_METADATA_HOST`, in this order, and `ENV` for the installation's name.
    ///
    /// # Errors
    /// [`FirestoreConfigError`]: one line that names the key.
    pub fn from_values(
        values: &FirestoreValues<'_>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, FirestoreConfigError> {
        let set =
            |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        // Operators have ENV=prod from other tools, on machines that run paper too: there it changes nothing.
        let is_for_live = |env: &str| env == LIVE || env == "mainnet";
        let env = match (values.env, set("ENV")) {
            (Some(LIVE), _) if !values.is_live => {
                return Err(value(
                    "store.firestore.env",
                    "is \"prod\", where the real account is shown, but this profile does not trade it; set it to another name",
                ));
            }
            (Some(env), _) => env.to_owned(),
            (None, Some(env)) if !is_for_live(&env) => env,
            (None, _) if values.is_live => LIVE.to_owned(),
            (None, _) => values.default_env.to_owned(),
        };
        let is_loopback = |url: &str| {
            let rest = url.strip_prefix("http://").unwrap_or_default();
            hedge_http::client::is_loopback_host(host_of(rest.split('/').next().unwrap_or_default()))
        };
        let configured = values.base_url.map(|url| url.trim_end_matches('/').to_owned());
        let emulator = set("FIRESTORE_EMULATOR_HOST");
        let key_file = set("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
        let (base_url, access) = match (emulator, configured, key_file) {
            (Some(host), _, _) => (format!("http://{host}/v1"), Access::Emulator),
            (None, Some(url), None) if is_loopback(&url) => (url, Access::Emulator),
            (None, url, Some(path)) => {
                (url.unwrap_or_else(|| PRODUCTION_URL.to_owned()), Access::ServiceAccount(path))
            }
            (None, url, None) => {
                let host = set("GCE_METADATA_HOST").unwrap_or_else(|| METADATA_HOST.to_owned());
                (url.unwrap_or_else(|| PRODUCTION_URL.to_owned()), Access::Metadata { host })
            }
        };
        let project = match (values.project, &access) {
            (Some(project), _) => project.to_owned(),
            (None, Access::ServiceAccount(path)) => super::auth::project_of(path)?,
            (None, _) => {
                return Err(value(
                    "store.firestore.project",
                    "is missing; set it to the Google Cloud project that has the database",
                ));
            }
        };
        let mut config = Self { base_url, ..Self::new(project, env, access) };
        if let Some(database) = values.database {
            config.database = database.to_owned();
        }
        if let Some(seconds) = values.view_seconds {
            config.view_interval = Duration::from_secs(seconds);
            if seconds < LEAST_VIEW_SECONDS {
                return Err(value(
                    "store.firestore.view_seconds",
                    "is 0; a document takes one write a second",
                ));
            }
        }
        config.check()?;
        Ok(config)
    }

    /// Checks what ends in addresses and paths.
    ///
    /// # Errors
    /// [`FirestoreConfigError::Value`].
    pub fn check(&self) -> Result<(), FirestoreConfigError> {
        let is_plain = |text: &str, more: &[u8]| {
            (1..=100).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
        };
        if !is_plain(&self.project, b"-:.") {
            let problem = format!("is {:?}, which is no project id (letters, digits, - : .)", self.project);
            return Err(value("store.firestore.project", problem));
        }
        if self.database != DEFAULT_DATABASE && !is_plain(&self.database, b"-") {
            let problem = format!("is {:?}; expected (default) or letters, digits and -", self.database);
            return Err(value("store.firestore.database", problem));
        }
        if !is_plain(&self.env, b"-_") || is_reserved(&self.env) {
            let problem = format!("is {:?}; expected up to 100 letters, digits, - and _", self.env);
            return Err(value("store.firestore.env", problem));
        }
        let is_loopback = self
            .base_url
            .strip_prefix("http://")
            .and_then(|rest| rest.split('/').next())
            .is_some_and(|host| hedge_http::client::is_loopback_host(host_of(host)));
        let is_https = self.base_url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
        if !(is_https || is_loopback) || self.base_url.contains(['?', '#', '@', ' ']) {
            let (key, shown) = if self.access == Access::Emulator {
                (
                    "FIRESTORE_EMULATOR_HOST",
                    self.base_url.trim_start_matches("http://").trim_end_matches("/v1"),
                )
            } else {
                ("store.firestore.base_url", self.base_url.as_str())
            };
            let problem = format!(
                "leads to {}; expected https, or plain http to this machine (127.0.0.1, localhost)",
                hedge_http::client::redacted(shown)
            );
            return Err(value(key, problem));
        }
        Ok(())
    }

    /// Where it writes and as whom, in a few words without a secret.
    pub fn target(&self) -> String {
        let as_whom = match &self.access {
            Access::ServiceAccount(path) => format!("service account of {}", path.display()),
            Access::Metadata { host } => format!("this machine's service account from {host}"),
            Access::Emulator => format!("the emulator at {}", self.base_url),
        };
        format!("hedge/{} in project {}, database {}, as {as_whom}", self.env, self.project, self.database)
    }
}

fn value(key: &'static str, problem: impl Into<String>) -> FirestoreConfigError {
    FirestoreConfigError::Value { key, problem: problem.into() }
}

/// Ids of the form `__…__` belong to the service.
fn is_reserved(id: &str) -> bool {
    id.starts_with("__") && id.ends_with("__")
}

/// The host of `host:port`, brackets of IPv6 kept out of the search for the port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !authority.ends_with(']') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &FirestoreValues<'_>, set: &[(&str, &str)]) -> Result<FirestoreConfig, String> {
        let variable =
            |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned());
        FirestoreConfig::from_values(values, &variable).map_err(|error| error.to_string())
    }

    const PAPER: FirestoreValues<'static> = FirestoreValues {
        project: Some("fund"),
        database: None,
        env: None,
        base_url: None,
        view_seconds: None,
        default_env: "paper",
        is_live: false,
    };

    #[test]
    fn the_emulator_goes_before_a_key_file_and_that_before_the_metadata_server() {
        let file = ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/hedge/key.json");
        let config = read(&PAPER, &[("FIRESTORE_EMULATOR_HOST", "127.0.0.1:8931"), file]).unwrap();
        assert_eq!((config.base_url.as_str(), config.access), ("http://127.0.0.1:8931/v1", Access::Emulator));
        let config = read(&PAPER, &[file]).unwrap();
        assert_eq!((config.base_url.as_str(), config.database.as_str()), (PRODUCTION_URL, "(default)"));
        assert_eq!(config.access, Access::ServiceAccount("/etc/hedge/key.json".into()));
        let config = read(&PAPER, &[]).unwrap();
        assert_eq!(config.access, Access::Metadata { host: METADATA_HOST.to_owned() });
    }

    #[test]
    fn the_installation_is_named_by_the_key_then_by_the_variable_then_by_the_profile() {
        let named = FirestoreValues { env: Some("lab"), ..PAPER };
        assert_eq!(read(&named, &[("ENV", "staging")]).unwrap().env, "lab");
        assert_eq!(read(&PAPER, &[("ENV", "staging")]).unwrap().env, "staging");
        assert_eq!(read(&PAPER, &[("ENV", " ")]).unwrap().env, "paper");
    }

    #[test]
    fn a_profile_that_does_not_trade_never_writes_where_the_real_account_is_shown() {
        for env in ["prod", "mainnet"] {
            assert_eq!(read(&PAPER, &[("ENV", env)]).unwrap().env, "paper", "a variable only forbids");
        }
        let error = read(&FirestoreValues { env: Some("prod"), ..PAPER }, &[]).unwrap_err();
        assert!(error.starts_with("store.firestore.env is \"prod\""), "{error}");
        let live = FirestoreValues { is_live: true, default_env: "mainnet", ..PAPER };
        for set in [&[][..], &[("ENV", "prod")], &[("ENV", "mainnet")]] {
            assert_eq!(read(&live, set).unwrap().env, "prod");
        }
    }

    #[test]
    fn values_that_cannot_work_are_named_with_their_key() {
        let missing = read(&FirestoreValues { project: None, ..PAPER }, &[]).unwrap_err();
        assert!(missing.starts_with("store.firestore.project is missing"), "{missing}");
        for (values, key) in [
            (FirestoreValues { project: Some("a/b"), ..PAPER }, "store.firestore.project"),
            (FirestoreValues { database: Some("a/b"), ..PAPER }, "store.firestore.database"),
            (FirestoreValues { env: Some("a/b"), ..PAPER }, "store.firestore.env"),
            (FirestoreValues { env: Some("__x__"), ..PAPER }, "store.firestore.env"),
            (FirestoreValues { base_url: Some("http://db.example/v1"), ..PAPER }, "store.firestore.base_url"),
            (FirestoreValues { view_seconds: Some(0), ..PAPER }, "store.firestore.view_seconds"),
        ] {
            let error = read(&values, &[("GOOGLE_APPLICATION_CREDENTIALS", "/k")]).unwrap_err();
            assert!(error.starts_with(key), "{error}");
        }
        let error = read(&PAPER, &[("FIRESTORE_EMULATOR_HOST", "db.example:80")]).unwrap_err();
        assert!(
            error
                .starts_with("FIRESTORE_EMULATOR_HOST leads to db.example:80; expected https, or plain http"),
            "{error}"
        );
    }

    #[test]
    fn the_target_is_described_without_a_secret() {
        let config =
            FirestoreConfig::new("fund", "prod", Access::ServiceAccount("/etc/hedge/key.json".into()));
        assert_eq!(
            config.target(),
            "hedge/prod in project fund, database (default), as service account of /etc/hedge/key.json"
        );
    }
}
