//! All four files and the variables, read together and checked against each other.

use std::{collections::BTreeMap, path::Path};

use hedge_core::{Decimal, Leverage, Symbol};
use hedge_risk::{DayCalendar, RiskLimits};
use hedge_strategy::config::{StrategiesConfig, UniverseConfig};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    calendar,
    check::{Checked, check_limits, check_strategies, check_universe},
    fence::FenceSection,
    files::{FileKind, Source, find, is_of_a_folder, read_one, strangers},
    outline::Outline,
    problem::{ConfigError, Problem, nearest},
    protect::{DeadmanSection, StopsSection},
    runtime::{
        BinanceSection, EngineSection, ForeignSection, HistorySection, JournalSection, PaperSection,
        PreflightSection, ReconcileSection, RuntimeConfig,
    },
    runtime_load::{self, RuntimeSources},
};
use crate::env::{Env, Switches};

/// Leverage of a symbol that no strategy and no override names.
const USUAL_LEVERAGE: u32 = 3;

/// The effective configuration: complete, checked, without secrets.
#[derive(Clone, Debug)]
pub struct Config {
    /// What may be traded.
    pub universe: UniverseConfig,
    /// What trades, and how.
    pub strategies: StrategiesConfig,
    /// What may be risked; the universe's own minima are filled in.
    pub limits: RiskLimits,
    /// How the process runs.
    pub runtime: RuntimeConfig,
    /// The operators' switches.
    pub switches: Switches,
    /// When a trading day begins: `DAILY_RESET_TZ` and `DAILY_RESET_HOUR`, resolved.
    pub calendar: DayCalendar,
    /// What a person should know although it can be used, one sentence each.
    pub notes: Vec<String>,
    pub(crate) files: [String; 4],
    pub(crate) sources: RuntimeSources,
}

/// What the hash covers.
#[derive(Serialize)]
struct Effective<'a> {
    universe: &'a UniverseConfig,
    strategies: &'a StrategiesConfig,
    limits: &'a RiskLimits,
    runtime: Decisive<'a>,
}

/// The sections of `runtime.toml` that matter to what is traded. What is logged, shown and sent to people is not among
/// them: a person's consent does not end because somebody wants more log lines.
#[derive(Serialize)]
struct Decisive<'a> {
    binance: &'a BinanceSection,
    engine: &'a EngineSection,
    stops: &'a StopsSection,
    deadman: &'a DeadmanSection,
    journal: JournalSection,
    #[serde(skip_serializing_if = "is_usual")]
    fence: &'a FenceSection,
    reconcile: &'a ReconcileSection,
    history: &'a HistorySection,
    preflight: &'a PreflightSection,
    foreign: &'a ForeignSection,
    paper: &'a PaperSection,
}

/// Configurations of before the section have the hash that they had.
fn is_usual(fence: &&FenceSection) -> bool {
    fence.is_default()
}

impl<'a> Decisive<'a> {
    fn of(runtime: &'a RuntimeConfig) -> Self {
        // Without `..`: whoever adds a section decides here where it belongs.
        let RuntimeConfig {
            binance,
            engine,
            stops,
            deadman,
            journal,
            store: _,
            fence,
            reconcile,
            history,
            views: _,
            log: _,
            preflight,
            foreign,
            telegram: _,
            heartbeat: _,
            paper,
        } = runtime;
        // How long old files stay plain text decides nothing.
        let journal = JournalSection { retention_days: 0, ..journal.clone() };
        Self {
            binance,
            engine,
            stops,
            deadman,
            journal,
            fence,
            reconcile,
            history,
            preflight,
            foreign,
            paper,
        }
    }
}

impl Config {
    /// Reads a folder, or a single file with the others beside it; without a path the folder `config`, or what is built in.
    ///
    /// Errors: every problem of every file that could be read, one line each.
    pub fn load(path: Option<&Path>, env: &Env) -> Result<Self, ConfigError> {
        Self::of_sources(find(path)?, strangers(path), env)
    }

