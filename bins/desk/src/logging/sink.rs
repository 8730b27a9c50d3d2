//! Where lines go.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::{lines::Line, requests::Requests};
use crate::config::LogFormat;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The operators' lines.
    #[default]
    Text,
    /// One JSON object a line, with the same fields.
    Json,
}

impl std::str::FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("log format {other:?} is not known: expected text or json")),
        }
    }
}

impl From<LogFormat> for Format {
    fn from(configured: LogFormat) -> Self {
        match configured {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// Writes whole lines to one place. Cheap to clone.
#[derive(Clone)]
pub struct Sink {
    format: Format,
    eager: bool,
    /// Whether a progress bar may stand in the line that is written next.
    clears: bool,
    out: Arc<Mutex<Out>>,
}

struct Out {
    to: Box<dyn Write + Send>,
    /// The file that is opened anew after a rotation.
    file: Option<PathBuf>,
    /// The first thing that went wrong, besides a reader that has gone.
    failure: Option<String>,
}

impl Out {
    fn shared(to: impl Write + Send + 'static) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { to: Box::new(to), file: None, failure: None }))
    }
    /// A closed pipe or a full disk must not stop trading; the journal is the record.
    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.failure.get_or_insert_with(|| error.to_string());
        }
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Sink {
    /// Lines to stdout. At a terminal each line is shown at once, otherwise as soon as somebody waits for it.
    pub fn stdout(format: Format) -> Self {
        let stdout = io::stdout();
        let eager = stdout.is_terminal();
        let clears = eager && io::stderr().is_terminal();
        Self { format, eager, clears, out: Out::shared(io::BufWriter::new(stdout)) }
    }
    /// Lines to the end of a file, which only its owner can read when this makes it. Each line is there at once.
    pub fn file(format: Format, path: &Path) -> io::Result<Self> {
        let out = Out { to: Box::new(append_to(path)?), file: Some(path.to_owned()), failure: None };
        Ok(Self { format, eager: true, clears: false, out: Arc::new(Mutex::new(out)) })
    }
    /// Opens the file anew by its name, after somebody has moved it away. Lines that come meanwhile wait; none is lost. Where
    /// there is no file, nothing is done and the answer is `false`. After an error lines go on into the old one.
    pub fn reopen(&self) -> io::Result<bool> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = out.file.clone() else { return Ok(false) };
        let fresh = append_to(&path)?;
        // What cannot be written out stays with the old file, and so do we: nothing that waits in its buffer is lost.
        out.to.flush()?;
        out.to = Box::new(fresh);
        Ok(true)
    }
    /// Lines to somewhere else; for tests.
    pub fn to(format: Format, out: impl Write + Send + 'static) -> Self {
        Self { format, eager: true, clears: false, out: Out::shared(out) }
    }
    /// How lines look.
    pub const fn format(&self) -> Format {
        self.format
    }
    /// The same sink that shows each line at once.
    #[must_use]
    pub fn eager(self) -> Self {
        Self { eager: true, ..self }
    }
    /// Writes an operators' line.
    pub fn line(&self, line: &Line) {
        self.raw(&line.render(self.format));
    }
    /// Writes a line as it is.
    pub fn raw(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if self.clears { "\r\x1b[2K" } else { "" };
        let written = writeln!(out.to, "{before}{text}");
        out.note(written);
        if self.eager {
            let flushed = out.to.flush();
            out.note(flushed);
        }
    }
    /// Shows everything that is written.
    pub fn flush(&self) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let flushed = out.to.flush();
        out.note(flushed);
    }
    /// Why lines were lost, if some were; a reader that has gone is none of it.
    pub fn failure(&self) -> Option<String> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).failure.clone()
    }
}

fn append_to(path: &Path) -> io::Result<io::BufWriter<File>> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(io::BufWriter::new)
}

/// One line of `tracing` output, gathered and written whole.
struct Gathered {
    sink: Sink,
    bytes: Vec<u8>,
}

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = text.trim_end();
        if !text.is_empty() {
            self.sink.raw(text);
        }
    }
}

/// Sends the program's `tracing` events to the sink: requests as operators' lines, the rest as log lines at `level` and above.
///
/// A second call in one process changes nothing.
pub fn init(sink: &Sink, level: &str) {
    let target = sink.clone();
    let writer = move || Gathered { sink: target.clone(), bytes: Vec::new() };
    let filter = EnvFilter::try_new(format!(
        "{level},hyper=warn,h2=warn,reqwest=warn,tungstenite=warn,hedge::order_req=off,hedge::order_err=off"
    ))
    .unwrap_or_else(|_| EnvFilter::new("info"));
    let commentary = match sink.format() {
        Format::Text => fmt::layer().with_ansi(false).with_writer(writer).with_filter(filter).boxed(),
        Format::Json => {
            fmt::layer().json().flatten_event(true).with_writer(writer).with_filter(filter).boxed()
        }
    };
    let _ = tracing_subscriber::registry().with(Requests::new(sink.clone())).with(commentary).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails each write with one kind of error.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn after_a_rotation_lines_go_into_a_new_file_and_none_is_lost() {
        let temp = crate::temp::TempDir::new();
        let (path, moved) = (temp.0.join("a.log"), temp.0.join("a.log.1"));
        let sink = Sink::file(Format::Text, &path).unwrap();
        sink.raw("one");
        std::fs::rename(&path, &moved).unwrap();
        sink.raw("two");
        sink.reopen().unwrap();
        sink.raw("three");
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        // A folder that vanished is an error, and lines go on where they went.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(sink.reopen().is_err());
        sink.raw("four");
        assert_eq!(sink.failure(), None);
    }

    #[test]
    fn a_full_disk_is_remembered_and_a_reader_that_has_gone_is_not() {
        for (kind, is_failure) in [(io::ErrorKind::StorageFull, true), (io::ErrorKind::BrokenPipe, false)] {
            let sink = Sink::to(Format::Text, Broken(kind));
            sink.raw("a line");
            assert_eq!(sink.failure().is_some(), is_failure, "{kind}");
        }
    }
}
