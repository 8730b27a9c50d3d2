//! Variables: those of the process, and those of a `.env` file that only its owner can read. The process wins.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::config::{ConfigError, Problem, nearest};

/// The file that is read when no other is named.
const DEFAULT_FILE: &str = ".env";

/// A variable that operators may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What is accepted.
    pub range: &'static str,
    /// What holds when it is absent.
    pub default: &'static str,
    /// What it does.
    pub why: &'static str,
}

const fn variable(
    name: &'static str,
    range: &'static str,
    default: &'static str,
    why: &'static str,
) -> Variable {
    Variable { name, range, default, why }
}

const SWITCH: &str = "1, 0, true, false, yes, no, on, off";
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// The variables by name; `HEDGE__SECTION__KEY` comes on top.
pub const VARIABLES: &[Variable] = &[
    variable(
        "BINANCE_API_KEY",
        "text",
        "none",
        "Key of the mainnet account. The paper profile uses it only for an exchange on this machine at binance.rest_url.",
    ),
    variable(
        "BINANCE_API_SECRET",
        "text",
        "none",
        "Secret that belongs to BINANCE_API_KEY: the HMAC secret, or a private RSA or Ed25519 key (PKCS#8) as PEM text or as the path of a PEM file with mode 0600. Never shown.",
    ),
    variable(
        "BINANCE_UM_API_KEY_TESTNET",
        "text",
        "none",
        "Key of the demo (testnet) account; its keys are not those of mainnet.",
    ),
    variable(
        "BINANCE_UM_API_SECRET_TESTNET",
        "text",
        "none",
        "Secret of the demo (testnet) account, of the same kinds as BINANCE_API_SECRET. Never shown.",
    ),
    variable(
        "BINANCE_TESTNET",
        SWITCH,
        "none",
        "1 forbids the mainnet profiles, 0 forbids testnet. It never chooses a venue: --profile does.",
    ),
    variable(
        "DRY_RUN",
        SWITCH,
        "none",
        "1 forbids orders that move money: mainnet runs as mainnet-dry, testnet is refused. 0 permits nothing.",
    ),
    variable("SAFE_MODE", SWITCH, "none", "Means the same as DRY_RUN."),
    variable(
        "ENV",
        "a short name",
        "none",
        "Name of this installation in reports. prod and mainnet forbid the testnet profile.",
    ),
    variable(
        "LOG_LEVEL",
        "error, warn, info, debug, trace",
        "info",
        "The least important messages that are shown.",
    ),
    variable(
        "EVENT_STORE_ROOT",
        "a folder",
        "state",
        "The state directory of testnet and mainnet. Paper runs live in its folder paper, mainnet-dry in its folder mainnet-dry.",
    ),
    variable(
        "STOP_VALIDATOR_ENABLED",
        SWITCH,
        "stops.validator",
        "0 switches the stop validator off; 1 changes nothing. A leg that stays without a stop is closed in any case.",
    ),
    variable(
        "STOP_VALIDATOR_REPAIR",
        SWITCH,
        "stops.repair",
        "0 keeps the validator from placing missing stops; 1 changes nothing.",
    ),
    variable(
        "STOP_VALIDATOR_REPAIR_TP",
        SWITCH,
        "stops.repair_tp",
        "0 keeps the validator from placing missing take-profits; 1 changes nothing.",
    ),
    variable(
        "STOP_VALIDATOR_GRACE_SEC",
        "seconds, 0.1 to 60",
        "stops.grace_ms",
        "How long a stop may be missing before that counts. It wins over stops.grace_ms.",
    ),
    variable(
        "STOP_VALIDATOR_INTERVAL_SEC",
        "seconds, 0.1 to 60",
        "stops.interval_ms",
        "The least time between two repairs of the same thing. It wins over stops.interval_ms.",
    ),
    variable(
        "TELEGRAM_BOT_TOKEN",
        "text",
        "none",
        "Token of the bot that sends heartbeats and alerts. Never shown.",
    ),
    variable("TELEGRAM_CHAT_ID", "a chat's number or @name", "none", "Where the bot sends them."),
    variable(
        "HEARTBEAT_TZ",
        "an IANA zone name",
        "heartbeat.zone",
        "Zone of the times in a heartbeat, for example Africa/Johannesburg. It wins over heartbeat.zone.",
    ),
    variable(
        "HEDGE_FAILPOINT",
        "name[:nth]=kill, =stop or =full; several with commas",
        "none",
        "For tests: where hedge-executor ends, stops or finds its disk full, at a venue on this machine only. docs/reliability.md lists the names.",
    ),
];

