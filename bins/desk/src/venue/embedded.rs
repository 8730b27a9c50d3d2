//! Where the exchange of a running executor listens: `<state>/exchange.json`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use hedge_core::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::runs::write_private;

const FILE: &str = "exchange.json";

/// The simulated exchange that an executor trades at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// REST base.
    pub rest_url: String,
    /// WebSocket base.
    pub ws_url: String,
    /// The executor's process.
    pub pid: u32,
    /// How its clock runs; absent where it waits for the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
}

/// A clock that runs evenly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// How many times as fast as wall time.
    pub speed: f64,
    /// What it showed …
    pub venue: Timestamp,
    /// … when the machine's clock showed this.
    pub wall: Timestamp,
}

impl Pace {
    /// What it shows when the machine's clock shows `wall`.
    pub fn at(&self, wall: Timestamp) -> Timestamp {
        let passed = wall.since(self.wall).as_secs_f64() * self.speed;
        self.venue.plus(Duration::try_from_secs_f64(passed).unwrap_or_default())
    }
}

/// No exchange can be reached through a state directory.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// Nobody runs one.
    #[error(
        "no executor runs in {}: its exchange lives only as long as it does; start hedge-executor with that --state-dir",
        .0.display()
    )]
    NobodyThere(PathBuf),
    /// The file cannot be used.
    #[error("{path}: {detail}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

impl Exchange {
    /// What the executor in that directory has written. Errors: [`EmbeddedError::NobodyThere`] also when the process that
    /// wrote it has ended without removing it.
    pub fn load(state_dir: &Path) -> Result<Self, EmbeddedError> {
        let path = state_dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(EmbeddedError::NobodyThere(state_dir.to_owned()));
            }
            Err(error) => return Err(EmbeddedError::File { path, detail: error.to_string() }),
        };
        let exchange: Self = serde_json::from_slice(&text).map_err(|error| EmbeddedError::File {
            path,
            detail: format!("not an exchange's address ({error})"),
        })?;
        if is_gone(exchange.pid) {
            return Err(EmbeddedError::NobodyThere(state_dir.to_owned()));
        }
        Ok(exchange)
    }
}

/// The file of an exchange that is up; gone when this value is.
#[derive(Debug)]
pub struct ExchangeFile(PathBuf);

impl ExchangeFile {
    /// Writes the file, for its owner only. Errors: the disk's, with the file's name.
    pub fn write(state_dir: &Path, exchange: &Exchange) -> Result<Self, EmbeddedError> {
        let path = state_dir.join(FILE);
        let bad = |detail: String| EmbeddedError::File { path: path.clone(), detail };
        let text = serde_json::to_string(exchange).map_err(|error| bad(error.to_string()))?;
        write_private(&path, (text + "\n").as_bytes()).map_err(|error| bad(error.to_string()))?;
        Ok(Self(path))
    }
}

impl Drop for ExchangeFile {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Whether a process has certainly ended. Where that cannot be seen, connecting will tell.
fn is_gone(pid: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && !processes.join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> Exchange {
        Exchange {
            rest_url: "http://127.0.0.1:1".to_owned(),
            ws_url: "ws://127.0.0.1:2".to_owned(),
            pid: std::process::id(),
            pace: Some(Pace {
                speed: 60.0,
                venue: Timestamp::from_ms(1_000),
                wall: Timestamp::from_ms(2_000),
            }),
        }
    }

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("hedge-exchange-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn the_file_lives_as_long_as_the_exchange() {
        let dir = folder("lives");
        let text = Exchange::load(&dir).unwrap_err().to_string();
        assert!(text.starts_with("no executor runs in ") && !text.contains('\n'), "{text}");
        let file = ExchangeFile::write(&dir, &exchange()).unwrap();
        assert_eq!(Exchange::load(&dir).unwrap(), exchange());
        drop(file);
        assert!(Exchange::load(&dir).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_fast_clock_is_known_at_any_later_time() {
        let pace = exchange().pace.unwrap();
        assert_eq!(pace.at(Timestamp::from_ms(3_000)), Timestamp::from_ms(61_000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_of_a_process_that_was_killed_counts_as_none() {
        let dir = folder("killed");
        // No process has the largest number: the kernel's bound is far below it.
        let _file = ExchangeFile::write(&dir, &Exchange { pid: u32::MAX, ..exchange() }).unwrap();
        assert!(matches!(Exchange::load(&dir), Err(EmbeddedError::NobodyThere(_))));
        fs::remove_dir_all(&dir).unwrap();
    }
}
