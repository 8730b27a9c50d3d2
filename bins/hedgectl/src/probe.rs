//! `hedgectl probe`: what the venue's documentation leaves open, tried out on a demo venue.

use clap::{Args, Subcommand};
use hedge_core::{Environment, InstrumentId, PreflightPass, PreflightReport, Symbol, Venue, VenueReader};
use hedge_desk::probe;

use crate::{
    args::{ProfileArgs, symbol},
    failure::Failure,
    output,
    profile::Setup,
    terminal,
};

/// Try out on a demo venue what its documentation leaves open.
#[derive(Debug, Subcommand)]
pub(crate) enum ProbeCommand {
    Deadman(DeadmanArgs),
}

/// Does the countdown over a symbol's open orders cancel stops too?
///
/// Places a small order far below the mark and a stop on a symbol where nothing is open, lets the countdown run out, looks
/// what is left, and takes everything away again. Exit code 0 with the answer, 1 without one.
///
/// Example: hedgectl probe deadman --profile testnet --symbol XRPUSDT
#[derive(Debug, Args)]
pub(crate) struct DeadmanArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    /// On which symbol. Default: the last of the universe.
    #[arg(long, value_parser = symbol)]
    symbol: Option<Symbol>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: &ProbeCommand) -> Result<(), Failure> {
    let ProbeCommand::Deadman(args) = command;
    let setup = Setup::load(&args.profile)?;
    let access = setup.access()?;
    let fingerprint = access.client.fingerprint().clone();
    if fingerprint.environment == Environment::Mainnet {
        return Err(Failure::usage(
            "a probe places orders to see them vanish: name a demo venue with --profile testnet",
        ));
    }
    let universe = &setup.config.universe.symbols;
    let symbol = args.symbol.or_else(|| universe.last().copied());
    let symbol = symbol.ok_or_else(|| Failure::usage("no symbol; name one with --symbol"))?;
    let instrument = InstrumentId::new(Venue::Binance, symbol);
    eprint!("{}", probe::plan(&instrument, &fingerprint.to_string()));
    if !args.yes {
        if !terminal::is_there() {
            return Err(Failure::usage("nothing was placed: nobody can be asked here; --yes does it"));
        }
        let answer = terminal::ask("Type \"probe\" to do this: ").map_err(Failure::failed)?;
        if answer != "probe" {
            return Err(Failure::failed("nothing was placed"));
        }
    }
    let now = access.clock.now();
    let report = PreflightReport { fingerprint, checks: Vec::new() };
    let pass = PreflightPass::issue(&report, None, "", now).map_err(Failure::failed)?;
    let client = access.client.arm(pass, now).map_err(Failure::failed)?;
    let found = probe::dead_man(&client, instrument).await.map_err(Failure::failed)?;
    if args.json {
        output::line(&serde_json::to_string(&found).map_err(Failure::failed)?);
    } else {
        output::line(&found.to_string());
    }
    Ok(())
}
