//! Joining snapshots and diffs.

use std::collections::VecDeque;

use super::ladder::Ladder;
use crate::wire::{event::DepthEvent, market::Depth};

/// Diffs that wait for a snapshot: at ten a second, more than any snapshot takes.
const BUFFERED: usize = 4_096;
/// A side with fewer known levels than this part of the snapshot is near the edge of what is known.
const EDGE_PART: usize = 10;

/// What to do after a diff or a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The book is right as of the last diff.
    Current,
    /// The book is not known: a snapshot is wanted. It is also said while one is on its way.
    FetchSnapshot,
    /// The book is right, but prices have moved to where it is not known any more: a new snapshot is wanted soon.
    FetchSnapshotSoon,
}

/// One symbol's book.
#[derive(Debug, Clone, Default)]
pub struct LocalBook {
    buffer: VecDeque<DepthEvent>,
    book: Option<Known>,
    resyncs: u64,
}

#[derive(Debug, Clone)]
struct Known {
    ladder: Ladder,
    /// Levels a side that its snapshot was asked for.
    limit: usize,
    /// The last update that is in it.
    last: i64,
    /// Whether a diff has been joined to the snapshot; the first one need only overlap it.
    is_joined: bool,
}

impl LocalBook {
    /// An empty book.
    pub const fn new() -> Self {
        Self { buffer: VecDeque::new(), book: None, resyncs: 0 }
    }

    /// The book, while it is known.
    pub fn ladder(&self) -> Option<&Ladder> {
        self.book.as_ref().filter(|book| book.is_joined).map(|book| &book.ladder)
    }

    /// The last update that is in the book, while it is known.
    pub fn last_update_id(&self) -> Option<i64> {
        self.book.as_ref().filter(|book| book.is_joined).map(|book| book.last)
    }

    /// How often a known book was given up.
    pub const fn resyncs(&self) -> u64 {
        self.resyncs
    }

    /// The connection is new: nothing that was known can be continued.
    pub fn restart(&mut self) {
        self.give_up();
        self.buffer.clear();
    }

    /// Takes the next diff of the stream.
    pub fn on_diff(&mut self, diff: &DepthEvent) -> Next {
        if self.book.is_none() {
            self.keep(diff);
            return Next::FetchSnapshot;
        }
        self.join(diff)
    }

    /// Takes a snapshot that was asked for with `limit` levels a side: one with fewer has all there are. A snapshot that is
    /// older than the diffs that are there is of no use: then another one is wanted.
    pub fn on_snapshot(&mut self, snapshot: &Depth, limit: u32) -> Next {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut is_joined = false;
        // A book that is current takes a snapshot only to know more of it, and keeps no diffs: the snapshot must not be older.
        if let Some(known) = self.book.as_ref().filter(|book| book.is_joined) {
            if snapshot.last_update_id < known.last {
                return Next::FetchSnapshotSoon;
            }
            // Of the very same update: the next diff names it, as it would have named the book's.
            is_joined = snapshot.last_update_id == known.last;
            self.buffer.clear();
        }
        let ladder = Ladder::of(&snapshot.bids, &snapshot.asks, limit);
        if ladder.is_crossed() {
            self.give_up();
            return Next::FetchSnapshot;
        }
        self.book = Some(Known { ladder, limit, last: snapshot.last_update_id, is_joined });
        let waiting = std::mem::take(&mut self.buffer);
        let mut next = Next::Current;
        for diff in &waiting {
            next = if self.book.is_some() { self.join(diff) } else { self.on_diff(diff) };
        }
        next
    }

    fn join(&mut self, diff: &DepthEvent) -> Next {
        let Some(book) = &mut self.book else { return Next::FetchSnapshot };
        let fits = if book.is_joined {
            // A message that came twice, by two connections, is in the book already.
            if diff.last_update_id <= book.last {
                return Next::Current;
            }
            diff.previous_update_id == book.last
        } else {
            if diff.last_update_id < book.last {
                return Next::Current;
            }
            // It overlaps the snapshot, or follows it without a gap.
            diff.first_update_id <= book.last || diff.previous_update_id == book.last
        };
        if !fits {
            self.give_up();
            self.keep(diff);
            return Next::FetchSnapshot;
        }
        book.ladder.apply(&diff.bids, &diff.asks);
        book.last = diff.last_update_id;
        book.is_joined = true;
        // Crossed, or prices have left what is known on one side.
        if book.ladder.is_crossed() || book.ladder.reach() == Some(0) {
            self.give_up();
            return Next::FetchSnapshot;
        }
        match book.ladder.reach() {
            Some(levels) if levels < book.limit / EDGE_PART => Next::FetchSnapshotSoon,
            _ => Next::Current,
        }
    }

    fn give_up(&mut self) {
        if self.book.take().is_some() {
            self.resyncs += 1;
        }
    }

    fn keep(&mut self, diff: &DepthEvent) {
        // Diffs that do not follow each other can never be joined to one snapshot.
        if self.buffer.back().is_some_and(|last| last.last_update_id != diff.previous_update_id) {
            self.buffer.clear();
        }
        if self.buffer.len() == BUFFERED {
            self.buffer.pop_front();
        }
        self.buffer.push_back(diff.clone());
    }
}