/// Where a variable was set.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Process,
    File { path: PathBuf, line: usize },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("environment"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// All variables. `Debug` shows names and origins, never values.
#[derive(Clone, Default)]
pub struct Env {
    values: BTreeMap<String, (String, Origin)>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.values.iter().map(|(name, (_, origin))| (name, origin.to_string())))
            .finish()
    }
}

/// The operators' switches, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switches {
    /// `BINANCE_TESTNET`; `None` when it is not set.
    pub testnet: Option<bool>,
    /// `DRY_RUN`; `None` when it is not set.
    pub dry_run: Option<bool>,
    /// `SAFE_MODE`, which means a dry run; `None` when it is not set.
    pub safe_mode: Option<bool>,
    /// `ENV`.
    pub installation: Option<String>,
    /// `EVENT_STORE_ROOT`, else `state`.
    pub state_root: PathBuf,
}

impl Env {
    /// Variables whose values are shown nowhere.
    pub const SECRETS: [&'static str; 5] = [
        "BINANCE_API_KEY",
        "BINANCE_API_SECRET",
        "BINANCE_UM_API_KEY_TESTNET",
        "BINANCE_UM_API_SECRET_TESTNET",
        "TELEGRAM_BOT_TOKEN",
    ];
    /// The names of the two accounts' keys.
    pub(crate) const ACCOUNT_KEYS: [&'static str; 4] = [
        "BINANCE_API_KEY",
        "BINANCE_API_SECRET",
        "BINANCE_UM_API_KEY_TESTNET",
        "BINANCE_UM_API_SECRET_TESTNET",
    ];

    /// The process's variables over those of a file: the given one, else `.env` in the working directory if it is there.
    ///
    /// Errors: a given file that is missing, a file that others can read, a line that cannot be understood, a misspelt name.
    pub fn load(env_file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut env = match env_file {
            Some(path) => Self::from_file(path)?,
            None if Path::new(DEFAULT_FILE).exists() => Self::from_file(Path::new(DEFAULT_FILE))?,
            None => Self::default(),
        };
        env.values.extend(process_variables());
        Ok(env)
    }

