//! `hedgectl journal`.

use std::collections::VecDeque;

use hedge_core::{Engine, Envelope, RunStarted, Symbol};
use hedge_desk::{
    compose::compose,
    config::Config,
    env::Env,
    journal::{JournalSource, Lines, verify},
};

use crate::{
    args::{JournalCommand, ShowArgs, StateArgs, VerifyArgs},
    failure::Failure,
    output,
};

pub(crate) fn run(command: &JournalCommand) -> Result<(), Failure> {
    match command {
        JournalCommand::Verify(args) => check(args),
        JournalCommand::Show(args) => show(args),
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
    let verified = verify(&source, &|run, symbols| engine_of(&config, run, symbols))?;
    if args.json {
        output::line(&serde_json::to_string(&verified)?);
    } else {
        output::line(&verified.to_string());
    }
    Ok(())
}

/// The engine that a process of the journal ran, if this is the configuration it had.
fn engine_of(config: &Config, run: &RunStarted, symbols: &[Symbol]) -> Result<Engine, String> {
    let (recorded, given) = (&run.config_hash, config.hash());
    if *recorded != given {
        let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_owned();
        return Err(format!(
            "the run had configuration {}, this one is {}; name the one it had with --config",
            short(recorded),
            short(&given)
        ));
    }
    compose(config, symbols).map(|composition| composition.engine).map_err(|error| error.to_string())
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