    pub(crate) fn of_sources(
        [universe, strategies, limits, runtime]: [Source; 4],
        notes: Vec<String>,
        env: &Env,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let files = [&universe, &strategies, &limits, &runtime].map(|source| source.name.clone());
        let universe_name = universe.name.clone();
        let universe = keep(check_universe(&universe), &mut problems);
        let strategies_name = strategies.name.clone();
        let strategies = keep(check_strategies(&strategies), &mut problems);
        let limits_source = limits;
        let limits = keep(check_limits(&limits_source), &mut problems);
        let runtime = keep(runtime_load::load(&runtime.name, &runtime.text, env), &mut problems);
        let switches = keep(env.switches(), &mut problems);
        let calendar =
            limits.as_ref().and_then(|limits| keep(calendar_of(&limits_source.name, limits), &mut problems));
        if let (Some(universe), Some(strategies)) = (&universe, &strategies) {
            problems.extend(cross_checks(&strategies_name, universe, strategies));
            if let Some(limits) = &limits {
                let named = (universe_name.as_str(), universe, strategies_name.as_str(), strategies);
                problems.extend(leverage_checks(named, limits));
            }
        }
        match (universe, strategies, limits, runtime, switches, calendar) {
            (
                Some(universe),
                Some(strategies),
                Some(limits),
                Some(runtime),
                Some(switches),
                Some(calendar),
            ) if problems.is_empty() => {
                let universe = universe.value;
                let minima = universe.symbols.iter().filter_map(|s| Some((*s, universe.min_notional(s)?)));
                let mut limits = limits.value;
                limits.min_notional_by_symbol = minima.collect::<BTreeMap<_, _>>();
                let (runtime, sources) = runtime;
                let strategies = strategies.value;
                Ok(Self { universe, strategies, limits, runtime, switches, calendar, notes, files, sources })
            }
            _ => Err(ConfigError { problems }),
        }
    }

    /// SHA-256 over everything that decides how this process trades; secrets, and what only people read, are no part of it.
    pub fn hash(&self) -> String {
        let effective = Effective {
            universe: &self.universe,
            strategies: &self.strategies,
            limits: &self.limits,
            runtime: Decisive::of(&self.runtime),
        };
        let text = serde_json::to_string(&effective).unwrap_or_default();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What a symbol is set to at the venue: the override, else its strategies' leverage.
    pub fn leverage(&self, symbol: &Symbol) -> Leverage {
        let of_strategy = self.strategies.enabled().filter(|block| block.symbol == *symbol);
        self.universe
            .target_leverage(symbol)
            .or_else(|| of_strategy.filter_map(|block| block.leverage()).max())
            .or_else(|| Leverage::new(USUAL_LEVERAGE).ok())
            .unwrap_or(Leverage::ONE)
    }

    /// The name of a file in messages: its path, or that it is built in.
    pub fn file(&self, kind: FileKind) -> &str {
        &self.files[kind as usize]
    }
}

/// Checks a folder, or one file, and says what it found: a line a file. A file of a complete folder is also checked against
/// the files beside it. Errors: as [`Config::load`].
pub fn check(path: Option<&Path>, env: &Env) -> Result<String, ConfigError> {
    if let Some(file) = path.filter(|path| !path.is_dir()) {
        let source = read_one(file)?;
        if is_of_a_folder(file) {
            check_one(&source, env)?;
            Config::load(path, env)?;
        }
        return check_one(&source, env).map(|found| format!("{}: ok, {found}\n", source.name));
    }
    let config = Config::load(path, env)?;
    let mut report: String = config.notes.iter().map(|note| format!("warning: {note}\n")).collect();
    for source in find(path)? {
        report.push_str(&format!("{}: ok, {}\n", source.name, check_one(&source, env)?));
    }
    report.push_str(&format!("config_hash {}\n", config.hash()));
    Ok(report)
}

fn check_one(source: &Source, env: &Env) -> Result<String, ConfigError> {
    Ok(match source.kind {
        FileKind::Universe => format!("{} symbols", check_universe(source)?.value.symbols.len()),
        FileKind::Strategies => {
            let strategies = check_strategies(source)?.value;
            format!("{} strategies, {} enabled", strategies.strategies.len(), strategies.enabled().count())
        }
        FileKind::Limits => {
            let limits = check_limits(source)?;
            calendar_of(&source.name, &limits)?;
            let limits = limits.value;
            format!("halts at {} % drawdown, at most {} legs", limits.kill_dd_pct, limits.max_positions)
        }
        FileKind::Runtime => {
            let (runtime, _) = runtime_load::load(&source.name, &source.text, env)?;
            format!(
                "recv_window {} ms, protect within {} ms",
                runtime.binance.recv_window_ms, runtime.engine.protect_within_ms
            )
        }
    })
}

fn keep<T>(result: Result<T, ConfigError>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|mut error| problems.append(&mut error.problems)).ok()
}