    /// As [`load`](Self::load), but what cannot be used is left out instead of refused: for a program that must work when
    /// somebody has just broken the file. What is wrong comes beside it.
    pub fn salvage(env_file: Option<&Path>) -> (Self, Option<ConfigError>) {
        let problems = match Self::load(env_file) {
            Ok(env) => return (env, None),
            Err(problems) => problems,
        };
        let path = env_file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut env = Self::default();
        for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line)) {
            let origin = Origin::File { path: path.to_owned(), line: number };
            match assignment(line) {
                // As a shell would: the last one counts.
                Ok(Some((name, value))) => {
                    env.values.insert(name.to_owned(), (value, origin));
                }
                Ok(None) => {}
                // What forbids, or names the venue, is not forgotten because its line is broken: nobody can use this value.
                Err(_) => {
                    let name = line
                        .trim()
                        .trim_start_matches("export ")
                        .split('=')
                        .next()
                        .unwrap_or_default()
                        .trim();
                    if decides_where(name) {
                        env.values.insert(name.to_owned(), (UNREADABLE.to_owned(), origin));
                    }
                }
            }
        }
        env.values.extend(process_variables());
        (env, Some(problems))
    }

    /// Variables as if the process had them; for tests and for programs that bring their own.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), (value.to_owned(), Origin::Process));
        Self { values: pairs.into_iter().map(own).collect() }
    }

    /// The variables of a file. Errors as in [`load`](Self::load).
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        refuse_if_readable_by_others(path)?;
        let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut values: BTreeMap<String, (String, Origin)> = BTreeMap::new();
        let mut problems = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line)) {
            let place = format!("{}:{number}", path.display());
            match assignment(line) {
                Ok(None) => {}
                Ok(Some((name, value))) => {
                    if let Some(near) = misspelt(name) {
                        problems.push(Problem::new(
                            &place,
                            format!("{name}: unknown variable; nearest valid variable: {near}"),
                        ));
                    }
                    let origin = Origin::File { path: path.to_owned(), line: number };
                    if let Some((_, first)) = values.insert(name.to_owned(), (value, origin)) {
                        problems
                            .push(Problem::new(&place, format!("{name}: set twice; the first is {first}")));
                    }
                }
                Err(why) => problems.push(Problem::new(&place, why)),
            }
        }
        if problems.is_empty() { Ok(Self { values }) } else { Err(ConfigError { problems }) }
    }

    /// Tells one set of variables from another. Made of secrets too: for comparing, never shown or kept.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for (name, (value, _)) in &self.values {
            for part in [name, value] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        }
        digest.finalize().into()
    }

    /// A value. An empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(value, _)| value.as_str()).filter(|value| !value.trim().is_empty())
    }

    /// A copy of a value, in the form that credentials are read through.
    pub fn lookup(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// The same without some variables.
    pub(crate) fn without(&self, names: &[String]) -> Self {
        let mut left = self.clone();
        left.values.retain(|name, _| !names.contains(name));
        left
    }

    /// That variable alone, where it was set.
    pub(crate) fn only(&self, name: &str) -> Self {
        let found = self.values.get_key_value(name);
        Self { values: found.map(|(name, value)| (name.clone(), value.clone())).into_iter().collect() }
    }

    /// Where a variable was set: `environment`, or file and line.
    pub(crate) fn origin(&self, name: &str) -> String {
        self.values.get(name).map_or_else(|| "environment".to_owned(), |(_, origin)| origin.to_string())
    }

    /// Variables that begin with a prefix and are not empty.
    pub(crate) fn starting_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.values
            .range(prefix.to_owned()..)
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, (value, _))| (name.as_str(), value.trim()))
            .filter(|(_, value)| !value.is_empty())
    }

    /// `LOG_LEVEL` in our spelling; an unknown word is reported by [`switches`](Self::switches).
    pub(crate) fn log_level(&self) -> Option<&'static str> {
        level(self.get("LOG_LEVEL")?)
    }

    /// The operators' switches. Errors: one line for each that cannot be understood.
    pub fn switches(&self) -> Result<Switches, ConfigError> {
        let mut problems = Vec::new();
        let mut switch = |name: &str| match self.get(name).map(|text| (text, yes_or_no(text))) {
            None => None,
            Some((_, Some(yes))) => Some(yes),
            Some((text, None)) => {
                problems
                    .push(Problem::new(self.origin(name), format!("{name} = {text:?}: expected {SWITCH}")));
                None
            }
        };
        let (testnet, dry_run, safe_mode) =
            (switch("BINANCE_TESTNET"), switch("DRY_RUN"), switch("SAFE_MODE"));
        if let Some(text) = self.get("LOG_LEVEL").filter(|text| level(text).is_none()) {
            let near = nearest(text, LEVELS.iter().copied()).unwrap_or_default();
            let wanted = LEVELS.join(", ");
            let text = format!("LOG_LEVEL = {text:?}: expected {wanted}; nearest: {near}");
            problems.push(Problem::new(self.origin("LOG_LEVEL"), text));
        }
        if !problems.is_empty() {
            return Err(ConfigError { problems });
        }
        Ok(Switches {
            testnet,
            dry_run,
            safe_mode,
            installation: self.lookup("ENV"),
            state_root: PathBuf::from(self.get("EVENT_STORE_ROOT").unwrap_or("state")),
        })
    }
}

fn process_variables() -> impl Iterator<Item = (String, (String, Origin))> {
    // Names and values that are no text cannot be ours.
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.map(|(name, value)| (name, (value, Origin::Process)))
}

/// In place of a value whose line could not be understood.
const UNREADABLE: &str = "(a line that cannot be understood)";

/// Whether a variable forbids something or says where the venue is: nothing is done without knowing it.
pub(crate) fn decides_where(name: &str) -> bool {
    ["DRY_RUN", "SAFE_MODE", "BINANCE_TESTNET"].contains(&name) || name.starts_with("HEDGE__BINANCE__")
}

pub(crate) fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Also the words that Python's logging uses.
fn level(text: &str) -> Option<&'static str> {
    match text.trim().to_ascii_lowercase().as_str() {
        "critical" => Some("error"),
        "warning" => Some("warn"),
        other => LEVELS.iter().copied().find(|level| *level == other),
    }
}

