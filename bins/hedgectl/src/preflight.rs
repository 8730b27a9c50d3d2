//! `hedgectl preflight`.

use hedge_core::PreflightReport;
use hedge_desk::preflight::{Table, look};
use serde_json::json;

use crate::{args::PreflightArgs, failure::Failure, output, profile::Setup};

pub(crate) async fn run(args: &PreflightArgs) -> Result<(), Failure> {
    let setup = Setup::load(&args.profile)?;
    let report = report(&setup).await?;
    if args.json {
        let ok = report.failures().next().is_none();
        let shown = json!({ "ok": ok, "fingerprint": report.fingerprint, "checks": report.checks });
        output::line(&shown.to_string());
    } else {
        output::print(&Table(&report.checks).to_string());
    }
    judge(&report)
}

/// Looks at everything.
pub(crate) async fn report(setup: &Setup) -> Result<PreflightReport, Failure> {
    let access = setup.access()?;
    let symbols = &setup.config.universe.symbols;
    Ok(look(&access, &setup.config, &setup.mode, Some(&setup.state_dir), symbols).await)
}

/// A failed check is exit code 10.
pub(crate) fn judge(report: &PreflightReport) -> Result<(), Failure> {
    let failed: Vec<&str> = report.failures().map(|check| check.name.as_str()).collect();
    match failed.len() {
        0 => Ok(()),
        _ => Err(Failure::preflight(format!("preflight failed: {}", failed.join(", ")))),
    }
}
