//! The command line. Every value is checked here, so that a bad one is refused before anything is read.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, error::ErrorKind};
use hedge_core::{PositionSide, Seq, Symbol, Timestamp};
use hedge_desk::{
    consent::Days,
    journal::{Place, parse_time},
};

use crate::market::MarketArgs;

/// Ask, check and command from a shell: before, during and after a night.
///
/// Exit codes: 0 done, 1 the thing asked for failed, 2 wrong arguments, 10 a preflight check failed, 13 not flat, 74 the
/// journal cannot be read or written, 75 another process leads this account, 78 the configuration or the profile cannot be
/// used.
#[derive(Debug, Parser)]
#[command(name = "hedgectl", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(StatusArgs),
    /// Let nobody decide anything new, until resume.
    ///
    /// Closes, cancels and protective stops still go out. The order stands over restarts; without a running executor it is
    /// written into the journal and holds from the next start on.
    ///
    /// Example: hedgectl halt the exchange behaves oddly
    Halt(OrderArgs),
    /// Open nothing, until resume.
    ///
    /// Strategies still close what they hold. The order stands over restarts; without a running executor it is written into
    /// the journal and holds from the next start on.
    ///
    /// Example: hedgectl exit-only news at 14:30
    ExitOnly(OrderArgs),
    /// Lift a halt or exit-only. Wants a reason.
    ///
    /// Also lifts a tripped drawdown breaker, which then counts from the equity of this moment on. The loss of a day ends
    /// with the day only.
    ///
    /// Example: hedgectl resume the exchange is fine again
    Resume(OrderArgs),
    Flatten(FlattenArgs),
    Preflight(PreflightArgs),
    Arm(ArmArgs),
    Disarm(DisarmArgs),
    Doctor(DoctorArgs),
    Backtest(BacktestArgs),
    Sweep(crate::sweep::SweepArgs),
    #[command(subcommand)]
    Data(crate::data::DataCommand),
    Why(WhyArgs),
    Decode(crate::decode::DecodeArgs),
    #[command(subcommand)]
    Request(crate::request::RequestCommand),
    #[command(subcommand)]
    Probe(crate::probe::ProbeCommand),
    #[command(subcommand)]
    Drill(crate::drill::DrillCommand),
    /// Check or read the journal.
    #[command(subcommand)]
    Journal(JournalCommand),
    Replay(crate::replay::ReplayArgs),
    /// Pack an incident into one file, and test it with today's program.
    #[command(subcommand)]
    Incident(crate::incident::IncidentCommand),
    /// Ask, copy or build again the ledger: the journal as tables.
    #[command(subcommand)]
    Ledger(crate::ledger::LedgerCommand),
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
    #[command(flatten)]
    pub(crate) market: MarketArgs,
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
    Head(HeadArgs),
}

/// Check every record and the chain that holds them together, then make the decisions again from the facts.
///
/// Names the first bad record by file, line and number. Exits with 1 when a decision differs or a noted head does not fit, with
/// 74 when a line is damaged or cannot be read. Decisions are made again with the configuration that the run kept.
///
/// Example: hedgectl journal verify --state-dir state/paper/last
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The configuration folder that the run had, where it keeps none of its own. Default: `config`, else what is built in.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// A head that was noted earlier, as `journal head` prints it: the journal must have been there once.
    #[arg(long, value_name = "RECORD:CHAIN", value_parser = noted_head)]
    pub(crate) head: Option<(Seq, String)>,
    /// As one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Print the last record's number and the chain after it: noted elsewhere, it shows later that nothing before was changed.
///
/// Whoever can write the journal can write all of it anew, and whole lines may be missing at its end: neither fits a head
/// that was noted before. Check with hedgectl journal verify --head.
///
/// Example: hedgectl journal head --state-dir state
#[derive(Debug, Args)]
pub(crate) struct HeadArgs {
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

/// Show legs, stops, orders, posture and why, since when.
///
/// Asks the running executor at its control socket; without one the journal is read, without its lock.
///
/// Example: hedgectl status
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// As one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) config: ConfigDir,
}

/// An order to whoever trades.
#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    /// Why, in words; everybody who looks later reads them.
    #[arg(value_name = "BECAUSE", num_args = 0.., value_parser = reason)]
    pub(crate) because: Vec<String>,
    /// Who orders. Default: the user of this shell.
    #[arg(long, value_name = "NAME", value_parser = operator)]
    pub(crate) operator: Option<String>,
    /// As one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) config: ConfigDir,
}

/// Close every leg at the market, and open nothing until resume.
///
/// The running executor closes; without one this command closes at the venue itself, behind the fence that keeps an executor
/// from starting meanwhile. Waits until everything is flat; exits with 13 when it is not within --within. Asks first on a
/// terminal; elsewhere it needs --yes. When the executor hangs or the disk is full, use hedge-panic-close.
///
/// Example: hedgectl flatten --yes over the weekend
#[derive(Debug, Args)]
pub(crate) struct FlattenArgs {
    #[command(flatten)]
    pub(crate) order: OrderArgs,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// How long to wait for flat, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) within: u64,
}