/// The variable that was probably meant. Names that are far from ours belong to other programs.
fn misspelt(name: &str) -> Option<&'static str> {
    let names = VARIABLES.iter().map(|variable| variable.name);
    if names.clone().any(|known| known == name) || name.len() < 4 {
        return None;
    }
    let near = nearest(name, names)?;
    (crate::config::distance(name, near) <= 2 && near.len() > 4).then_some(near)
}

/// `NAME=value` of a line, `None` for blank lines and comments. Errors never show a value.
fn assignment(line: &str) -> Result<Option<(&str, String)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let Some((name, rest)) = line.split_once('=') else {
        return Err("not a line of the form NAME=value".to_owned());
    };
    let name = name.trim();
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if !is_name {
        return Err("the name before = may hold letters, digits and _ only".to_owned());
    }
    value(rest.trim_start()).map(|value| Some((name, value))).map_err(|why| format!("{name}: {why}"))
}

fn value(text: &str) -> Result<String, &'static str> {
    match text.chars().next() {
        Some('\'') => {
            let (inside, after) = text[1..].split_once('\'').ok_or("the quote ' is not closed")?;
            only_comment(after).map(|()| inside.to_owned())
        }
        Some('"') => double_quoted(&text[1..]),
        _ => Ok(without_comment(text).trim_end().to_owned()),
    }
}

fn double_quoted(text: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return only_comment(letters.as_str()).map(|()| value),
            '\\' => value.push(match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other @ ('"' | '\\' | '$')) => other,
                _ => return Err("after \\ in double quotes only n, t, \", \\ and $ may stand"),
            }),
            other => value.push(other),
        }
    }
    Err("the quote \" is not closed")
}

/// A `#` begins a comment at the start or after a space; inside a word it belongs to the value.
fn without_comment(text: &str) -> &str {
    if text.starts_with('#') {
        return "";
    }
    let comment = text.match_indices('#').find(|(at, _)| text[..*at].ends_with([' ', '\t']));
    comment.map_or(text, |(at, _)| &text[..at])
}

fn only_comment(after: &str) -> Result<(), &'static str> {
    let after = after.trim_start();
    if after.is_empty() || after.starts_with('#') {
        Ok(())
    } else {
        Err("something follows the closing quote")
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(path.display().to_string(), format!("cannot be read: {error}"))
}

/// Secrets stand in this file: nobody else may read or write it.
#[cfg(unix)]
fn refuse_if_readable_by_others(path: &Path) -> Result<(), Problem> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(|error| unreadable(path, &error))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let text = format!("others may access it (mode {mode:04o}); run: chmod 600 {}", path.display());
    Err(Problem::new(path.display().to_string(), text))
}

