//! All checks, from what must work first to what builds on it.

use std::path::{Path, PathBuf};

use hedge_core::PreflightCheck;

use super::{machine, network, setup, setup::Setup};
use crate::preflight::{disk, fence, permissions};

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct Patient {
    /// Profile, as the flag names it.
    pub profile: Option<String>,
    /// Folder of the configuration.
    pub config: Option<PathBuf>,
    /// File with variables.
    pub env_file: Option<PathBuf>,
    /// State directory; the profile's own otherwise.
    pub state_dir: Option<PathBuf>,
    /// Whether nothing may be sent anywhere.
    pub is_offline: bool,
}

/// Looks at everything. A check that fails is what keeps an executor from running, or from running safely. `say` gets the
/// line that comes before the first request.
pub async fn examine(patient: &Patient, say: &mut dyn FnMut(&str)) -> Vec<PreflightCheck> {
    let (mut checks, setup) = setup::look(patient);
    let Some(setup) = setup else { return checks };
    checks.push(machine::time_service());
    if !patient.is_offline {
        checks.extend(network::look(patient, &setup, say).await);
    }
    checks.extend(of_state(&setup).await);
    checks
}

async fn of_state(setup: &Setup) -> Vec<PreflightCheck> {
    let dir: &Path = &setup.state_dir;
    let mut checks = vec![machine::owner(dir, &setup.mode), permissions(dir), disk(dir, &setup.config)];
    checks.push(machine::journal(dir, &setup.config));
    checks.extend(machine::followers(dir, &setup.config));
    checks.push(fence(dir));
    checks.push(machine::executor(dir).await);
    checks
}