fn calendar_of(name: &str, limits: &Checked<RiskLimits>) -> Result<DayCalendar, ConfigError> {
    let RiskLimits { daily_reset_tz, daily_reset_hour, .. } = &limits.value;
    calendar::resolve(daily_reset_tz, *daily_reset_hour).map_err(|why| {
        let line = line_of(&limits.outline, &["DAILY_RESET_TZ"]);
        Problem::new(format!("{name}:{line}"), format!("DAILY_RESET_TZ = {daily_reset_tz:?}: {why}")).into()
    })
}

fn line_of(outline: &Outline, path: &[&str]) -> usize {
    outline.at(path).map_or(1, |spot| spot.line)
}

/// Leverage that a symbol is set to at the venue stays within the operators' own bound.
fn leverage_checks(
    (universe_name, universe, strategies_name, strategies): (
        &str,
        &Checked<UniverseConfig>,
        &str,
        &Checked<StrategiesConfig>,
    ),
    limits: &Checked<RiskLimits>,
) -> Vec<Problem> {
    let bound = limits.value.max_leverage;
    // Below one it bounds the notional only: no venue has less than one.
    let is_above = |leverage: u32| Decimal::from(leverage) > bound.max(Decimal::ONE);
    let problem = |name: &str, outline: &Outline, keys: &[&str], path: String, leverage: u32| {
        let line = line_of(outline, keys);
        let wanted = format!("expected at most MAX_LEVERAGE = {} (risk_limits.json)", bound.normalize());
        Problem::new(format!("{name}:{line}"), format!("{path} = {leverage}: {wanted}"))
    };
    let mut problems = Vec::new();
    for (symbol, differs) in &universe.value.overrides {
        if let Some(leverage) = differs.target_leverage.filter(|leverage| is_above(*leverage)) {
            let keys = ["overrides", symbol.as_str(), "target_leverage"];
            problems.push(problem(universe_name, &universe.outline, &keys, keys.join("."), leverage));
        }
    }
    for (i, block) in strategies.value.strategies.iter().enumerate() {
        if is_above(block.leverage) {
            let index = i.to_string();
            let keys = ["strategies", &index, "leverage"];
            let path = format!("strategies[{i}].leverage");
            problems.push(problem(strategies_name, &strategies.outline, &keys, path, block.leverage));
        }
    }
    problems
}

/// What no single file can tell.
fn cross_checks(
    name: &str,
    universe: &Checked<UniverseConfig>,
    strategies: &Checked<StrategiesConfig>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut leverages: BTreeMap<Symbol, (u32, String)> = BTreeMap::new();
    for (i, block) in strategies.value.strategies.iter().enumerate() {
        let index = i.to_string();
        let mut problem = |key: &str, text: String| {
            let line = line_of(&strategies.outline, &["strategies", &index, key]);
            problems.push(Problem::new(format!("{name}:{line}"), format!("strategies[{i}].{key}{text}")));
        };
        if !universe.value.symbols.contains(&block.symbol) {
            let symbols = universe.value.symbols.iter().map(Symbol::as_str);
            let near = nearest(block.symbol.as_str(), symbols).unwrap_or_default();
            let wanted = "expected a symbol of pairs_universe.json";
            problem("symbol", format!(" = \"{}\": {wanted}; nearest: {near}", block.symbol));
        }
        let is_overridden = universe.value.target_leverage(&block.symbol).is_some();
        if block.enabled && !is_overridden {
            let own = (block.leverage, block.name.to_string());
            let first = leverages.entry(block.symbol).or_insert_with(|| own.clone());
            if first.0 != own.0 {
                let wanted = format!(
                    "expected {} as in strategy {}: a symbol has one leverage; set target_leverage in pairs_universe.json",
                    first.0, first.1
                );
                problem("leverage", format!(" = {}: {wanted}", own.0));
            }
        }
    }
    problems
}
