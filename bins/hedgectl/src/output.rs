//! Writing to stdout without falling over when nobody reads any more.

use std::io::{self, ErrorKind, Write};

/// Prints text as it is. A closed pipe (`| head`) ends the process quietly.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if written.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        std::process::exit(0);
    }
}

/// Prints a line.
pub(crate) fn line(text: &str) {
    print(&format!("{text}\n"));
}
