//! The file: only its owner may read or write it, and it is replaced in one piece.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use hedge_core::{Environment, OperatorConsent, Timestamp, Venue, VenueFingerprint};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::runs::write_private;

/// Its name in the state directory.
pub const FILE: &str = "consent.json";
/// Nobody writes more than this; a larger file is not ours.
const LONGEST: u64 = 64 * 1_024;

/// A consent that cannot be read or written. Whoever reads it must take it for none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConsentError {
    /// Others could have changed it.
    #[error("{path}: others may access it (mode {mode:04o}); look at it, then run: chmod 600 {path}", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Somebody else wrote it.
    #[error(
        "{path}: it belongs to user {owner}, the state directory to user {wanted}; run hedgectl arm again",
        path = path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it should be.
        wanted: u32,
    },
    /// It is not what `hedgectl arm` writes.
    #[error("{path}: not a consent ({detail}); run hedgectl arm again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The disk said no.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The file's content: flat, with times that people can read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    venue: Venue,
    environment: Environment,
    host: String,
    key_digest: String,
    config_hash: String,
    operator: String,
    given_at: String,
    expires_at: String,
}

impl From<&OperatorConsent> for Text {
    fn from(consent: &OperatorConsent) -> Self {
        let of = consent.fingerprint.clone();
        Self {
            venue: of.venue,
            environment: of.environment,
            host: of.host,
            key_digest: of.key_digest,
            config_hash: consent.config_hash.clone(),
            operator: consent.operator.clone(),
            given_at: consent.given_at.to_string(),
            expires_at: consent.expires_at.to_string(),
        }
    }
}

impl Text {
    fn consent(self) -> Result<OperatorConsent, String> {
        let time = |name: &str, text: &str| {
            text.parse::<Timestamp>().map_err(|_| format!("{name} = {text:?} is not a time"))
        };
        Ok(OperatorConsent {
            given_at: time("given_at", &self.given_at)?,
            expires_at: time("expires_at", &self.expires_at)?,
            fingerprint: VenueFingerprint {
                venue: self.venue,
                environment: self.environment,
                host: self.host,
                key_digest: self.key_digest,
            },
            config_hash: self.config_hash,
            operator: self.operator,
        })
    }
}

/// The consent in a state directory; `None` when nobody gave one.
///
/// Errors: a file that others may read or write, that somebody else owns, or that is damaged. Each means: no consent.
pub fn load(state_dir: &Path) -> Result<Option<OperatorConsent>, ConsentError> {
    let path = state_dir.join(FILE);
    let io = |source| ConsentError::Io { path: path.clone(), source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    // Of the open file: the name could be exchanged meanwhile.
    refuse_if_exposed(&path, &file, state_dir)?;
    let damaged = |detail: String| ConsentError::Damaged { path: path.clone(), detail };
    let mut text = String::new();
    match file.take(LONGEST).read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(damaged(error.to_string())),
        Err(error) => return Err(io(error)),
    }
    let text: Text = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    text.consent().map(Some).map_err(damaged)
}

/// Writes a consent in place of an older one, in one piece, readable by its owner only. The directory must exist.
pub fn save(state_dir: &Path, consent: &OperatorConsent) -> Result<PathBuf, ConsentError> {
    let path = state_dir.join(FILE);
    let io = |source| ConsentError::Io { path: path.clone(), source };
    let text = serde_json::to_string_pretty(&Text::from(consent)).map_err(|error| io(error.into()))?;
    write_private(&path, (text + "\n").as_bytes()).map_err(io)?;
    give_to_owner(&path, state_dir).map_err(io)?;
    sync(state_dir).map_err(io)?;
    Ok(path)
}

/// Takes the consent back, also one that cannot be read. Returns whether there was one.
pub fn remove(state_dir: &Path) -> Result<bool, ConsentError> {
    let path = state_dir.join(FILE);
    let io = |source| ConsentError::Io { path: path.clone(), source };
    match fs::remove_file(&path) {
        Ok(()) => sync(state_dir).map(|()| true).map_err(io),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io(error)),
    }
}

/// Makes the renaming or the removal itself durable.
#[cfg(unix)]
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whoever consents with `sudo` consents for the user that the executor runs as.
#[cfg(unix)]
fn give_to_owner(path: &Path, dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let (file, dir) = (fs::metadata(path)?, fs::metadata(dir)?);
    if file.uid() == dir.uid() {
        return Ok(());
    }
    chown(path, Some(dir.uid()), Some(dir.gid()))
}