#[cfg(not(unix))]
fn refuse_if_readable_by_others(path: &Path) -> Result<(), Problem> {
    fs::metadata(path).map(|_| ()).map_err(|error| unreadable(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Env, ConfigError> {
        Env::parse(Path::new(".env"), text)
    }

    fn problem(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_has_names_values_quotes_and_comments() {
        let env = parse(
            "\u{feff}# comment\n\nA=1\r\nexport B = two words # comment\nC='# $kept' # comment\nD=\"a\\\"b\\n$c\"\nE=x#y\nF=\nG=#\n",
        )
        .unwrap();
        let value = |name: &str| env.values.get(name).map(|(value, _)| value.as_str());
        assert_eq!(value("A"), Some("1"));
        assert_eq!(value("B"), Some("two words"));
        assert_eq!(value("C"), Some("# $kept"));
        assert_eq!(value("D"), Some("a\"b\n$c"));
        assert_eq!(value("E"), Some("x#y"));
        assert_eq!((value("F"), value("G")), (Some(""), Some("")));
        assert_eq!(env.get("F"), None);
    }

    #[test]
    fn a_line_that_cannot_be_understood_is_named_without_its_value() {
        assert_eq!(problem("A=1\nsecret stuff"), ".env:2: not a line of the form NAME=value");
        assert_eq!(problem("A='secret"), ".env:1: A: the quote ' is not closed");
        assert_eq!(problem("A=\"secret"), ".env:1: A: the quote \" is not closed");
        assert_eq!(problem("A='secret' b"), ".env:1: A: something follows the closing quote");
        assert_eq!(problem("1A=secret"), ".env:1: the name before = may hold letters, digits and _ only");
        assert!(!problem("A=\"sec\\ret\"").contains("ret\""));
    }

    #[test]
    fn a_name_that_is_set_twice_is_refused() {
        assert_eq!(problem("A=1\nB=2\nA=3"), ".env:3: A: set twice; the first is .env:1");
    }

    #[test]
    fn a_misspelt_name_is_refused_and_other_programs_names_are_not() {
        assert_eq!(problem("DRYRUN=1"), ".env:1: DRYRUN: unknown variable; nearest valid variable: DRY_RUN");
        assert_eq!(
            problem("BINANCE_API_SECRT=x"),
            ".env:1: BINANCE_API_SECRT: unknown variable; nearest valid variable: BINANCE_API_SECRET"
        );
        assert!(parse("TELEGRAM_TOKEN_OF_OTHERS=x\nTZ=UTC\nHOME=/x\nLOG_FILE=/y\n").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_fix() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("hedge-desk-env-{}", std::process::id()));
        fs::write(&path, "A=1\n").unwrap();
        for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o644, false), (0o602, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match Env::from_file(&path) {
                Ok(env) => assert!(accepted && env.get("A") == Some("1"), "{mode:o}"),
                Err(error) => {
                    assert!(!accepted, "{error}");
                    let shown = path.display();
                    let wanted =
                        format!("{shown}: others may access it (mode {mode:04o}); run: chmod 600 {shown}");
                    assert_eq!(error.to_string(), wanted);
                }
            }
        }
        fs::remove_file(&path).unwrap();
        let missing = Env::from_file(&path).unwrap_err().to_string();
        assert!(missing.contains("cannot be read: "), "{missing}");
    }

    #[cfg(unix)]
    #[test]
    fn of_a_broken_file_that_others_can_read_the_rest_is_salvaged_and_the_trouble_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("hedge-env-salvage-{}", std::process::id()));
        fs::write(&path, "A_KEY=one\nnonsense\nBINANCE_API_KEY='k'\nA_KEY=two\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let (env, problems) = Env::salvage(Some(&path));
        assert_eq!((env.get("A_KEY"), env.get("BINANCE_API_KEY")), (Some("two"), Some("k")));
        assert!(problems.is_some());
        // What forbids is not forgotten because its line is broken.
        fs::write(&path, "export DRY_RUN='1\nA_KEY='one\n").unwrap();
        let (env, _) = Env::salvage(Some(&path));
        assert!(env.switches().unwrap_err().to_string().contains("DRY_RUN"));
        assert_eq!(env.get("A_KEY"), None);
        fs::remove_file(&path).unwrap();
        let (env, problems) = Env::salvage(Some(&path));
        assert_eq!(env.get("A_KEY"), None);
        assert!(problems.unwrap().to_string().contains("salvage"));
    }

    #[test]
    fn the_process_wins_over_the_file() {
        let mut env = parse("HOME=/from/file\nHEDGE_ONLY_IN_FILE=1").unwrap();
        env.values.extend(Env::from_pairs([("HOME", "/from/process")]).values);
        assert_eq!(env.get("HOME"), Some("/from/process"));
        assert_eq!(env.origin("HOME"), "environment");
        assert_eq!(env.origin("HEDGE_ONLY_IN_FILE"), ".env:2");
    }

    #[test]
    fn switches_are_words_for_yes_and_no_and_nothing_else() {
        let env = Env::from_pairs([
            ("DRY_RUN", "Yes"),
            ("BINANCE_TESTNET", "0"),
            ("SAFE_MODE", ""),
            ("ENV", "prod"),
        ]);
        let switches = env.switches().unwrap();
        let read = (switches.testnet, switches.dry_run, switches.safe_mode);
        assert_eq!(read, (Some(false), Some(true), None), "absent is not no");
        assert_eq!((switches.installation.as_deref(), switches.state_root), (Some("prod"), "state".into()));
        let error = Env::from_pairs([("DRY_RUN", "maybe"), ("LOG_LEVEL", "ifno")]).switches().unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment: DRY_RUN = \"maybe\": expected 1, 0, true, false, yes, no, on, off\n\
             environment: LOG_LEVEL = \"ifno\": expected error, warn, info, debug, trace; nearest: info"
        );
    }

    #[test]
    fn debug_shows_no_value() {
        let env = parse("BINANCE_API_KEY=hush").unwrap();
        assert_eq!(format!("{env:?}"), "{\"BINANCE_API_KEY\": \".env:1\"}");
    }
}
