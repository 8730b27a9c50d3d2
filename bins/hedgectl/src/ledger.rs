//! `hedgectl ledger`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hedge_core::{Symbol, Timestamp};
use hedge_desk::{
    env::Env,
    journal::parse_time,
    ledger::{ExportError, Pick, Topic, export_csv, ledger_file, rebuild},
};
use hedge_store::{
    StateDir,
    sqlite::{Copied, LedgerError, LedgerReader, Row, backup, restore},
};

use crate::{
    args::{StateArgs, symbol},
    failure::Failure,
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    Query(QueryArgs),
    /// Write tables as files for other programs.
    #[command(subcommand)]
    Export(ExportCommand),
    Backup(BackupArgs),
    Restore(RestoreArgs),
    Rebuild(RebuildArgs),
}

/// Ask the ledger: a usual question by its name, or SELECT in SQL.
///
/// One row a line, columns separated by tabs, names first; --json prints one object a line. May run beside an executor and
/// can change nothing. Money is exact decimal text: sum it with decimal_sum(x); utc(ns) shows an instant.
///
/// Example: hedgectl ledger query --fills --symbol BTCUSDT --from 2026-11-20
///
/// Example: hedgectl ledger query "SELECT symbol, decimal_sum(fee) FROM fills GROUP BY symbol"
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// SELECT in SQL. The tables: runs, operator_orders, orders, fills, positions, position_changes, nav, decisions,
    /// gate_checks, cash_flows.
    #[arg(value_name = "SQL", required_unless_present = "topic", conflicts_with = "topic")]
    sql: Option<String>,
    #[command(flatten)]
    topic: TopicArgs,
    /// From then on (UTC unless a zone is given).
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "topic")]
    from: Option<Timestamp>,
    /// Before then.
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "topic")]
    to: Option<Timestamp>,
    /// Of this symbol only.
    #[arg(long, value_name = "SYMBOL", value_parser = symbol, requires = "topic")]
    symbol: Option<Symbol>,
    /// The last N rows only.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "topic")]
    last: Option<u32>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    state: StateArgs,
}

/// A usual question.
#[derive(Debug, Args)]
#[group(id = "topic", multiple = false)]
pub(crate) struct TopicArgs {
    /// Our orders, by when they were decided.
    #[arg(long)]
    orders: bool,
    /// Executions, by the venue's time.
    #[arg(long)]
    fills: bool,
    /// What is held now.
    #[arg(long)]
    positions: bool,
    /// Equity and its parts, once a minute.
    #[arg(long)]
    nav: bool,
    /// What was seen, wanted, assessed and decided.
    #[arg(long)]
    decisions: bool,
    /// Every rule's answer about every opening.
    #[arg(long)]
    checks: bool,
    /// Funding, transfers and other flows.
    #[arg(long)]
    flows: bool,
    /// Starts of executors.
    #[arg(long)]
    runs: bool,
}

impl TopicArgs {
    fn topic(&self) -> Option<Topic> {
        let topics = [
            (self.orders, Topic::Orders),
            (self.fills, Topic::Fills),
            (self.positions, Topic::Positions),
            (self.nav, Topic::Nav),
            (self.decisions, Topic::Decisions),
            (self.checks, Topic::Checks),
            (self.flows, Topic::Flows),
            (self.runs, Topic::Runs),
        ];
        topics.into_iter().find(|(is_given, _)| *is_given).map(|(_, topic)| topic)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    Csv(CsvArgs),
}

/// Write every table into a folder as TABLE.csv, readable by its owner only. Files of the same name are replaced.
///
/// Example: hedgectl ledger export csv books/2026-11
#[derive(Debug, Args)]
pub(crate) struct CsvArgs {
    /// The folder.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    state: StateArgs,
}

/// Copy the ledger into one file, while an executor may be writing it. The copy is checked page by page.
///
/// Example: hedgectl ledger backup /mnt/backup/ledger-2026-11-20.sqlite
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The copy.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    state: StateArgs,
}

/// Put a copy in the place of the ledger. Every page and the schema of it are checked first; stop the executor before.
///
/// What the journal knows beyond the copy is added at the next start of the executor.
///
/// Example: hedgectl ledger restore /mnt/backup/ledger-2026-11-20.sqlite --force
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The copy.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the ledger that is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    state: StateArgs,
}

