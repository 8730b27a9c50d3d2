//! From an archive to a file that a backtest reads, without packing it anew.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use flate2::{Compression, Crc, read::DeflateDecoder, write::GzEncoder};

use super::zip::{Entry, Method, only_entry};

/// Gzip with the deflate method, without name and time: the same content gives the same bytes.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Why an archive was not unpacked.
#[derive(Debug)]
pub(super) enum UnpackError {
    /// The archive.
    Bad(String),
    /// The disk.
    Disk(io::Error),
}

/// Unpacks the one file of `zip` into `target`, gzipped. The target appears complete or not at all.
pub(super) fn unpack(zip: &Path, csv_name: &str, target: &Path) -> Result<(), UnpackError> {
    let mut file = File::open(zip).map_err(UnpackError::Disk)?;
    let entry = only_entry(&mut file).map_err(UnpackError::Bad)?;
    if entry.name != csv_name {
        return Err(UnpackError::Bad(format!("it holds {:?}, expected {csv_name:?}", entry.name)));
    }
    check(&mut file, &entry)?;
    file.seek(SeekFrom::Start(entry.start)).map_err(UnpackError::Disk)?;
    let packed = BufReader::new(file).take(u64::from(entry.packed_bytes));
    place(target, |out| write_gz(packed, &entry, out)).map_err(UnpackError::Disk)
}

/// Writes a gzipped file that appears complete or not at all.
pub(super) fn write_gzipped(target: &Path, text: &[u8]) -> io::Result<()> {
    place(target, |out| {
        let mut encoder = GzEncoder::new(out, Compression::default());
        encoder.write_all(text)?;
        encoder.finish().map(|_| ())
    })
}

/// A deflated file becomes a gzip file by another head and tail.
fn write_gz(mut packed: impl Read, entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    match entry.method {
        Method::Deflated => {
            out.write_all(&HEADER)?;
            io::copy(&mut packed, out)?;
            out.write_all(&entry.crc32.to_le_bytes())?;
            out.write_all(&entry.plain_bytes.to_le_bytes())
        }
        Method::Stored => {
            let mut encoder = GzEncoder::new(out, Compression::default());
            io::copy(&mut packed, &mut encoder)?;
            encoder.finish().map(|_| ())
        }
    }
}

/// Unpacks once for nothing: length and CRC-32 must be those of the directory.
fn check(file: &mut File, entry: &Entry) -> Result<(), UnpackError> {
    file.seek(SeekFrom::Start(entry.start)).map_err(UnpackError::Disk)?;
    let packed = BufReader::new(file).take(u64::from(entry.packed_bytes));
    let mut plain: Box<dyn Read> = match entry.method {
        Method::Stored => Box::new(packed),
        Method::Deflated => Box::new(DeflateDecoder::new(packed)),
    };
    let (mut crc, mut bytes, mut buffer) = (Crc::new(), 0_u64, vec![0; 128 * 1024]);
    loop {
        let read = plain
            .read(&mut buffer)
            .map_err(|error| UnpackError::Bad(format!("its content is damaged: {error}")))?;
        if read == 0 {
            break;
        }
        crc.update(&buffer[..read]);
        bytes += read as u64;
        if bytes > u64::from(entry.plain_bytes) {
            break;
        }
    }
    if bytes != u64::from(entry.plain_bytes) || crc.sum() != entry.crc32 {
        return Err(UnpackError::Bad("its content is damaged: length or CRC-32 differ".to_owned()));
    }
    Ok(())
}

fn place(target: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let partial = target.with_file_name(format!(".{name}.part"));
    let written = File::create(&partial).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&partial, target));
    if placed.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&partial);
    }
    placed
}

#[cfg(test)]
mod tests {
    use flate2::read::MultiGzDecoder;

    use super::*;
    use crate::{fetch::zip::tests::zip, temp::TempDir};

    fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let dir = TempDir::new();
        let (from, to) = (dir.0.join("a.zip"), dir.0.join("a.csv.gz"));
        fs::write(&from, bytes).unwrap();
        match unpack(&from, "a.csv", &to) {
            Err(UnpackError::Bad(why)) => {
                assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1, "nothing is left behind");
                Err(why)
            }
            result => {
                result.unwrap();
                let mut text = Vec::new();
                MultiGzDecoder::new(File::open(to).unwrap()).read_to_end(&mut text).unwrap();
                Ok(text)
            }
        }
    }

    #[test]
    fn a_file_comes_out_as_it_went_in_by_both_methods() {
        let content: Vec<u8> =
            (0..200_000_u32).flat_map(|n| format!("{n},{}\n", n * 7).into_bytes()).collect();
        for method in [Method::Stored, Method::Deflated] {
            assert!(unpacked(&zip("a.csv", &content, method)).unwrap() == content, "{method:?}");
        }
    }

    #[test]
    fn damage_is_found_by_the_crc() {
        for method in [Method::Stored, Method::Deflated] {
            let mut bytes = zip("a.csv", b"1,2,3\n4,5,6\n", method);
            bytes[38] ^= 1;
            assert!(unpacked(&bytes).unwrap_err().contains("damaged"), "{method:?}");
        }
        let other = zip("b.csv", b"1\n", Method::Stored);
        assert_eq!(unpacked(&other).unwrap_err(), "it holds \"b.csv\", expected \"a.csv\"");
    }
}
