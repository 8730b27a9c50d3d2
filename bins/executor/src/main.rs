//! `hedge-executor`: trades what the configuration says. Without arguments it plays the paper profile on an exchange of its
//! own: generated prices, real sockets, signed orders, and a report at the end.

mod args;

use std::process::ExitCode;

use args::Args;
use clap::Parser;
use hedge_desk::{
    config::{Config, ConfigError, Mode, Profile, resolve},
    env::Env,
    logging::{self, Sink},
    trade::{self, Finished, Setup, TradeError, fingerprint},
};
use hedge_runtime::Shutdown;

fn main() -> ExitCode {
    let args = Args::parse();
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("hedge-executor: {message}");
            ExitCode::from(code)
        }
    }
}

/// What files and variables say.
struct Read {
    env: Env,
    config: Config,
    mode: Mode,
}

impl Read {
    fn now(args: &Args) -> Result<Self, (u8, String)> {
        let unusable = |error: ConfigError| (78, error.to_string());
        let env = Env::load(args.env_file.as_deref()).map_err(unusable)?;
        let config = Config::load(args.config.as_deref(), &env).map_err(unusable)?;
        let mode = resolve(args.profile.as_deref(), &env, &config)
            .map_err(|error| (error.exit_code(), error.to_string()))?;
        Ok(Self { env, config, mode })
    }

    fn tell(&self) {
        self.config.notes.iter().for_each(|note| eprintln!("warning: {note}"));
        self.mode.audit().iter().for_each(|line| eprintln!("{line}"));
    }
}

/// Runs; and where the configuration has changed while this process stood by, with the one that is there now.
async fn run(args: &Args, mut read: Read, sink: &Sink) -> Result<Finished, TradeError> {
    let shutdown = Shutdown::new();
    if let Err(error) = shutdown.on_signals() {
        eprintln!("hedge-executor: signals are not handled ({error}); stop it with kill -9 only");
    }
    let fingerprint = || match Read::now(args) {
        Ok(read) => Ok(fingerprint(&read.config, &read.env)),
        Err((_, problems)) => Err(problems.lines().next().unwrap_or_default().to_owned()),
    };
    loop {
        let Read { env, config, mode } = &read;
        let setup = Setup { mode, config, env, sink };
        let options = args.options(mode.profile);
        match trade::run_standing_by(setup, &options, shutdown.clone(), &fingerprint).await {
            Err(TradeError::Reconfigured) => {}
            finished => return finished,
        }
        // Whoever changes it once more, and badly, finds the run with the last one that was good.
        if let Ok(now) = Read::now(args) {
            read = now;
            read.tell();
        }
    }
}

fn start(args: &Args) -> Result<(), (u8, String)> {
    if let Some(name) = &args.profile {
        // A name that is none is bad usage, whatever the configuration says.
        name.parse::<Profile>().map_err(|sentence| (2, sentence))?;
    }
    let read = Read::now(args)?;
    let (log, follow) = (read.config.runtime.log.clone(), args.options(read.mode.profile).follow);
    let format = args.log.unwrap_or_else(|| log.format.into());
    let sink = match &log.file {
        Some(path) => Sink::file(format, path).map_err(|error| {
            (
                78,
                format!(
                    "log.file: {} cannot be opened ({error}); name a file in a folder that exists",
                    path.display()
                ),
            )
        })?,
        // Who follows wants to see each line as it is written.
        None if follow => Sink::stdout(format).eager(),
        None => Sink::stdout(format),
    };
    logging::init(&sink, &log.level);
    // Without a file as well: a closed terminal must not end the trading without a shutdown.
    if let Err(error) = logging::reopen_on_hangup(&sink) {
        eprintln!("hedge-executor: SIGHUP is not handled ({error}) and would end this process");
    }
    read.tell();

    // One thread on purpose: exchange, client and engine take turns in the same order every time.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (1, format!("cannot start: {error}")))?;
    let finished = runtime.block_on(run(args, read, &sink));
    sink.flush();
    finished.map_err(|error: TradeError| (error.exit_code(), error.to_string()))?;
    // Trading went on without it; the journal and the report hold everything.
    match sink.failure() {
        Some(failure) => {
            let place = log.file.as_ref().map_or("stdout".to_owned(), |path| path.display().to_string());
            Err((1, format!("{place} could not be written ({failure}); the run is complete")))
        }
        None => Ok(()),
    }
}
