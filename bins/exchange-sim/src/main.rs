//! `hedge-exchange-sim`: the simulated exchange as a program. See `docs/simulator.md`.

mod args;
mod beginning;
mod keys;

use std::{io::Write, process::ExitCode};

use args::Args;
use clap::Parser;
use hedge_sim::binance::{ApiKey, Exchange, FaultLog};
use tokio::signal::unix::{SignalKind, signal};

/// It could not start or go on.
const FAILED: u8 = 1;
/// It was asked for something it does not know.
const USAGE: u8 = 2;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let outcome = match Args::try_parse() {
        Ok(args) => serve(args).await,
        Err(error) if error.use_stderr() => Err(usage(&one_line(&error.to_string()))),
        Err(help) => help.exit(),
    };
    let Err((code, message)) = outcome else { return ExitCode::SUCCESS };
    eprintln!("hedge-exchange-sim: {message}");
    ExitCode::from(code)
}

fn usage(problem: &str) -> (u8, String) {
    (USAGE, format!("{problem}; hedge-exchange-sim --help tells what is known"))
}

/// What is wrong, without the usage that follows it.
fn one_line(error: &str) -> String {
    let said = error.split("\n\nUsage").next().and_then(|said| said.split("\n\nFor more").next());
    said.unwrap_or(error).split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn serve(args: Args) -> Result<(), (u8, String)> {
    // Whoever read the ready line may send a signal: the handlers are there before it.
    let failed = |message: String| (FAILED, message);
    let stop = |kind| signal(kind).map_err(|error| failed(format!("cannot listen for signals: {error}")));
    let (mut interrupt, mut terminate) = (stop(SignalKind::interrupt())?, stop(SignalKind::terminate())?);
    let given = args.api_key().map_err(|problem| usage(&problem))?;
    let is_default = given.is_none();
    let beginning = args.beginning();
    let public_keys = args.public_keys().map_err(failed)?;
    let config = args.config(given.unwrap_or_else(ApiKey::demo), public_keys);
    let handle = Exchange::start(config).await.map_err(|error| failed(error.to_string()))?;
    handle.notes().iter().for_each(|note| eprintln!("hedge-exchange-sim: {note}"));
    tell_faults(handle.fault_log());
    beginning.bring_about(&handle).map_err(failed)?;
    let mut ready = serde_json::json!({"venue": "binance", "rest": handle.rest_url(), "ws": handle.ws_url()});
    if is_default {
        ready["api_key"] = ApiKey::DEMO_KEY.into();
    }
    writeln!(std::io::stdout(), "{ready}")
        .map_err(|error| failed(format!("cannot write to stdout: {error}")))?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    handle.shutdown().await;
    Ok(())
}

/// Says on stderr what faults do, as long as the exchange lives.
fn tell_faults(mut log: FaultLog) {
    tokio::spawn(async move {
        while let Some(line) = log.next().await {
            eprintln!("hedge-exchange-sim: {line}");
        }
    });
}