/// Build the ledger again from the journal. Nothing is lost by it: the ledger holds what the journal says.
///
/// Also makes the first one, for a journal from before store.ledger was switched on. Stop the executor before if it writes
/// one.
///
/// Example: hedgectl ledger rebuild
#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    #[command(flatten)]
    state: StateArgs,
}

pub(crate) fn run(command: &LedgerCommand) -> Result<(), Failure> {
    match command {
        LedgerCommand::Query(args) => query(args),
        LedgerCommand::Export(ExportCommand::Csv(args)) => csv(args),
        LedgerCommand::Backup(args) => {
            let ledger = ledger_file(&find(&args.state)?);
            tell(&backup(&ledger, &args.file, args.force)?);
            Ok(())
        }
        LedgerCommand::Restore(args) => {
            let ledger = ledger_file(&find(&args.state)?);
            tell(&restore(&args.file, &ledger, args.force)?);
            Ok(())
        }
        LedgerCommand::Rebuild(args) => {
            let dir = find(&args.state)?;
            let built = rebuild(&dir)?;
            let file = ledger_file(&dir);
            output::line(&format!(
                "{}: {} records, {} KB",
                file.display(),
                built.records,
                built.bytes / 1_024
            ));
            Ok(())
        }
    }
}

/// Finds the state directory and says on stderr which it is.
fn find(args: &StateArgs) -> Result<PathBuf, Failure> {
    let root = match &args.state_dir {
        Some(dir) => dir.clone(),
        None => Env::load(args.env.env_file.as_deref())?.switches()?.state_root,
    };
    let found = StateDir::resolve_for_tools(&root, args.state_dir.as_deref()).map_err(Failure::failed)?;
    eprintln!("{found}");
    Ok(found.dir.path().to_owned())
}

fn query(args: &QueryArgs) -> Result<(), Failure> {
    let sql = match (args.topic.topic(), &args.sql) {
        (Some(topic), _) => {
            let (from, to, symbol, last) = (args.from, args.to, args.symbol, args.last);
            if symbol.is_some() && !topic.has_symbol() {
                return Err(Failure::usage(
                    "--symbol does not go with --nav or --runs: they are of the whole account",
                ));
            }
            Pick { topic, from, to, symbol, last }.sql()
        }
        (None, Some(sql)) => sql.clone(),
        (None, None) => {
            return Err(Failure::usage("name a question, for example --fills, or give SELECT in SQL"));
        }
    };
    let reader = open(&find(&args.state)?)?;
    let mut heading = !args.json;
    let mut show = |row: Row<'_>| {
        if heading {
            heading = false;
            output::line(&row.columns.join("\t"));
        }
        if args.json {
            output::line(&row.json());
        } else {
            // A tab or a line end inside a text would look like a column or a row.
            let cells: Vec<String> =
                row.texts().iter().map(|text| text.replace(['\t', '\n', '\r'], " ")).collect();
            output::line(&cells.join("\t"));
        }
        Ok::<_, LedgerError>(())
    };
    reader.query(&sql, &mut show)?;
    if heading {
        output::line(&reader.columns(&sql)?.join("\t"));
    }
    Ok(())
}

fn csv(args: &CsvArgs) -> Result<(), Failure> {
    let reader = open(&find(&args.state)?)?;
    for file in export_csv(&reader, &args.dir)? {
        output::line(&format!("{}: {} rows", file.path.display(), file.rows));
    }
    Ok(())
}

fn open(state_dir: &Path) -> Result<LedgerReader, Failure> {
    Ok(LedgerReader::open(ledger_file(state_dir))?)
}

fn tell(copied: &Copied) {
    output::line(&format!(
        "{}: whole, up to record {}, {} KB",
        copied.to.display(),
        copied.next,
        copied.bytes / 1_024
    ));
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused { .. } | LedgerError::Query { .. } => Self::usage(error),
            LedgerError::Exists { .. } => Self::failed(error),
            error => Self::with_code(74, error),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Ledger(error) => error.into(),
            error @ ExportError::Io { .. } => Self::failed(error),
        }
    }
}
