//! Flat: waited for where an executor closes, done here where none runs.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use hedge_core::{OperatorCommand, Symbol, Term};
use hedge_runtime::{
    Fence,
    control::{Answer, AskError, Request, Status, ask},
};
use hedge_store::ControlDir;
use tokio::{sync::watch, time::Instant};

use super::{
    Folded, OperateError,
    order::{PROGRAM, by_journal},
};
use crate::{
    config::Config,
    control::FileFence,
    panic::{PanicIds, PanicParts, Plan, Verdict, run},
    venue::Access,
};

const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// How often the fence is read while this command closes.
const FENCE_LOOKS: Duration = Duration::from_millis(10);
/// Progress is told this often at most, while nothing changes.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// How waiting for a running executor ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Waited {
    /// No leg and no order of unknown outcome is left.
    Flat {
        /// How long it took.
        took: Duration,
    },
    /// Time was over.
    NotFlat {
        /// What is left.
        left: Box<Status>,
    },
}

/// Waits until the executor of a state directory is flat. `say` gets a line whenever something changed.
///
/// Errors: [`OperateError::Ended`] when the executor is gone.
pub async fn wait_for_flat(
    dir: &Path,
    within: Duration,
    say: &mut dyn FnMut(&str),
) -> Result<Waited, OperateError> {
    let started = Instant::now();
    let (mut said, mut said_at) = (String::new(), started);
    loop {
        let status = match ask(dir, &Request::Status).await {
            Ok(Answer::Status(status)) => status,
            Ok(Answer::Done(_)) => {
                let detail = "it answered a question with a command's end".to_owned();
                return Err(AskError::Malformed { detail }.into());
            }
            Err(AskError::NobodyThere { .. } | AskError::Io { .. }) => return Err(OperateError::Ended),
            Err(error) => return Err(error.into()),
        };
        if status.legs.is_empty() && status.unknown_orders == 0 {
            return Ok(Waited::Flat { took: started.elapsed() });
        }
        let line = left(&status);
        if line != said || said_at.elapsed() >= TOLD_EVERY {
            say(&format!("+{:.1}s {line}", started.elapsed().as_secs_f64()));
            (said, said_at) = (line, Instant::now());
        }
        if started.elapsed() >= within {
            return Ok(Waited::NotFlat { left: status });
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// What is still open, in a line.
pub fn left(status: &Status) -> String {
    let legs: Vec<String> = status
        .legs
        .iter()
        .map(|leg| format!("{} {} {}", leg.symbol, leg.side, leg.qty.normalize()))
        .collect();
    let mut line = match legs.len() {
        0 => "no leg open".to_owned(),
        1 => format!("1 leg open: {}", legs[0]),
        many => format!("{many} legs open: {}", legs.join(", ")),
    };
    if status.unknown_orders > 0 {
        line.push_str(&format!("; {} orders of unknown outcome", status.unknown_orders));
    }
    line
}

/// The symbols that a state directory trades or has traded: what a flatten is about. Others on the account are somebody
/// else's; `hedge-panic-close` closes them too.
pub fn symbols(dir: &Path, config: &Config) -> Result<BTreeSet<Symbol>, OperateError> {
    let mut symbols: BTreeSet<Symbol> = config.universe.symbols.iter().copied().collect();
    if let Some(folded) = Folded::read(dir, config)? {
        symbols.extend(folded.book.instruments().map(|(_, spec)| spec.id.symbol));
    }
    Ok(symbols)
}

/// What closing here would do. Reads the account.
pub async fn plan(access: Access, symbols: &BTreeSet<Symbol>) -> Result<Plan, OperateError> {
    let doing = "reading what is open";
    let client = access.client.for_closing();
    Plan::read(&client, Some(symbols)).await.map_err(|source| OperateError::Venue { doing, source })
}

/// Closes at the venue while no executor runs. The order comes into the journal first: what is left after this is closed at
/// the next start. No executor starts meanwhile, because the journal stays locked.
pub async fn close_here(
    dir: &Path,
    config: &Config,
    because: &str,
    access: Access,
    symbols: BTreeSet<Symbol>,
    within: Duration,
    say: Box<dyn FnMut(&str) + Send>,
) -> Result<Verdict, OperateError> {
    let ids = PanicIds::new(access.clock.now());
    let clock = Arc::clone(&access.clock);
    let (_, held) = by_journal(dir, config, OperatorCommand::Flatten, because).await?;
    let lead = Lead::of(dir)?;
    // Nobody asks it to stop but the end of the process; the journal knows what was wanted.
    let (_interrupter, interrupts) = watch::channel(0);
    let parts = PanicParts {
        venue: Arc::new(access.client.for_closing()),
        symbols: Some(symbols),
        ids,
        started: Instant::now(),
        within,
        interrupts,
        say,
    };
    tokio::select! {
        biased;
        // Whoever took over waits for this word before it closes the same legs.
        because = lead.lost() => {
            lead.fence.acknowledge(clock.now());
            drop(held);
            Err(OperateError::TakenOver { because })
        }
        verdict = run(parts) => Ok(verdict),
    }
}

/// The lead of this command, until somebody takes it.
struct Lead {
    fence: FileFence,
    term: Term,
}

impl Lead {
    /// The term that was just written for us. Errors: somebody was faster.
    fn of(dir: &Path) -> Result<Self, OperateError> {
        let because = match ControlDir::of(dir).fence()? {
            Some(record) if record.by == PROGRAM => {
                return Ok(Self { fence: FileFence::new(dir, PROGRAM), term: record.term });
            }
            Some(record) => format!("{} leads this account as term {}", record.by, record.term),
            None => "the fence file of this state directory has been removed".to_owned(),
        };
        Err(OperateError::TakenOver { because })
    }

    /// Resolves with the reason once another one leads.
    async fn lost(&self) -> String {
        loop {
            if let Err(because) = self.fence.admits(self.term) {
                return because;
            }
            tokio::time::sleep(FENCE_LOOKS).await;
        }
    }
}
