//! One archive from the server to the disk: checksum first, then the file, continued where an earlier attempt stopped.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use hedge_http::{HttpClient, Method, Request};
use sha2::{Digest, Sha256};

use super::{
    archive::Archive,
    error::FetchError,
    gz::{UnpackError, unpack},
    tell::{Tell, size},
};

/// A checksum file is one line.
const LONGEST_CHECKSUM: usize = 4_096;
/// For a whole file: an archive of trades can be gigabytes on a slow line.
const LONGEST: Duration = Duration::from_secs(6 * 3_600);
/// Between two pieces of a file.
const SILENCE: Duration = Duration::from_secs(30);
/// Attempts in a row that bring no byte before a file is given up.
const ATTEMPTS: u32 = 5;

/// Where files come from and where they go.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) http: HttpClient,
    /// Base address of the archive, without a trailing slash.
    pub(super) base: String,
    pub(super) out: PathBuf,
    /// Before the second attempt; doubles with each further one.
    pub(super) pause: Duration,
}

/// What came of one archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// It is in its place.
    Placed,
    /// The server has no such file.
    NotThere,
}

impl Transfer {
    /// Downloads, checks, unpacks. A finished file appears under its name, complete; an unfinished one stays beside it under
    /// another name for the next attempt.
    pub(super) async fn fetch(&self, archive: &Archive, tell: &Tell) -> Result<Came, FetchError> {
        let name = archive.zip_name();
        let Some(expected) = self.checksum(archive).await? else {
            tell.done(&name, "not in the archive");
            return Ok(Came::NotThere);
        };
        let target = archive.target(&self.out);
        let partial = partial_of(&target);
        let folder = archive.track.folder(&self.out);
        fs::create_dir_all(&folder).map_err(FetchError::disk("creating", &folder))?;
        for last in [false, true] {
            if !self.download(archive, &partial, tell).await? {
                tell.done(&name, "not in the archive");
                return Ok(Came::NotThere);
            }
            let found = blocking({
                let partial = partial.clone();
                move || sha256(&partial)
            })
            .await
            .map_err(FetchError::disk("reading", &partial))?;
            if found == expected {
                let bytes = self.place(archive, &partial, &target).await?;
                tell.done(&name, &format!("{}, checksum ok", size(bytes)));
                return Ok(Came::Placed);
            }
            fs::remove_file(&partial).map_err(FetchError::disk("removing", &partial))?;
            if last {
                return Err(FetchError::Checksum { file: archive.url(&self.base), found, expected });
            }
            tell.note(&format!("{name}: the checksum is wrong, downloading once more"));
        }
        Ok(Came::NotThere)
    }

    async fn place(&self, archive: &Archive, partial: &Path, target: &Path) -> Result<u64, FetchError> {
        let bytes = fs::metadata(partial).map_err(FetchError::disk("reading", partial))?.len();
        let (zip, csv, place) = (partial.to_owned(), archive.csv_name(), target.to_owned());
        match blocking(move || Ok(unpack(&zip, &csv, &place))).await {
            Ok(Ok(())) => {}
            Ok(Err(UnpackError::Bad(why))) => {
                fs::remove_file(partial).map_err(FetchError::disk("removing", partial))?;
                return Err(FetchError::Archive { file: archive.url(&self.base), why });
            }
            Ok(Err(UnpackError::Disk(source))) | Err(source) => {
                return Err(FetchError::disk("writing", target)(source));
            }
        }
        fs::remove_file(partial).map_err(FetchError::disk("removing", partial))?;
        Ok(bytes)
    }

