//! Questions to a person. Only a terminal has one.

use std::io::{self, BufRead, IsTerminal, Write};

/// Whether a person can be asked.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal()
}

/// Asks, and gives what was typed, without the line end. An ended input is an empty answer.
pub(crate) fn ask(question: &str) -> io::Result<String> {
    let mut out = io::stderr().lock();
    out.write_all(question.as_bytes())?;
    out.flush()?;
    drop(out);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Who sits at this shell: the user's name, for the journal.
pub(crate) fn user() -> String {
    let variables = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    // Cron and containers set neither.
    let asked = std::iter::once_with(id).flatten();
    variables
        .chain(asked)
        .map(|name| name.chars().filter(|c| !c.is_control()).take(64).collect::<String>().trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

fn id() -> Option<String> {
    let output = std::process::Command::new("id").arg("-un").output().ok()?;
    String::from_utf8(output.stdout).ok()
}
