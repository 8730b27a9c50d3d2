//! Helpers of the system tests that live beside this package's manifest.

use std::path::{Path, PathBuf};

/// The workspace's top folder.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
