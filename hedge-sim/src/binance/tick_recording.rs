//! A recorded market goes on: the book, the best prices and the trades of the recording become the venue's.

use super::log::LogError;
use super::state::Core;
use super::ticks::What;
use crate::venue::{BookChange, Command, SymbolId};

/// Recorded events of one symbol that one tick plays before others get the lock.
const EVENTS_PER_TICK: usize = 20_000;

impl Core {
    /// Puts a recording where the clock begins: a fresh one up to its start, one that a log has played up to there.
    pub(crate) fn begin_recording(&mut self, resumed: bool, now_ms: i64) -> Result<(), LogError> {
        if !self.play.is_recording() {
            return Ok(());
        }
        if !resumed {
            return self.recorded_ticks(now_ms);
        }
        for ix in 0..self.symbol_count() {
            let Some(recording) = self.play.recording() else { return Ok(()) };
            if ix == 0 {
                recording.skip_to(now_ms);
            }
            let prints = recording.skipped(ix);
            if let Some(feed) = self.feeds.get_mut(usize::from(ix)) {
                prints.into_iter().for_each(|print| feed.tape.push(print));
            }
        }
        Ok(())
    }

    /// Plays what fell due.
    pub(crate) fn recorded_ticks(&mut self, now_ms: i64) -> Result<(), LogError> {
        for ix in 0..self.symbol_count() {
            for _ in 0..EVENTS_PER_TICK {
                let next = self.play.recording().and_then(|recording| recording.take(ix, now_ms));
                let Some((at_ms, what)) = next else { break };
                self.recorded_tick(ix, at_ms, what)?;
            }
        }
        Ok(())
    }

    fn recorded_tick(&mut self, ix: u16, at_ms: i64, what: What) -> Result<(), LogError> {
        let symbol = SymbolId(ix);
        match what {
            What::Book { whole, bids, asks } => {
                let (bids, asks) = match self.best_so_far(ix).filter(|_| !whole) {
                    // Best prices come faster than changes of the book: what lies before them is older than they are.
                    Some((bid, ask)) => {
                        (behind(bids, |ticks| ticks < bid), behind(asks, |ticks| ticks > ask))
                    }
                    None => (bids, asks),
                };
                let change = BookChange { symbol, whole, bids, asks };
                let _ = self.command_at(at_ms, &Command::Book(change))?;
            }
            What::Best { bid, ask } => {
                // Without a recorded book the made-up one goes on behind the recorded prices.
                if self.venue.has_given_book(symbol) {
                    let change = BookChange { symbol, whole: false, bids: vec![bid], asks: vec![ask] };
                    let _ = self.command_at(at_ms, &Command::Book(change))?;
                }
                let quote = Command::Quote { symbol, bid: bid.0, ask: ask.0, last: None, mark: None };
                // A symbol that left trading, or best prices that cross, change nothing.
                let _ = self.command_at(at_ms, &quote)?;
                self.push_best(ix);
            }
            What::Trade { ticks, .. } => {
                let Some((bid, ask)) = self.best_so_far(ix) else { return self.note_print(ix, at_ms, &what) };
                let mark = self.venue.rules(symbol).map(|rules| rules.price_of(ticks));
                let quote = Command::Quote { symbol, bid, ask, last: Some(ticks), mark };
                let _ = self.command_at(at_ms, &quote)?;
                return self.note_print(ix, at_ms, &what);
            }
        }
        Ok(())
    }

    fn best_so_far(&mut self, ix: u16) -> Option<(i64, i64)> {
        self.play.recording()?.best(ix)
    }

    fn note_print(&mut self, ix: u16, at_ms: i64, what: &What) -> Result<(), LogError> {
        let print = self.play.recording().and_then(|recording| recording.print(ix, at_ms, what));
        if let Some(print) = print {
            if let Some(feed) = self.feeds.get_mut(usize::from(ix)) {
                feed.tape.push(print);
            }
            self.send_print(ix, &print);
        }
        Ok(())
    }
}

fn behind(mut levels: Vec<(i64, i64)>, is_behind: impl Fn(i64) -> bool) -> Vec<(i64, i64)> {
    levels.retain(|(ticks, _)| is_behind(*ticks));
    levels
}
