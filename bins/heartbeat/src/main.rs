//! `hedge-heartbeat`: the eight-hour message. Reads the state directory beside a running executor, asks the exchange where
//! that is not enough, prints, and sends to Telegram if told to. It never fails its cron.

mod executor;
mod gather;
mod setup;
mod state;
mod telegram;
mod venue;
mod zone;

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Parser;
use hedge_desk::config::Profile;
use setup::Setup;
use telegram::{Patience, Telegram};

/// Print the eight-hour message: NAV, its change in a day, drawdown, positions, recent trades. `--send` posts it.
///
/// What cannot be read is named in the message; what failed is one line on stderr, and the exit code is 0 all the same, so
/// that a cron job does not fail. Wrong arguments are 2.
///
/// Example: hedge-heartbeat --state-dir /var/lib/hedge --send
#[derive(Debug, Parser)]
#[command(name = "hedge-heartbeat", version)]
pub(crate) struct Args {
    /// State directory. Default: `state` (EVENT_STORE_ROOT) when a live profile owns it, else the last paper run.
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Which profile: paper, testnet, mainnet-dry or mainnet. Default: the one that owns the state directory.
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<Profile>,
    /// Configuration folder. Default: `config`, else what is built in.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// File with variables; only its owner may be able to read it. Default: `.env` if it is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// Post the text with TELEGRAM_BOT_TOKEN to TELEGRAM_CHAT_ID.
    #[arg(long)]
    pub(crate) send: bool,
    /// Print the JSON twin, on one line, instead of the text.
    #[arg(long)]
    pub(crate) json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let setup = Setup::load(&args);
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(beat(&args, &setup)),
        Err(error) => complain(&format!("cannot start: {error}")),
    }
    ExitCode::SUCCESS
}

async fn beat(args: &Args, setup: &Setup) {
    let heartbeat = gather::heartbeat(args, setup).await;
    let (face, problem) = zone::face(&setup.zone(), heartbeat.at);
    problem.iter().for_each(|problem| complain(problem));
    let text = heartbeat.text(&face);
    let shown = if args.json { heartbeat.json() } else { text.clone() };
    if let Err(error) = writeln!(std::io::stdout(), "{shown}") {
        complain(&format!("stdout could not be written: {error}"));
    }
    if args.send {
        let sent = match Telegram::from_env(&setup.env, &setup.telegram_url(), Patience::default()) {
            Ok(telegram) => telegram.send(&text).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(sent) => complain(&sent.to_string()),
            Err(error) => complain(&format!("not sent: {error}")),
        }
    }
}

/// One line on stderr: a cron's log is read from there.
pub(crate) fn complain(what: &str) {
    let _ = writeln!(std::io::stderr(), "hedge-heartbeat: {}", what.replace('\n', "; "));
}
