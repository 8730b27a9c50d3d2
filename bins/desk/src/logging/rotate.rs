//! SIGHUP: somebody has moved the log file away.

use std::io;

use super::sink::Sink;

/// Opens the sink's file anew at each SIGHUP, on a thread of its own. Without it SIGHUP ends the process.
#[cfg(unix)]
pub fn reopen_on_hangup(sink: &Sink) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let sink = sink.clone();
    let listener = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut hangup = {
        let _entered = listener.enter();
        signal(SignalKind::hangup())?
    };
    std::thread::Builder::new().name("rotation".to_owned()).spawn(move || {
        listener.block_on(async move {
            while hangup.recv().await.is_some() {
                match sink.reopen() {
                    Ok(false) => tracing::info!("SIGHUP: there is no log file to open anew; the run goes on"),
                    Ok(true) => tracing::info!("the log file was opened anew after SIGHUP"),
                    Err(error) => tracing::warn!(%error, "the log file cannot be opened anew; lines go on into the old one"),
                }
            }
        });
    })?;
    Ok(())
}

/// There is no SIGHUP here.
#[cfg(not(unix))]
pub fn reopen_on_hangup(_: &Sink) -> io::Result<()> {
    Ok(())
}
