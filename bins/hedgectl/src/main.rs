//! `hedgectl`: what operators ask, check and command from a shell.

mod args;
mod arm;
mod backtest;
mod config;
mod data;
mod decode;
mod doctor;
mod drill;
mod failure;
mod incident;
mod journal;
mod ledger;
mod market;
mod operate;
mod output;
mod preflight;
mod probe;
mod profile;
mod replay;
mod request;
mod sweep;
mod terminal;
mod why;

use std::{future::Future, process::ExitCode};

use args::{Command, parse};
use failure::Failure;
use hedge_core::OperatorCommand;

fn main() -> ExitCode {
    let args = match parse() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let result = match &args.command {
        Command::Status(args) => wait(operate::status(args)),
        Command::Halt(args) => wait(operate::order(args, OperatorCommand::Halt)),
        Command::ExitOnly(args) => wait(operate::order(args, OperatorCommand::ExitOnly)),
        Command::Resume(args) => wait(operate::order(args, OperatorCommand::Resume)),
        Command::Flatten(args) => wait(operate::flatten(args)),
        Command::Preflight(args) => wait(preflight::run(args)),
        Command::Arm(args) => wait(arm::arm(args)),
        Command::Disarm(args) => arm::disarm(args),
        Command::Doctor(args) => wait(doctor::run(args)),
        Command::Backtest(args) => backtest::run(args),
        Command::Sweep(args) => sweep::run(args),
        Command::Data(command) => wait(data::run(command)),
        Command::Why(args) => why::run(args),
        Command::Decode(args) => return decode::run(args).unwrap_or_else(Failure::exit),
        Command::Request(command) => request::run(command),
        Command::Probe(command) => wait(probe::run(command)),
        Command::Drill(command) => drill::run_command(command),
        Command::Journal(args) => journal::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Incident(command) => incident::run(command),
        Command::Ledger(command) => ledger::run(command),
        Command::Config(args) => config::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

/// Commands that speak with an executor or a venue.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?
        .block_on(command)
}
