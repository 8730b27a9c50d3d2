//! The command line.

use std::{num::NonZeroUsize, ops::Range};

use clap::Parser;
use hedge_testkit::swarm::Mutant;

/// Plays the engine against a simulated exchange, network, disk and clock that do everything wrong.
///
/// Each seed is one run: a subset of some fifty kinds of fault, two minutes of simulated trading, and an auditor that checks
/// nine invariants at every step. The same seed gives the same run.
#[derive(Debug, Parser)]
#[command(name = "hedge-swarm", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seeds to play: the first, and the first that is not played any more
    #[arg(long, value_name = "A..B", value_parser = range, required_unless_present_any = ["seed", "mutant"], conflicts_with = "seed")]
    pub(crate) seeds: Option<Range<u64>>,
    /// One seed
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Play a wrong engine instead of the real one; `list` prints the names
    #[arg(long, value_name = "NAME", value_parser = mutant)]
    pub(crate) mutant: Option<Choice>,
    /// Threads
    #[arg(long, value_name = "N", default_value_t = cores())]
    pub(crate) jobs: NonZeroUsize,
    /// Go on after a violation and count them all
    #[arg(long)]
    pub(crate) all: bool,
    /// With --seed: print what was planned and what happened, line by line
    #[arg(long, requires = "seed")]
    pub(crate) verbose: bool,
    /// With --seed: print the run's journal, one record a line
    #[arg(long, requires = "seed", conflicts_with = "verbose")]
    pub(crate) journal: bool,
    /// Print how often each fault took effect
    #[arg(long)]
    pub(crate) faults: bool,
}

const EXAMPLES: &str = "\
Exit codes:
  0  no violation
  1  a violation: the seed, what went wrong and the smallest list of events that leads there are printed
  2  a wrong argument

Examples:
  hedge-swarm --seeds 0..2000
  hedge-swarm --seed 17 --verbose
  hedge-swarm --seeds 0..2000 --mutant forget-fill
  hedge-swarm --mutant list";

/// What `--mutant` asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// The names.
    List,
    /// One of them.
    One(Mutant),
}

fn mutant(name: &str) -> Result<Choice, String> {
    if name == "list" {
        return Ok(Choice::List);
    }
    Mutant::parse(name)
        .map(Choice::One)
        .ok_or_else(|| "there is no such mutant; `hedge-swarm --mutant list` prints the names".to_owned())
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let bounds =
        text.split_once("..").and_then(|(a, b)| Some(a.trim().parse().ok()?..b.trim().parse().ok()?));
    match bounds {
        Some(Range { start, end }) if start < end => Ok(start..end),
        _ => Err("expected A..B with A below B, for example 0..2000".to_owned()),
    }
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_half_open_and_not_empty() {
        assert_eq!(range("3..7"), Ok(3..7));
        for wrong in ["", "7", "7..3", "7..7", "a..b", "-1..4", "1...4"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
