//! A lock that names its holder, and that a dead process cannot leave behind.

use std::{
    fs::{self, File, TryLockError},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use hedge_core::StoreError;

use crate::disk::{failed, private};

/// Takes the lock file for as long as the returned file lives. Errors: [`StoreError::Locked`] naming the holder of `what`.
pub(crate) fn hold(path: &Path, what: &Path) -> Result<File, StoreError> {
    let doing = || format!("locking {}", path.display());
    let mut file =
        private().read(true).write(true).create(true).truncate(false).open(path).map_err(failed(doing()))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| writeln!(file, "{}", std::process::id()))
                .map_err(failed(doing()))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(path).unwrap_or_default();
            let holder = match holder.trim() {
                "" => "process unknown".to_owned(),
                pid => format!("pid {pid}"),
            };
            Err(StoreError::Locked { what: what.display().to_string(), holder })
        }
        Err(TryLockError::Error(error)) => Err(failed(doing())(error)),
    }
}
