//! A running program, its lines as they come, and its end. It never outlives the drill.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use serde_json::Value;

use super::DrillError;

/// More than any drill's program says.
const MOST_LINES: usize = 200_000;

/// One line, and when it came. Units: seconds since the drill began.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at_s: f64,
    pub(super) text: String,
}

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program of ours that runs, or has run.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    lines: Lines,
    readers: Vec<thread::JoinHandle<()>>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts it in a process group of its own: Ctrl-C is for us, and we end it.
    pub(super) fn start(
        name: &'static str,
        mut command: Command,
        began: Instant,
    ) -> Result<Self, DrillError> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|source| DrillError::Spawn { program: name, source })?;
        let lines = Lines::default();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
            child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        ];
        let readers = streams
            .into_iter()
            .flatten()
            .map(|stream| {
                let lines = lines.clone();
                thread::spawn(move || follow(stream, &lines, began))
            })
            .collect();
        Ok(Self { child, lines, readers, status: None })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line that begins so, from the `from`th on.
    pub(super) fn line_from(&self, from: usize, start: &str) -> Option<Line> {
        self.lines.lock().iter().skip(from).find(|line| line.text.starts_with(start)).cloned()
    }

    /// How many lines contain this.
    pub(super) fn count(&self, part: &str) -> usize {
        self.lines.lock().iter().filter(|line| line.text.contains(part)).count()
    }

    /// The first line that contains this.
    pub(super) fn find(&self, part: &str) -> Option<String> {
        self.lines.lock().iter().find(|line| line.text.contains(part)).map(|line| line.text.clone())
    }

    /// Everything so far.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.lines.lock().clone()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, DrillError> {
        if self.status.is_none() {
            self.status = self.child.try_wait().map_err(DrillError::Machine)?;
            if self.status.is_some() {
                // Its last words are still in the pipes.
                self.readers.drain(..).for_each(|reader| drop(reader.join()));
            }
        }
        Ok(self.status)
    }

    /// Sends a signal by name, such as `TERM`.
    pub(super) fn signal(&self, name: &str) -> Result<(), DrillError> {
        signal(self.child.id(), name).map_err(DrillError::Machine)
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) -> Result<(), DrillError> {
        self.child.kill().map_err(DrillError::Machine)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status.is_none() {
            // SIGKILL also ends a process that stands still.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The shell's own `kill` is everywhere where there is a shell.
fn signal(pid: u32, name: &str) -> io::Result<()> {
    let status = Command::new("sh").arg("-c").arg(format!("kill -s {name} {pid}")).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("SIG{name} could not be sent to process {pid}")))
    }
}

fn follow(stream: impl Read, lines: &Lines, began: Instant) {
    for text in BufReader::new(stream).lines().map_while(Result::ok) {
        let at_s = began.elapsed().as_secs_f64();
        let mut lines = lines.lock();
        if lines.len() < MOST_LINES {
            lines.push(Line { at_s, text });
        }
    }
}

/// The last line that is JSON: what a program with `--json` says on stdout, whatever it says besides.
pub(super) fn last_json(lines: &[Line]) -> Option<Value> {
    lines.iter().rev().find_map(|line| serde_json::from_str(&line.text).ok())
}

/// How a program ended, in words: its exit code, or the signal that ended it.
pub(super) fn words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("ended by signal {signal}");
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("exit code {code}"))
}
