//! The look before a start, repeated for as long as the venue does not answer one whose legs may be waiting.

use std::{path::Path, time::Duration};

use hedge_core::{Symbol, VenueReader};
use hedge_runtime::{Fence, RunError};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::{error::TradeError, run::Setup};
use crate::{
    operate::Folded,
    preflight::{Looked, look_beside, told},
    venue::Access,
};

/// The pauses between two questions grow from this ...
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// ... to this: so much later than the venue itself it is back at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often it is said again that it waits.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What is looked at, and whether anybody waits for what comes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookout<'a> {
    pub(super) setup: &'a Setup<'a>,
    pub(super) dir: &'a Path,
    pub(super) symbols: &'a [Symbol],
    /// Whether this directory has led: it may have open legs, and nobody starts a process again that was told no.
    pub(super) has_led: bool,
    pub(super) fence: &'a dyn Fence,
}

impl Lookout<'_> {
    /// Looks. Silence is not taken for a no where legs may wait: it asks again, until there are answers.
    ///
    /// Errors: [`RunError::Fenced`] when somebody else has taken the account over meanwhile.
    pub(super) async fn look(&self, access: &Access) -> Result<Looked, TradeError> {
        let Setup { config, mode, .. } = *self.setup;
        // Once: nobody writes it before this process leads, and it may be long.
        let journal = Folded::read(self.dir, config).map_err(told);
        let (mut pauses, began) = (Pauses::default(), Instant::now());
        let mut told_at: Option<Instant> = None;
        loop {
            let looked = look_beside(&journal, access, config, mode, Some(self.dir), self.symbols).await;
            let because = match looked.unanswered {
                Some(because) if self.has_led => because,
                None if told_at.is_some() => {
                    info!(waited_s = began.elapsed().as_secs(), "preflight: the venue answers again");
                    return Ok(Looked { unanswered: None, ..looked });
                }
                unanswered => return Ok(Looked { unanswered, ..looked }),
            };
            if told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                warn!(
                    because,
                    waited_s = began.elapsed().as_secs(),
                    "preflight: the venue does not answer; this state directory has led before, so this process stays and \
                     asks again. Stops at the venue stay; a leg without one waits for this"
                );
                // Nobody else says anything for long.
                self.setup.sink.flush();
                told_at = Some(Instant::now());
            }
            self.until_it_answers(access, &mut pauses).await?;
        }
    }

    /// One small question at a time.
    async fn until_it_answers(&self, access: &Access, pauses: &mut Pauses) -> Result<(), TradeError> {
        loop {
            sleep(pauses.next()).await;
            // Whoever has taken over meanwhile, perhaps a panic close, is told of by the code that says so.
            self.fence.leader().map_err(|because| RunError::Fenced { because })?;
            if access.client.server_time().await.is_ok() {
                return Ok(());
            }
        }
    }
}

/// Twice as long each time, up to the longest.
#[derive(Debug)]
struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pauses {
    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_and_end_at_the_longest() {
        let mut pauses = Pauses::default();
        let seconds: Vec<u64> = (0..7).map(|_| pauses.next().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 15, 15, 15]);
    }
}
