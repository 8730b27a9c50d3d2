//! Sockets by path, also where the path is longer than a socket address can hold.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::{
        fd::AsRawFd,
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

/// The name in a state directory.
pub(super) const NAME: &str = "control.sock";
/// A socket address holds so many bytes of a path, and a zero. Source: unix(7), `sun_path`.
const LONGEST_PATH: usize = 107;

/// A listening socket and what is needed to remove exactly it.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: UnixListener,
    /// The user that this process runs as: who made the socket's file.
    pub(super) owner: u32,
    path: PathBuf,
    inode: (u64, u64),
}

/// Listens at `<dir>/control.sock`, which is its owner's only from the first moment. A socket that is there already is
/// replaced: whoever holds the journal's lock knows that nobody serves it any more.
pub(super) fn bind(dir: &Path) -> io::Result<Bound> {
    let path = dir.join(NAME);
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "there is something that is not a socket"));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let name = format!(".{NAME}.{}", std::process::id());
    let temporary = dir.join(&name);
    fs::remove_file(&temporary).ok();
    let listener = through(dir, &name, UnixListener::bind)?;
    let place = || {
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600))?;
        let made = fs::metadata(&temporary)?;
        fs::rename(&temporary, &path)?;
        Ok((made.uid(), (made.dev(), made.ino())))
    };
    match place() {
        Ok((owner, inode)) => Ok(Bound { listener, owner, path, inode }),
        Err(error) => {
            fs::remove_file(&temporary).ok();
            Err(error)
        }
    }
}

impl Bound {
    /// Removes the file, unless another process has put its own there.
    pub(super) fn remove(&self) {
        let is_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.inode);
        if is_ours {
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Connects to whoever listens there.
pub(super) async fn connect(dir: &Path) -> io::Result<UnixStream> {
    let (path, _open) = address(dir, NAME)?;
    UnixStream::connect(path).await
}

fn through<T>(dir: &Path, name: &str, use_it: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
    let (path, _open) = address(dir, name)?;
    use_it(path)
}

/// A path that fits into an address. A long one goes through the folder's open handle, which must outlive its use.
fn address(dir: &Path, name: &str) -> io::Result<(PathBuf, Option<File>)> {
    let path = dir.join(name);
    if path.as_os_str().as_bytes().len() <= LONGEST_PATH {
        return Ok((path, None));
    }
    let open = File::open(dir)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(name);
    if !Path::new("/proc/self/fd").exists() {
        let text =
            format!("{} has more than {LONGEST_PATH} bytes; use a shorter --state-dir", path.display());
        return Err(io::Error::new(ErrorKind::InvalidInput, text));
    }
    Ok((short, Some(open)))
}
