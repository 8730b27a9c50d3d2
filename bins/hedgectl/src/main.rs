//! `hedgectl`: what operators ask and check from a shell. Reads; the executor writes.

mod args;
mod backtest;
mod config;
mod failure;
mod journal;
mod output;
mod why;

use std::process::ExitCode;

use args::{Command, parse};

fn main() -> ExitCode {
    let args = match parse() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let result = match &args.command {
        Command::Backtest(args) => backtest::run(args),
        Command::Why(args) => why::run(args),
        Command::Journal(args) => journal::run(args),
        Command::Config(args) => config::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}
