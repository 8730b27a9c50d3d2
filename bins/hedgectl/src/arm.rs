//! `hedgectl arm` and `hedgectl disarm`.

use std::{fs::DirBuilder, path::Path};

use hedge_core::Environment;
use hedge_desk::{
    config::Profile,
    consent::{self, Offer},
    env::Env,
    operate,
    preflight::Table,
};

use crate::{
    args::{ArmArgs, DisarmArgs},
    failure::Failure,
    output, preflight,
    profile::Setup,
    terminal,
};

pub(crate) async fn arm(args: &ArmArgs) -> Result<(), Failure> {
    let setup = Setup::load(&args.profile)?;
    let profile = setup.mode.profile;
    if profile != Profile::Mainnet {
        output::line(&format!("profile {profile} trades no real money: no consent is needed"));
        return Ok(());
    }
    let is_here = setup.config.runtime.binance.is_on_this_machine();
    if is_here && !args.rehearse {
        output::line(
            "the exchange is on this machine and trades no real money: no consent is needed (--rehearse practises one)",
        );
        return Ok(());
    }
    if !terminal::is_there() {
        return Err(Failure::failed(
            "a person must consent at a terminal; this is none, so nothing was written",
        ));
    }
    let report = preflight::report(&setup).await?;
    output::print(&Table(&report.checks).to_string());
    preflight::judge(&report)?;
    let account = &report.fingerprint;
    if account.environment != Environment::Mainnet && !args.rehearse {
        return Err(Failure::failed("the client does not speak to mainnet, so nothing was written"));
    }
    let operator = args.operator.clone().unwrap_or_else(terminal::user);
    let config_hash = setup.config.hash();
    let offer = Offer {
        account,
        config_hash: &config_hash,
        operator: &operator,
        days: args.days,
        now: operate::now(),
        limits: &setup.config.limits,
    };
    let typed = terminal::ask(&offer.to_string()).map_err(Failure::failed)?;
    let Some(given) = offer.accept(&typed) else {
        return Err(Failure::failed("that is not the phrase: no consent was given, nothing was written"));
    };
    make(&setup.state_dir)?;
    let path = consent::save(&setup.state_dir, &given).map_err(Failure::failed)?;
    output::line(&format!("{} consented until {}: {}", given.operator, given.expires_at, path.display()));
    Ok(())
}

/// The state directory, before an executor has made it.
fn make(dir: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(dir)
        .map_err(|error| Failure::failed(format!("creating {} failed: {error}", dir.display())))
}

pub(crate) fn disarm(args: &DisarmArgs) -> Result<(), Failure> {
    let dir = match &args.state_dir {
        Some(dir) => dir.clone(),
        None => Env::load(args.env.env_file.as_deref())?.switches()?.state_root,
    };
    if consent::remove(&dir).map_err(Failure::failed)? {
        output::line(&format!(
            "the consent in {} is taken back: the next start opens nothing",
            dir.display()
        ));
    } else {
        output::line(&format!("there is no consent in {}", dir.display()));
    }
    Ok(())
}
