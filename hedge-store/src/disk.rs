//! Files and folders that only their owner can read, replaced in one piece, with errors that say what to do.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::Path,
};

use hedge_core::StoreError;

/// Wraps an I/O error with what was being done and, where the cause is known, what helps.
pub(crate) fn failed(doing: impl Into<String>) -> impl FnOnce(io::Error) -> StoreError {
    let doing = doing.into();
    move |error| {
        let source = match remedy(error.kind()) {
            Some(remedy) => io::Error::new(error.kind(), format!("{error}; {remedy}")),
            None => error,
        };
        StoreError::Io { doing, source: source.into() }
    }
}

fn remedy(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some("free some space on that disk, then start again: what was journalled before is intact")
        }
        ErrorKind::ReadOnlyFilesystem => {
            Some("mount it writable or choose another state directory with --state-dir")
        }
        ErrorKind::PermissionDenied => {
            Some("run as the owner of the state directory or choose another one with --state-dir")
        }
        _ => None,
    }
}

/// Creates a folder and its parents. New folders are 0700 on Unix; existing ones stay as they are.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options for a file that is 0600 on Unix when they create it.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes creations, renames and removals in a folder durable. A no-op where folders cannot be opened.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Replaces `dir/name` in one piece: readers see the old text or the new one, never a part.
pub(crate) fn replace(dir: &Path, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    replace_unless(dir, name, parts, || Ok(()))
}

/// The same, unless `refused` has something against it when the new text is written and not yet in place.
pub(crate) fn replace_unless(
    dir: &Path,
    name: &str,
    parts: &[&[u8]],
    refused: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let temporary = dir.join(format!(".{name}.tmp"));
    let mut file = private().write(true).create(true).truncate(true).open(&temporary)?;
    for part in parts {
        file.write_all(part)?;
    }
    drop(file);
    refused()?;
    fs::rename(&temporary, dir.join(name))
}

/// Like [`replace`], and durable when it returns. Several processes may do it at the same time; the last one wins.
/// `prepare` sees the new file before anybody else does.
pub(crate) fn replace_durably(
    dir: &Path,
    name: &str,
    text: &[u8],
    prepare: impl Fn(&Path),
) -> io::Result<()> {
    let temporary = dir.join(format!(".{name}.{}.tmp", std::process::id()));
    let write = || {
        let mut file = private().write(true).create(true).truncate(true).open(&temporary)?;
        file.write_all(text)?;
        file.sync_all()?;
        prepare(&temporary);
        fs::rename(&temporary, dir.join(name))
    };
    if let Err(error) = write() {
        fs::remove_file(&temporary).ok();
        return Err(error);
    }
    sync_dir(dir)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        path::PathBuf,
        sync::atomic::{AtomicU64, Ordering},
    };

    use super::*;

    /// A folder that vanishes with the value.
    pub(crate) struct TempDir(pub(crate) PathBuf);

    impl TempDir {
        pub(crate) fn new() -> Self {
            static COUNT: AtomicU64 = AtomicU64::new(0);
            let name =
                format!("hedge-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            create_private_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for TempDir {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn a_full_disk_is_explained() {
        let error = failed("appending")(io::Error::from(ErrorKind::StorageFull));
        let text = error.to_string();
        assert!(text.starts_with("appending failed: "), "{text}");
        assert!(text.contains("free some space"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn new_files_and_folders_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new();
        replace(&dir.0, "a.json", &[b"{}"]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.0), 0o700);
        assert_eq!(mode(&dir.0.join("a.json")), 0o600);
    }
}
