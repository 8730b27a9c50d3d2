//! What a person sees while files come in: a bar on a terminal, else a line a file.

use std::sync::{Mutex, PoisonError};

use crate::progress::Progress;

/// Shared by the downloads.
#[derive(Debug)]
pub(super) struct Tell {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    progress: Progress,
    lines: bool,
    done: u64,
    total: u64,
    bytes: u64,
}

impl Tell {
    pub(super) fn on_stderr() -> Self {
        let lines = !std::io::IsTerminal::is_terminal(&std::io::stderr());
        let progress = Progress::on_terminal();
        Self { state: Mutex::new(State { progress, lines, done: 0, total: 0, bytes: 0 }) }
    }
    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
    /// So many more files are to come.
    pub(super) fn expect(&self, files: usize) {
        self.with(|state| state.total += files as u64);
    }
    /// Bytes of a file came in.
    pub(super) fn received(&self, name: &str, bytes: usize) {
        self.with(|state| {
            state.bytes += bytes as u64;
            let (done, total, so_far) = (state.done, state.total, state.bytes);
            state.progress.update(done, total, || format!("{}  {name}", size(so_far)));
        });
    }
    /// A file is done, one way or another.
    pub(super) fn done(&self, name: &str, how: &str) {
        self.with(|state| {
            state.done += 1;
            let (done, total, so_far) = (state.done, state.total, state.bytes);
            state.progress.update(done, total, || format!("{}  {name}", size(so_far)));
            if state.lines {
                eprintln!("{name}: {how}");
            }
        });
    }
    /// Something to know beside the bar.
    pub(super) fn note(&self, text: &str) {
        self.with(|state| {
            state.progress.finish();
            eprintln!("{text}");
        });
    }
    pub(super) fn finish(&self) {
        self.with(|state| state.progress.finish());
    }
    pub(super) fn bytes(&self) -> u64 {
        let mut bytes = 0;
        self.with(|state| bytes = state.bytes);
        bytes
    }
}

/// `12.3 MiB`
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
