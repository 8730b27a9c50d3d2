//! A folder for one drill, which goes away with it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::DrillError;

/// A temporary folder that only its owner can read.
#[derive(Debug)]
pub(super) struct Workplace(PathBuf);

impl Workplace {
    pub(super) fn new(name: &str) -> Result<Self, DrillError> {
        let path = env::temp_dir().join(format!("hedge-drill-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        private_folder(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes a folder and those above it; only its owner can read it.
pub(super) fn private_folder(path: &Path) -> Result<(), DrillError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(DrillError::disk(path))
}

/// Writes a file; only its owner can read it.
pub(super) fn private_file(path: &Path, bytes: &[u8]) -> Result<(), DrillError> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut file| file.write_all(bytes)).map_err(DrillError::disk(path))
}
