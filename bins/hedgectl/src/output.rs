//! Writing to stdout without falling over when nobody reads any more.

use std::io::{self, ErrorKind, Write};

/// Prints text as it is. A closed pipe (`| head`) ends the process quietly, a full disk with exit code 1.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("error: stdout could not be written: {error}");
            std::process::exit(1);
        }
    }
}

/// Prints a line.
pub(crate) fn line(text: &str) {
    print(&format!("{text}\n"));
}
