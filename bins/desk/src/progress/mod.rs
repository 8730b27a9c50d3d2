//! A progress bar on stderr, and only when somebody looks.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// How often the bar is drawn at most.
const EVERY: Duration = Duration::from_millis(100);
const WIDTH: usize = 32;

/// A bar that draws itself over its last drawing.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    drawn_at: Option<Instant>,
}

impl Progress {
    /// A bar on stderr when stderr is a terminal, otherwise nothing.
    pub fn on_terminal() -> Self {
        Self { shown: io::stderr().is_terminal(), drawn_at: None }
    }

    /// Draws, unless it has just drawn.
    pub fn update(&mut self, done: u64, total: u64, note: impl FnOnce() -> String) {
        let due = self.drawn_at.is_none_or(|at| at.elapsed() >= EVERY) || done >= total;
        if self.shown && due {
            self.drawn_at = Some(Instant::now());
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[2K{}", render(done, total, &note()));
            let _ = stderr.flush();
        }
    }

    /// Leaves a clean line behind.
    pub fn finish(&mut self) {
        if self.shown && self.drawn_at.take().is_some() {
            let _ = io::stderr().lock().write_all(b"\r\x1b[2K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn render(done: u64, total: u64, note: &str) -> String {
    let total = total.max(1);
    let filled = (done.min(total) as usize * WIDTH) / total as usize;
    let percent = done.min(total) * 100 / total;
    format!("[{}{}] {percent:>3} %  {done}/{total}  {note}", "#".repeat(filled), ".".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_from_the_left_and_never_overflows() {
        assert_eq!(render(0, 4, ""), format!("[{}]   0 %  0/4  ", ".".repeat(32)));
        assert_eq!(render(2, 4, "x"), format!("[{}{}]  50 %  2/4  x", "#".repeat(16), ".".repeat(16)));
        assert!(render(9, 4, "").starts_with(&format!("[{}] 100 %", "#".repeat(32))));
        assert!(render(0, 0, "").contains("0/0") || render(0, 0, "").contains("0/1"));
    }
}
