//! A running program whose lines come one by one.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything that is waited for takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program.
pub struct Following {
    child: Child,
    lines: Receiver<String>,
    pub seen: Vec<String>,
}

impl Following {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        for stream in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    // Nobody listens any more once the test is over.
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, seen: Vec::new() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn wait_for(&mut self, start: &str) -> String {
        self.wait_until(start, |line| line.starts_with(start))
    }

    pub fn wait_until(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                let _ = self.child.kill();
                panic!("{what} was not printed; there was {:#?}", self.seen);
            };
            self.seen.push(line.clone());
            if is_it(&line) {
                return line;
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits until it stands still: SIGSTOP.
    pub fn wait_for_stop(&mut self) {
        let until = Instant::now() + PATIENCE;
        let id = self.child.id().to_string();
        loop {
            let output = Command::new("ps").args(["-o", "stat=", "-p", &id]).output().unwrap();
            if String::from_utf8_lossy(&output.stdout).starts_with('T') {
                return;
            }
            assert!(Instant::now() < until, "it did not stop; there was {:#?}", self.seen);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal; how long it took to end, and its exit code.
    pub fn stop(&mut self, signal: &str) -> (Duration, Option<i32>) {
        let asked_at = Instant::now();
        self.signal(signal);
        let code = self.end();
        (asked_at.elapsed(), code)
    }

    /// Waits for it to end by itself; its exit code.
    pub fn end(&mut self) -> Option<i32> {
        self.end_status().code()
    }

    /// Waits for it to end by itself, or by a signal.
    pub fn end_status(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.seen.extend(self.lines.iter());
                return status;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        self.seen.extend(self.lines.try_iter());
        panic!("it did not end; there was {:#?}", self.seen);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