/// Look at everything that must hold before a start: account, market, what is open, risk, disk.
///
/// Changes nothing and needs no lock: it may run beside an executor. Each check says what was expected, what was found and
/// what to do. Exits with 10 when one failed; warnings do not count.
///
/// Example: hedgectl preflight --profile mainnet-dry
#[derive(Debug, Args)]
pub(crate) struct PreflightArgs {
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// As one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which profile, with which configuration, in which state directory.
#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    /// paper, testnet, mainnet-dry or mainnet. Default: paper.
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,
    /// State directory. Default: `state` (EVENT_STORE_ROOT); for paper its last run.
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigDir,
    #[command(flatten)]
    pub(crate) env: EnvFile,
}

/// Which configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigDir {
    /// Configuration folder. Default: `config`, else what is built in.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
}

/// Consent to trade real money, for this account and this configuration, until a date.
///
/// Runs the preflight first, shows what is consented to, and asks for a phrase on a terminal. Then an executor may restart
/// unattended as long as account, host, key and configuration stay the same. Other profiles need no consent.
///
/// Example: hedgectl arm --profile mainnet --days 7 --operator ann
#[derive(Debug, Args)]
pub(crate) struct ArmArgs {
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// For how many days, 1 to 30.
    #[arg(long, value_name = "N", default_value_t = Days::default())]
    pub(crate) days: Days,
    /// Who consents. Default: the user of this shell.
    #[arg(long, value_name = "NAME", value_parser = operator)]
    pub(crate) operator: Option<String>,
    /// For practice: ask and write a consent for an exchange on this machine too. It counts for that exchange only.
    #[arg(long)]
    pub(crate) rehearse: bool,
}

/// Take the consent back: the next start opens nothing. An executor that runs goes on; halt it with hedgectl halt.
///
/// Example: hedgectl disarm
#[derive(Debug, Args)]
pub(crate) struct DisarmArgs {
    /// State directory. Default: `state` (EVENT_STORE_ROOT).
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) env: EnvFile,
}

/// Look whether this machine is fit to run an executor: files, variables, disk, clock, hosts, the executor itself.
///
/// Changes nothing. Keys are looked for, never shown. Exits with 1 when a check failed.
///
/// Example: hedgectl doctor --profile mainnet
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// Send nothing anywhere.
    #[arg(long)]
    pub(crate) offline: bool,
    /// As one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
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

pub(crate) fn symbol(text: &str) -> Result<Symbol, String> {
    Symbol::parse(text).map_err(|error| error.to_string())
}

/// `5451:92a4f1c07d0be1b5a1f0c3b2e8d97a64`.
fn noted_head(text: &str) -> Result<(Seq, String), String> {
    let expected = || "expected a record and its chain as `journal head` prints them, 5451:92a4…".to_owned();
    let (seq, chain) = text.split_once(':').ok_or_else(expected)?;
    let is_chain =
        chain.len() == 32 && chain.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let seq = seq.parse().map_err(|_| expected())?;
    if is_chain { Ok((Seq(seq), chain.to_owned())) } else { Err(expected()) }
}

fn side(text: &str) -> Result<PositionSide, String> {
    PositionSide::BOTH
        .into_iter()
        .find(|side| side.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| "expected LONG or SHORT".to_owned())
}

/// A word of a reason: nothing that would move a terminal's cursor at three in the morning.
fn reason(text: &str) -> Result<String, String> {
    printable(text, 500, "a reason of printable characters, at most 500")
}

fn operator(text: &str) -> Result<String, String> {
    printable(text, 64, "a name of printable characters, at most 64")
}

fn printable(text: &str, longest: usize, expected: &str) -> Result<String, String> {
    let text = text.trim();
    let is_printable = !text.is_empty() && !text.chars().any(char::is_control);
    if is_printable && text.chars().count() <= longest {
        Ok(text.to_owned())
    } else {
        Err(format!("expected {expected}"))
    }
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
    fn a_reason_is_its_words_and_no_control_characters() {
        let because = |words: &[&str]| {
            let line = ["hedgectl", "halt"].iter().chain(words).copied().collect::<Vec<_>>();
            Cli::try_parse_from(line).map(|cli| match cli.command {
                Command::Halt(args) => args.because.join(" "),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(because(&["too", "deep"]).unwrap(), "too deep");
        assert_eq!(because(&["too deep"]).unwrap(), "too deep");
        assert_eq!(because(&[]).unwrap(), "");
        for bad in ["a\nb", "\u{1b}[2J", " "] {
            assert!(because(&[bad]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_consent_lasts_thirty_days_at_most() {
        assert!(Cli::try_parse_from(["hedgectl", "arm", "--days", "30"]).is_ok());
        let error = Cli::try_parse_from(["hedgectl", "arm", "--days", "31"]).unwrap_err().to_string();
        assert!(one_line(&error).contains("expected 1 to 30 days"), "{error}");
    }

    #[test]
    fn a_usage_error_is_one_line() {
        let error = Cli::try_parse_from(["hedgectl", "backtest", "--dat", "x"]).unwrap_err().to_string();
        let line = one_line(&error);
        assert!(line.starts_with("error: ") && !line.contains('\n') && line.contains("--dat"), "{line}");
    }
}
