//! `hedgectl incident`.

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hedge_core::{Envelope, RunStarted, Symbol, Timestamp};
use hedge_desk::{
    config::Config,
    env::Env,
    incident::{self, Contents, IncidentError, Manifest, Opened, Redactor, Verdict, Wanted},
    journal::{Compared, Head, JournalSource, Place, ReplayError, cut_words, replay},
};
use serde_json::json;

use crate::{
    args::EnvFile,
    failure::Failure,
    output,
    replay::{Progress, Run, words},
};

/// How long before and after an incident its log is of interest. Units: nanoseconds.
const AROUND_NS: i64 = 60_000_000_000;
/// How the names of packs end.
const ENDING: &str = ".tar.gz";

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentCommand {
    Pack(PackArgs),
    Test(TestArgs),
    Show(ShowArgs),
}

/// Put an incident into one file: what the run was told, what it decided, its configuration, its log.
///
/// Keys, tokens, hosts, paths and chats are taken out. The records before --from are put in too: what a run knows is all of
/// them. Equal input makes equal bytes. A file that is there is not overwritten.
///
/// Example: hedgectl incident pack last --from "2026-11-20 03:00" --to "2026-11-20 04:00"
#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// A state directory, `last`, or the name of a paper run. Default: `state` (EVENT_STORE_ROOT) when a live profile owns
    /// it, else `state/paper/last`.
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Where the incident begins: a record number or a time.
    #[arg(long, value_name = "PLACE", value_parser = Place::parse)]
    from: Option<Place>,
    /// The last record, or the last one before that time. Default: the journal's end.
    #[arg(long, value_name = "PLACE", value_parser = Place::parse)]
    to: Option<Place>,
    /// The file. Default: incident-PROFILE-FROM-TO.tar.gz in this folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The log of which the incident's time, and a minute around it, is put in. Default: the configured log file, if there is one.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The configuration folder that the run had, where it keeps none of its own. Default: `config`, else what is built in.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    env: EnvFile,
}

/// Make the decisions of a pack again with this program, and compare every one.
///
/// Exits with 0 when all are the same, 1 when one differs, 74 when a pack is damaged, 78 when this program cannot use its
/// configuration. Of a folder every pack is tested; one without packs fails.
///
/// Example: hedgectl incident test incidents/
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// A pack, or a folder of packs.
    #[arg(value_name = "PACK")]
    pack: PathBuf,
    /// One JSON object a pack.
    #[arg(long)]
    json: bool,
}

/// Check a pack and print what is in it.
///
/// Example: hedgectl incident show incident-paper-5400-5460.tar.gz
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The pack.
    #[arg(value_name = "PACK")]
    pack: PathBuf,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &IncidentCommand) -> Result<(), Failure> {
    match command {
        IncidentCommand::Pack(args) => pack(args),
        IncidentCommand::Test(args) => test(args),
        IncidentCommand::Show(args) => show(args),
    }
}

fn failure(error: &IncidentError) -> Failure {
    Failure::with_code(error.exit_code(), error)
}

fn pack(args: &PackArgs) -> Result<(), Failure> {
    let env_file = args.env.env_file.as_deref();
    let run = Run::find(args.run.as_deref(), args.config.as_deref(), env_file)?;
    let JournalSource::State(journal) = &run.source else {
        return Err(Failure::usage(
            "a backtest is its data and its configuration: run it again instead of packing it",
        ));
    };
    let env = Env::load(env_file)?;
    let records = run.records(args.to)?;
    let journal_head = match records.last() {
        Some(last) => journal.chain_after(last.seq)?.and_then(|chain| Head::of(last.seq.next(), &chain)),
        None => None,
    };
    let log = log_of(args, &records, &env)?;
    let owner = run.owner();
    let contents = Contents {
        records: &records,
        journal_head,
        owner: &owner,
        engines: &run.engines,
        log: log.as_deref(),
    };
    let redactor = redactor(&env, journal.dir());
    let mut progress = Progress::new(records.len() as u64);
    let wanted = Wanted { from: args.from, redactor: &redactor };
    let packed = incident::pack(&contents, wanted, &mut |done| progress.say(done));
    progress.clear();
    let packed = packed.map_err(|error| failure(&error))?;
    let manifest = &packed.manifest;
    let name = || format!("incident-{}-{}-{}{ENDING}", owner.profile, manifest.from.seq, manifest.to.seq);
    let out = args.out.clone().unwrap_or_else(|| name().into());
    incident::save(&packed, &out).map_err(|error| failure(&error))?;
    if args.json {
        output::line(&json!({"file": out.display().to_string(), "manifest": manifest}).to_string());
    } else {
        output::line(&told(manifest));
        output::line(&out.display().to_string());
    }
    Ok(())
}

/// What must not leave this machine.
fn redactor(env: &Env, journal: &Path) -> Redactor {
    let mut redactor = Redactor::new().and_of_env(env);
    let folders = [
        journal.parent().and_then(|dir| fs::canonicalize(dir).ok()),
        std::env::current_dir().ok(),
        std::env::var_os("HOME").map(PathBuf::from),
    ];
    for folder in folders.into_iter().flatten().filter(|folder| folder.components().count() > 1) {
        redactor = redactor.and_path(&folder);
    }
    match fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) => redactor.and_host(&name),
        Err(_) => redactor,
    }
}

