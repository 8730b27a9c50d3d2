//! `hedgectl doctor`.

use hedge_core::CheckResult;
use hedge_desk::{
    doctor::{Patient, examine},
    preflight::Table,
};
use serde_json::json;

use crate::{args::DoctorArgs, failure::Failure, output};

pub(crate) async fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let patient = Patient {
        profile: args.profile.profile.clone(),
        config: args.profile.config.config.clone(),
        env_file: args.profile.env.env_file.clone(),
        state_dir: args.profile.state_dir.clone(),
        is_offline: args.offline,
    };
    let checks = examine(&patient, &mut |line| eprintln!("{line}")).await;
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.result == CheckResult::Failed)
        .map(|check| check.name.as_str())
        .collect();
    if args.json {
        output::line(&json!({ "ok": failed.is_empty(), "checks": checks }).to_string());
    } else {
        output::print(&Table(&checks).to_string());
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!("not fit to run an executor: {}", failed.join(", "))))
    }
}
