//! Many pieces of work on a few threads.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

/// How often the caller hears of progress while nothing is done.
const TICK: Duration = Duration::from_millis(200);

/// What the caller hears.
pub(super) enum Heard<T> {
    /// A piece is done.
    Done(usize, T),
    /// Time has passed.
    Tick,
}

/// Does `count` pieces on `jobs` threads and tells the caller of each, in whatever order they end. Ends early when `heard`
/// says `false`: pieces that go on then are waited for, and no further one begins.
pub(super) fn each<T: Send>(
    jobs: usize,
    count: usize,
    work: impl Fn(usize) -> T + Sync,
    mut heard: impl FnMut(Heard<T>) -> bool,
) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, count.max(1)) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let piece = next.fetch_add(1, Relaxed);
                    if piece >= count || sender.send((piece, work(piece))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        loop {
            let goes_on = match receiver.recv_timeout(TICK) {
                Ok((piece, done)) => heard(Heard::Done(piece, done)),
                Err(RecvTimeoutError::Timeout) => heard(Heard::Tick),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !goes_on {
                // Whoever ends a piece from now on finds nobody listening, and ends.
                next.store(count, Relaxed);
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once_whatever_the_number_of_threads() {
        for jobs in [0, 1, 3, 50] {
            let mut done = Vec::new();
            each(
                jobs,
                20,
                |piece| piece * 2,
                |heard| {
                    if let Heard::Done(piece, result) = heard {
                        done.push((piece, result));
                    }
                    true
                },
            );
            done.sort_unstable();
            assert_eq!(done, (0..20).map(|piece| (piece, piece * 2)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_piece_begins_after_the_caller_has_had_enough() {
        let begun = AtomicUsize::new(0);
        let work = |_| {
            begun.fetch_add(1, Relaxed);
            thread::sleep(Duration::from_millis(1));
        };
        each(2, 10_000, work, |heard| matches!(heard, Heard::Tick));
        // Two threads: the piece that was told of, and what began until the caller had spoken.
        assert!(begun.load(Relaxed) < 10_000);
    }
}