/// What the log says of the incident's time and a minute around it.
fn log_of(args: &PackArgs, records: &[Envelope], env: &Env) -> Result<Option<String>, Failure> {
    let configured =
        || Config::load(args.config.as_deref(), env).ok().and_then(|config| config.runtime.log.file);
    let Some(path) = args.log.clone().or_else(configured) else { return Ok(None) };
    let first = records.iter().find(|record| args.from.is_none_or(|from| from.is_reached(record)));
    let (Some(first), Some(last)) = (first, records.last()) else { return Ok(None) };
    let begin = Timestamp::from_ns(first.at.ns().saturating_sub(AROUND_NS));
    let end = Timestamp::from_ns(last.at.ns().saturating_add(AROUND_NS));
    match File::open(&path).and_then(|file| incident::log_between(BufReader::new(file), begin, end)) {
        Ok(text) => Ok(Some(text)),
        // A configured log that nobody has written yet is none.
        Err(error) if args.log.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("{} cannot be read: {error}", path.display()))),
    }
}

fn told(manifest: &Manifest) -> String {
    let verdict = match &manifest.verdict {
        Verdict::Same => "a replay makes every decision again".to_owned(),
        Verdict::Different { seq } => format!("a replay differs at record {seq}"),
        Verdict::NotReplayed { because } => format!("it was not replayed: {because}"),
    };
    let redacted = match manifest.redacted {
        0 => "no record was redacted".to_owned(),
        1 => "1 record was redacted".to_owned(),
        count => format!("{count} records were redacted"),
    };
    let cut = cut_words(manifest.cut_short);
    format!("{} records up to {}; {redacted}; {verdict}{cut}", manifest.records, manifest.to.seq)
}

fn test(args: &TestArgs) -> Result<(), Failure> {
    let packs = if args.pack.is_dir() { packs_of(&args.pack)? } else { vec![args.pack.clone()] };
    let mut failed: Vec<Failure> = Vec::new();
    for path in &packs {
        let name = path.display();
        match test_one(path) {
            Ok((manifest, compared)) => {
                if args.json {
                    let same = compared.difference.is_none();
                    output::line(&json!({"pack": name.to_string(), "same": same, "compared": compared, "manifest": manifest}).to_string());
                } else {
                    output::line(&format!("{name}: {}", words(&compared)));
                }
                if let Some(difference) = &compared.difference {
                    failed.push(Failure::failed(format!("{name}: {}", difference.words())));
                }
            }
            Err(failure) => {
                if args.json {
                    output::line(
                        &json!({"pack": name.to_string(), "error": failure.to_string()}).to_string(),
                    );
                } else {
                    output::line(&format!("{name}: NOT TESTED"));
                }
                failed.push(failure);
            }
        }
    }
    let count = failed.len();
    let Some(first) = failed.pop() else { return Ok(()) };
    // The first complaint of each is worth its lines; the code is that of the last one.
    let all: Vec<String> = failed.iter().chain([&first]).map(ToString::to_string).collect();
    let end =
        if packs.len() > 1 { format!("\n{count} of {} packs failed", packs.len()) } else { String::new() };
    Err(first.saying(format!("{}{end}", all.join("\n"))))
}

fn test_one(path: &Path) -> Result<(Manifest, Compared), Failure> {
    let Opened { manifest, records, engines, .. } = incident::open(path).map_err(|error| failure(&error))?;
    let fresh = |run: &RunStarted, symbols: &[Symbol]| engines.fresh(run, symbols);
    let mut progress = Progress::new(manifest.records);
    let compared = replay(&records, &fresh, None, &mut |done| progress.say(done));
    progress.clear();
    match compared {
        Ok(compared) => Ok((manifest, compared)),
        Err(error @ ReplayError::NoEngine(_)) => {
            Err(Failure::configuration(format!("{}: nothing was replayed: {error}", path.display())))
        }
        Err(error) => Err(Failure::failed(format!("{}: nothing was replayed: {error}", path.display()))),
    }
}

/// The packs of a folder, by name.
fn packs_of(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error| Failure::failed(format!("{} cannot be read: {error}", folder.display()));
    let mut packs = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(ENDING) && !name.starts_with('.') {
            packs.push(path);
        }
    }
    packs.sort();
    if packs.is_empty() {
        return Err(Failure::failed(format!(
            "{} has no pack, a file whose name ends with {ENDING}",
            folder.display()
        )));
    }
    Ok(packs)
}

fn show(args: &ShowArgs) -> Result<(), Failure> {
    let Opened { manifest, log, .. } = incident::look(&args.pack).map_err(|error| failure(&error))?;
    if args.json {
        output::line(&serde_json::to_string(&manifest)?);
        return Ok(());
    }
    let at = |mark: &incident::Mark| format!("record {}, {}", mark.seq, mark.at);
    let mut lines = vec![
        format!("whole     {} members fit their sums", manifest.members.len()),
        format!("account   {} on {}", manifest.profile, manifest.venue),
        format!("from      {}", at(&manifest.from)),
        format!("to        {}", at(&manifest.to)),
        format!("made      by version {}: {}", manifest.version, told(&manifest)),
        format!("head      {}", manifest.head),
    ];
    match &manifest.journal_head {
        Some(head) if *head != manifest.head => lines.push(format!("journal   {head} was the run's own")),
        Some(_) => lines.push("journal   the lines are the run's own: its head is the same".to_owned()),
        None => {}
    }
    for process in &manifest.processes {
        let hash = process.config_hash.get(..12).unwrap_or(&process.config_hash);
        lines.push(format!(
            "process   from {}: version {}, configuration {hash}",
            at(&process.from),
            process.version
        ));
    }
    for member in &manifest.members {
        lines.push(format!("member    {} of {} bytes, {}", member.name, member.size, member.sha256));
    }
    if let Some(log) = log {
        lines.push(format!("log       {} lines", log.lines().count()));
    }
    output::line(&lines.join("\n"));
    Ok(())
}
