//! `hedgectl journal`.

use std::collections::VecDeque;

use hedge_core::{Envelope, RunStarted, Seq, Symbol};
use hedge_desk::{
    config::Config,
    env::Env,
    journal::{Engines, Head, JournalSource, Lines, verify},
};

use crate::{
    args::{HeadArgs, JournalCommand, ShowArgs, StateArgs, VerifyArgs},
    failure::Failure,
    output,
};

pub(crate) fn run(command: &JournalCommand) -> Result<(), Failure> {
    match command {
        JournalCommand::Verify(args) => check(args),
        JournalCommand::Show(args) => show(args),
        JournalCommand::Head(args) => head(args),
    }
}

/// Finds the journal and says on stderr which it is.
pub(crate) fn find(args: &StateArgs) -> Result<JournalSource, Failure> {
    let root = Env::load(args.env.env_file.as_deref())?.switches()?.state_root;
    let (source, says) = JournalSource::find(&root, args.state_dir.as_deref())?;
    eprintln!("{says}");
    Ok(source)
}

fn check(args: &VerifyArgs) -> Result<(), Failure> {
    let source = find(&args.state)?;
    let env = Env::load(args.state.env.env_file.as_deref())?;
    let config = Config::load(args.config.as_deref(), &env)?;
    let kept = match &source {
        JournalSource::State(journal) => journal.dir().parent().map(Engines::of_state_dir),
        JournalSource::Backtest(_) => None,
    };
    let engines = kept.unwrap_or_default().or(config);
    if let Some((seq, chain)) = &args.head {
        was_there(&source, *seq, chain)?;
    }
    let verified = verify(&source, &|run: &RunStarted, symbols: &[Symbol]| engines.fresh(run, symbols))?;
    if args.json {
        output::line(&serde_json::to_string(&verified)?);
    } else {
        output::line(&verified.to_string());
    }
    Ok(())
}

/// Whether the journal's chain has passed through a head that was noted earlier.
fn was_there(source: &JournalSource, seq: Seq, noted: &str) -> Result<(), Failure> {
    let JournalSource::State(journal) = source else {
        return Err(Failure::usage("a backtest's journal has no chain; compare its journal_sha256"));
    };
    match journal.chain_after(seq)? {
        Some(chain) if chain.link() == noted => Ok(()),
        Some(chain) => Err(Failure::failed(format!(
            "the chain after record {seq} is {chain}, but {noted} was noted: a record up to there was changed, and the \
             chain written anew"
        ))),
        None => Err(Failure::failed(format!(
            "record {seq} was noted, but the journal ends at {}: its last lines are missing",
            journal.next_seq()
        ))),
    }
}

fn head(args: &HeadArgs) -> Result<(), Failure> {
    let source = find(&args.state)?;
    let JournalSource::State(journal) = &source else {
        return Err(Failure::usage("a backtest's journal has no chain; its hash is in summary.json"));
    };
    let head = Head::of(journal.next_seq(), &journal.head())
        .ok_or_else(|| Failure::failed("the journal is empty"))?;
    output::line(&if args.json { serde_json::to_string(&head)? } else { head.to_string() });
    Ok(())
}

fn show(args: &ShowArgs) -> Result<(), Failure> {
    let source = find(&args.state)?;
    let mut lines = Lines::default();
    let mut kept: VecDeque<Envelope> = VecDeque::new();
    let mut printed = 0;
    for record in source.records()? {
        let record = record?;
        if args.to.is_some_and(|to| to.is_passed(&record)) {
            break;
        }
        match args.from {
            // From a place on: printed as it is read.
            Some(from) if from.is_reached(&record) => {
                if printed == args.limit {
                    break;
                }
                print(&record, &mut lines, args.json)?;
                printed += 1;
            }
            Some(_) => lines.learn(&record),
            // The last ones: kept until the end is known.
            None => {
                lines.learn(&record);
                kept.push_back(record);
                if kept.len() > args.limit {
                    kept.pop_front();
                }
            }
        }
    }
    kept.iter().try_for_each(|record| print(record, &mut lines, args.json))
}

fn print(record: &Envelope, lines: &mut Lines, json: bool) -> Result<(), Failure> {
    if json {
        output::line(&serde_json::to_string(record)?);
    } else {
        output::line(&lines.line(record));
    }
    Ok(())
}
