//! The command line. Every value is checked here, so that a bad one is refused before anything is read.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, error::ErrorKind};
use hedge_core::{PositionSide, Symbol, Timestamp};
use hedge_desk::journal::{Place, parse_time};

/// Ask and check from a shell: backtests, reasons, the journal, the configuration.
///
/// Exit codes: 0 done, 1 the thing asked for failed, 2 wrong arguments, 74 the journal cannot be read, 78 the configuration
/// cannot be used.
#[derive(Debug, Parser)]
#[command(name = "hedgectl", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Backtest(BacktestArgs),
    Why(WhyArgs),
    /// Check or read the journal.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Check, show or explain the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Play recorded bars against the simulated exchange and sum up.
///
/// The last line on stdout is the summary as one JSON object; everything else goes to stderr. The same data and
/// configuration give the same journal, and so the same journal_sha256.
///
/// Example: hedgectl backtest --data data/binance_um/klines_15m --symbols BTCUSDT,ETHUSDT --out run1
#[derive(Debug, Args)]
pub(crate) struct BacktestArgs {
    /// A kline file, a folder of klines, or a venue's folder with klines_* folders. `../funding` and `../mark_8h` beside
    /// the klines are used too.
    #[arg(long, value_name = "PATH")]
    pub(crate) data: PathBuf,
    /// Which symbols, separated by commas. Default: every symbol of the universe that the data has.
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = symbol)]
    pub(crate) symbols: Option<Vec<Symbol>>,
    /// Configuration folder. Default: `config`, else what is built in.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// An exchangeInfo file with the symbols' rules. Default: the folder `../../instruments` beside the klines, else a
    /// built-in table.
    #[arg(long, value_name = "FILE")]
    pub(crate) instruments: Option<PathBuf>,
    /// First bar to play, warm-up included (UTC unless a zone is given), for example 2024-02-15.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) from: Option<Timestamp>,
    /// First bar not to play any more.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) to: Option<Timestamp>,
    /// Write journal.jsonl, summary.json, equity.csv and report.html into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// No table on stderr; notes and warnings stay.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) env: EnvFile,
}

/// Where variables come from besides the process.
#[derive(Debug, Args)]
pub(crate) struct EnvFile {
    /// File with variables; only its owner may be able to read it. Default: `.env` if it is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
}

/// Explain in words why a leg is, or is not, where it is.
///
/// Tells the last readings, what was wanted, every gate check, the orders and their fate, posture and mutes.
///
/// Example: hedgectl why BTCUSDT LONG --at "2026-11-20 03:15"
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// Which symbol.
    #[arg(value_parser = symbol)]
    pub(crate) symbol: Symbol,
    /// LONG or SHORT.
    #[arg(value_parser = side)]
    pub(crate) side: PositionSide,
    /// As of then (UTC unless a zone is given). Default: the end of the journal.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) at: Option<Timestamp>,
    /// As JSON, with the raw records.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Which state directory.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// State directory, or the folder of a backtest. Default: `state` (EVENT_STORE_ROOT) when a live profile owns it, else
    /// `state/paper/last`.
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) env: EnvFile,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    Verify(VerifyArgs),
    Show(ShowArgs),
}

/// Check every record, then feed the facts to fresh engines and compare the decisions.
///
/// Names the first bad record. Exits with 1 when a decision differs, with 74 when a line is damaged or cannot be read. Decisions can only be replayed with the configuration that the run had.
///
/// Example: hedgectl journal verify --state-dir state/paper/last
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The configuration folder that the run had. Default: `config`, else what is built in.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// As one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Print records, one line each: number, time, cause, and what happened.
///
/// Example: hedgectl journal show --from "2026-11-20 03:00" --limit 40
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// First record: a number or a time.
    #[arg(long, value_name = "PLACE", value_parser = Place::parse)]
    pub(crate) from: Option<Place>,
    /// Last record: a number or a time.
    #[arg(long, value_name = "PLACE", value_parser = Place::parse)]
    pub(crate) to: Option<Place>,
    /// At most so many records: the first from --from on, else the last ones.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    /// The records themselves, one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration; one line for each problem, with file, line, key and what is expected.
    ///
    /// Example: hedgectl config check --config config/risk_limits.json
    Check(ConfigArgs),
    /// Show the effective configuration with the origin of each value. Secrets are named, never shown.
    ///
    /// Example: hedgectl config show --config config
    Show(ConfigArgs),
    Explain(ExplainArgs),
}

/// The configuration to look at.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// A configuration folder, or one file of it. Default: `config`, else what is built in.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) env: EnvFile,
}

/// Explain a key: unit, range, default, and why one would change it.
///
/// Example: hedgectl config explain KILL_DD_PCT
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A key of any file, or a variable.
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
}

fn symbol(text: &str) -> Result<Symbol, String> {
    Symbol::parse(text).map_err(|error| error.to_string())
}

fn side(text: &str) -> Result<PositionSide, String> {
    PositionSide::BOTH
        .into_iter()
        .find(|side| side.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| "expected LONG or SHORT".to_owned())
}

/// Parses the process's arguments. What cannot be used is told in one line.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            crate::output::print(&error.to_string());
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprint!("{error}");
            ExitCode::from(2)
        }
        _ => {
            eprintln!("{}", one_line(&error.to_string()));
            ExitCode::from(2)
        }
    })
}

/// The error and its tips in one line, without the usage.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .collect();
    format!("{}; see hedgectl --help", words.join(" "))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                assert!(argument.get_help().is_some() || matches!(id, "help" | "version"), "{id}");
            }
            if command.get_subcommands().next().is_none() {
                let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
                assert!(long.contains("Example: hedgectl "), "{}: {long}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn a_usage_error_is_one_line() {
        let error = Cli::try_parse_from(["hedgectl", "backtest", "--dat", "x"]).unwrap_err().to_string();
        let line = one_line(&error);
        assert!(line.starts_with("error: ") && !line.contains('\n') && line.contains("--dat"), "{line}");
    }
}