#[cfg(not(unix))]
fn give_to_owner(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn refuse_if_exposed(path: &Path, file: &File, state_dir: &Path) -> Result<(), ConsentError> {
    use std::os::unix::fs::MetadataExt;
    let io = |source| ConsentError::Io { path: path.to_owned(), source };
    let (of_file, of_dir) = (file.metadata().map_err(io)?, fs::metadata(state_dir).map_err(io)?);
    let mode = of_file.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(ConsentError::Exposed { path: path.to_owned(), mode });
    }
    if of_file.uid() != of_dir.uid() {
        let (owner, wanted) = (of_file.uid(), of_dir.uid());
        return Err(ConsentError::Foreign { path: path.to_owned(), owner, wanted });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_exposed(_: &Path, _: &File, _: &Path) -> Result<(), ConsentError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::temp::TempDir;

    fn consent() -> OperatorConsent {
        let given_at = Timestamp::from_ms(1_795_168_800_000);
        OperatorConsent {
            fingerprint: VenueFingerprint {
                venue: Venue::Binance,
                environment: Environment::Mainnet,
                host: "https://fapi.binance.com".into(),
                key_digest: "0123456789abcdef".into(),
            },
            config_hash: "c0ffee".into(),
            operator: "ann".into(),
            given_at,
            expires_at: given_at.plus(Duration::from_secs(7 * 86_400)),
        }
    }

    #[test]
    fn a_consent_is_read_as_it_was_written_and_people_can_read_it_too() {
        let temp = TempDir::new();
        assert_eq!(load(&temp.0).unwrap(), None);
        let path = save(&temp.0, &consent()).unwrap();
        assert_eq!(load(&temp.0).unwrap(), Some(consent()));
        let text = fs::read_to_string(path).unwrap();
        for part in [
            "\"environment\": \"mainnet\"",
            "\"given_at\": \"2026-11-20T10:00:00.000Z\"",
            "\"operator\": \"ann\"",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(remove(&temp.0).unwrap());
        assert!(!remove(&temp.0).unwrap());
        assert_eq!(load(&temp.0).unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_consent_that_others_may_read_or_write_is_none() {
        use std::os::unix::fs::PermissionsExt;
        let temp = TempDir::new();
        let path = save(&temp.0, &consent()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o602, 0o620, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let text = load(&temp.0).unwrap_err().to_string();
            assert!(text.contains(&format!("others may access it (mode {mode:04o})")), "{text}");
            assert!(text.ends_with(&format!("chmod 600 {}", path.display())), "{text}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(load(&temp.0).unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_consent_belongs_to_the_user_of_the_state_directory_whoever_gave_it() {
        use std::os::unix::fs::{MetadataExt, chown};
        let temp = TempDir::new();
        if chown(&temp.0, Some(12_345), Some(12_345)).is_err() {
            println!("SKIP: only root can give a directory away");
            return;
        }
        let path = save(&temp.0, &consent()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), 12_345);
        assert_eq!(load(&temp.0).unwrap(), Some(consent()));
        chown(&path, Some(0), Some(0)).unwrap();
        assert!(matches!(load(&temp.0), Err(ConsentError::Foreign { owner: 0, wanted: 12_345, .. })));
    }

    #[test]
    fn an_older_file_that_others_could_read_is_replaced_by_one_that_they_cannot() {
        let temp = TempDir::new();
        fs::write(temp.0.join(FILE), "old").unwrap();
        save(&temp.0, &consent()).unwrap();
        assert_eq!(load(&temp.0).unwrap(), Some(consent()));
    }

    #[test]
    fn a_damaged_consent_is_an_error_and_not_none() {
        let temp = TempDir::new();
        let whole = serde_json::to_string(&Text::from(&consent())).unwrap();
        let cases = [
            (String::new(), "EOF"),
            ("{}".to_owned(), "missing field"),
            (whole.replace("ann\"", "ann\",\"more\":1"), "unknown field"),
            (whole.replace("2026-11-20T10", "yesterday"), "is not a time"),
            (whole.replace("\"mainnet\"", "\"moon\""), "unknown variant"),
        ];
        for (text, wanted) in cases {
            write_private(&temp.0.join(FILE), text.as_bytes()).unwrap();
            let error = load(&temp.0).unwrap_err();
            assert!(matches!(error, ConsentError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }
}