    /// The checksum that the archive states; `None` when there is no such file.
    async fn checksum(&self, archive: &Archive) -> Result<Option<String>, FetchError> {
        let url = format!("{}.CHECKSUM", archive.url(&self.base));
        let mut pause = self.pause;
        for attempt in 1.. {
            let answer = self.http.send(Request::new(Method::Get, &url)).await;
            let why = match answer {
                Ok(answer) if answer.status == 404 => return Ok(None),
                Ok(answer) if answer.status == 200 && answer.body.len() <= LONGEST_CHECKSUM => {
                    let text = String::from_utf8_lossy(&answer.body).into_owned();
                    let sum = checksum_of(&text, &archive.zip_name());
                    return sum.map(Some).map_err(|why| FetchError::Server { file: url, why });
                }
                Ok(answer) if !may_pass(answer.status) => {
                    return Err(FetchError::Server { file: url, why: refused(answer.status) });
                }
                Ok(answer) => refused(answer.status),
                Err(error) => error.to_string(),
            };
            if attempt >= ATTEMPTS {
                return Err(FetchError::Server { file: url, why });
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(None)
    }

    /// Brings the partial file to its end. `false` when there is no such file.
    async fn download(&self, archive: &Archive, partial: &Path, tell: &Tell) -> Result<bool, FetchError> {
        let url = archive.url(&self.base);
        let (mut failures, mut pause) = (0, self.pause);
        loop {
            let before = length(partial);
            match self.attempt(archive, partial, tell).await? {
                Attempt::Complete => return Ok(true),
                Attempt::NotThere => return Ok(false),
                Attempt::Refused(why) => return Err(FetchError::Server { file: url, why }),
                // A cut after some progress is no failure in a row.
                Attempt::Cut(_) if length(partial) > before => (failures, pause) = (0, self.pause),
                Attempt::Cut(why) => {
                    failures += 1;
                    if failures >= ATTEMPTS {
                        return Err(FetchError::Server { file: url, why });
                    }
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
    }

    async fn attempt(&self, archive: &Archive, partial: &Path, tell: &Tell) -> Result<Attempt, FetchError> {
        let have = length(partial);
        let mut request = Request::new(Method::Get, archive.url(&self.base)).timeout(LONGEST);
        if have > 0 {
            request = request.header("range", format!("bytes={have}-"));
        }
        let mut answer = match self.http.open(request, SILENCE).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Attempt::Cut(error.to_string())),
        };
        let mut options = OpenOptions::new();
        let file = match answer.status {
            200 => options.create(true).write(true).truncate(true).open(partial),
            206 if answer.first_byte == Some(have) => options.append(true).open(partial),
            404 => return Ok(Attempt::NotThere),
            // There is nothing behind what we have: the checksum says whether it is all.
            416 if have > 0 => return Ok(Attempt::Complete),
            206 => {
                fs::remove_file(partial).map_err(FetchError::disk("removing", partial))?;
                return Ok(Attempt::Cut("the server sent another part than was asked for".to_owned()));
            }
            status if may_pass(status) => return Ok(Attempt::Cut(refused(status))),
            status => return Ok(Attempt::Refused(refused(status))),
        };
        let mut file = file.map_err(FetchError::disk("writing", partial))?;
        let name = archive.zip_name();
        loop {
            match answer.piece().await {
                Ok(Some(piece)) => {
                    file.write_all(piece.as_ref()).map_err(FetchError::disk("writing", partial))?;
                    tell.received(&name, piece.as_ref().len());
                }
                Ok(None) => return Ok(Attempt::Complete),
                Err(error) => return Ok(Attempt::Cut(error.to_string())),
            }
        }
    }
}

enum Attempt {
    Complete,
    NotThere,
    /// For good.
    Refused(String),
    /// Perhaps better next time.
    Cut(String),
}

/// Whether a status is one that goes away by itself.
const fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

fn refused(status: u16) -> String {
    format!("the server answers with status {status}")
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// `klines_1m/.BTCUSDT-1m-2025-01.zip.part`: no reader of the folder takes it for data.
fn partial_of(target: &Path) -> PathBuf {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    target.with_file_name(format!(".{}.zip.part", name.trim_end_matches(".csv.gz")))
}

/// The sum in `<sha256 hex>  <file name>`. Errors: a sentence.
fn checksum_of(text: &str, name: &str) -> Result<String, String> {
    let shown = || text.trim().chars().take(80).collect::<String>();
    let mut words = text.split_whitespace();
    let (sum, of) = (words.next().unwrap_or_default(), words.next().map(|of| of.trim_start_matches('*')));
    if sum.len() != 64 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("found {:?}, expected 64 hex digits and the file name", shown()));
    }
    if of.is_some_and(|of| of != name) {
        return Err(format!("found {:?}, expected the checksum of {name}", shown()));
    }
    Ok(sum.to_ascii_lowercase())
}

fn sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Work that would keep the other downloads waiting.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_file_is_a_sum_and_the_name_it_is_of() {
        let sum = "ab".repeat(32);
        for text in [format!("{sum}  a.zip\n"), format!("{} *a.zip", sum.to_uppercase()), sum.clone()] {
            assert_eq!(checksum_of(&text, "a.zip"), Ok(sum.clone()));
        }
        assert!(
            checksum_of(&format!("{sum}  b.zip"), "a.zip")
                .unwrap_err()
                .contains("expected the checksum of a.zip")
        );
        assert!(checksum_of("<html>", "a.zip").unwrap_err().contains("64 hex digits"));
    }
}
