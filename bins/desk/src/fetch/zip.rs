//! Archives with exactly one file in them, as the public archive has them: stored or deflated, no ZIP64.
//!
//! Source: the ZIP file format specification (.ZIP File Format Specification 6.3), sections 4.3.7, 4.3.12, 4.3.16.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

const END: u32 = 0x0605_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
/// The end record with the longest comment.
const LONGEST_END: u64 = 22 + 65_535;

/// How the file inside is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
}

/// The one file inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) method: Method,
    pub(super) crc32: u32,
    pub(super) packed_bytes: u32,
    pub(super) plain_bytes: u32,
    /// Where its packed bytes begin.
    pub(super) start: u64,
}

/// Finds the one file of an archive. Errors: a sentence for the operator.
pub(super) fn only_entry(file: &mut File) -> Result<Entry, String> {
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
    let length = file.metadata().map_err(unreadable)?.len();
    let tail_bytes = length.min(LONGEST_END);
    let tail = read_at(file, length - tail_bytes, tail_bytes)?;
    let end = (0..tail.len().saturating_sub(21))
        .rev()
        .find(|&at| u32_at(&tail, at) == Some(END))
        .map(|at| &tail[at..])
        .ok_or("it is not a zip archive, or it is cut off")?;
    let field16 = |bytes: &[u8], at: usize| u16_at(bytes, at).ok_or("it is cut off");
    let field32 = |bytes: &[u8], at: usize| u32_at(bytes, at).ok_or("it is cut off");
    let (entries, directory) = (field16(end, 10)?, field32(end, 16)?);
    if entries == u16::MAX || directory == u32::MAX {
        return Err("it is a ZIP64 archive, larger than 4 GiB; fetch a shorter time".to_owned());
    }
    if entries != 1 {
        return Err(format!("it holds {entries} files, expected one"));
    }
    let header = read_at(file, u64::from(directory), 46)?;
    if u32_at(&header, 0) != Some(CENTRAL) {
        return Err("its directory is damaged".to_owned());
    }
    let (packed_bytes, plain_bytes, local) =
        (field32(&header, 20)?, field32(&header, 24)?, field32(&header, 42)?);
    if [packed_bytes, plain_bytes, local].contains(&u32::MAX) {
        return Err("it is a ZIP64 archive, larger than 4 GiB; fetch a shorter time".to_owned());
    }
    if field16(&header, 8)? & 1 != 0 {
        return Err("it is encrypted".to_owned());
    }
    let method = match field16(&header, 10)? {
        0 => Method::Stored,
        8 => Method::Deflated,
        other => {
            return Err(format!("its compression method {other} is not known, expected stored or deflated"));
        }
    };
    if method == Method::Stored && packed_bytes != plain_bytes {
        return Err("its sizes contradict each other".to_owned());
    }
    let name = read_at(file, u64::from(directory) + 46, u64::from(field16(&header, 28)?))?;
    let local_header = read_at(file, u64::from(local), 30)?;
    if u32_at(&local_header, 0) != Some(LOCAL) {
        return Err("the file's header is damaged".to_owned());
    }
    let skipped = u64::from(field16(&local_header, 26)?) + u64::from(field16(&local_header, 28)?);
    let start = u64::from(local) + 30 + skipped;
    if start + u64::from(packed_bytes) > length {
        return Err("it is cut off".to_owned());
    }
    let name = String::from_utf8(name).map_err(|_| "the name of its file is no text".to_owned())?;
    Ok(Entry { name, method, crc32: field32(&header, 16)?, packed_bytes, plain_bytes, start })
}

fn read_at(file: &mut File, at: u64, bytes: u64) -> Result<Vec<u8>, String> {
    let mut found = Vec::new();
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.take(bytes).read_to_end(&mut found));
    match read {
        Ok(_) if found.len() as u64 == bytes => Ok(found),
        Ok(_) => Err("it is cut off".to_owned()),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::{Compression, Crc, write::DeflateEncoder};

    use super::*;
    use crate::temp::TempDir;

    /// An archive with one file, byte by byte.
    pub(in crate::fetch) fn zip(name: &str, content: &[u8], method: Method) -> Vec<u8> {
        let (packed, code) = match method {
            Method::Stored => (content.to_vec(), 0_u16),
            Method::Deflated => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content).unwrap();
                (encoder.finish().unwrap(), 8)
            }
        };
        let mut crc = Crc::new();
        crc.update(content);
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0]);
        common.extend(code.to_le_bytes());
        common.extend([0; 4]);
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0; 2]);
        let mut zip = LOCAL.to_le_bytes().to_vec();
        zip.extend(&common);
        zip.extend(name.as_bytes());
        zip.extend(&packed);
        let directory = zip.len() as u32;
        zip.extend(CENTRAL.to_le_bytes());
        zip.extend([20, 0]);
        zip.extend(&common);
        zip.extend([0; 14]);
        zip.extend(name.as_bytes());
        let directory_bytes = zip.len() as u32 - directory;
        zip.extend(END.to_le_bytes());
        zip.extend([0, 0, 0, 0, 1, 0, 1, 0]);
        zip.extend(directory_bytes.to_le_bytes());
        zip.extend(directory.to_le_bytes());
        zip.extend([0, 0]);
        zip
    }

    fn looked_at(bytes: &[u8]) -> Result<Entry, String> {
        let dir = TempDir::new();
        let path = dir.0.join("a.zip");
        std::fs::write(&path, bytes).unwrap();
        only_entry(&mut File::open(path).unwrap())
    }

    #[test]
    fn the_one_file_is_found_with_its_sizes_and_its_place() {
        let content = b"1,2,3\n".repeat(100);
        let entry = looked_at(&zip("a.csv", &content, Method::Deflated)).unwrap();
        assert_eq!((entry.name.as_str(), entry.plain_bytes, entry.start), ("a.csv", 600, 35));
        assert!(entry.packed_bytes < 100 && entry.method == Method::Deflated);
        assert_eq!(looked_at(&zip("a.csv", &content, Method::Stored)).unwrap().packed_bytes, 600);
    }

    #[test]
    fn what_python_packs_is_found() {
        // python3: zipfile.ZipFile(buffer, "w").writestr("x.csv", "1,2\n"), stored, with its own flags and times.
        let hex = "504b03041400000000000000210033422155040000000400000005000000782e637376\
                   312c320a504b010214031400000000000000210033422155040000000400000005000000\
                   0000000000000000800100000000782e637376504b050600000000010001003300000027\
                   0000000000";
        let hex: String = hex.split_whitespace().collect();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let entry = looked_at(&bytes).unwrap();
        assert_eq!((entry.name.as_str(), entry.crc32, entry.start), ("x.csv", 0x5521_4233, 35));
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        let good = zip("a.csv", b"1,2,3\n", Method::Deflated);
        let with = |at_from_end: usize, bytes: &[u8]| {
            let mut bad = good.clone();
            let at = bad.len() - at_from_end;
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            looked_at(&bad).unwrap_err()
        };
        assert_eq!(looked_at(b"").unwrap_err(), "it is not a zip archive, or it is cut off");
        assert_eq!(
            looked_at(&good[..good.len() - 30]).unwrap_err(),
            "it is not a zip archive, or it is cut off"
        );
        assert_eq!(with(12, &[2, 0]), "it holds 2 files, expected one");
        assert!(with(12, &[0xff, 0xff]).contains("ZIP64"));
        assert!(with(6, &[0xff; 4]).contains("ZIP64"));
        let directory = 22 + 46 + 5;
        assert!(with(directory - 8, &[1]).contains("encrypted"));
        assert!(with(directory - 10, &[14]).contains("method 14"));
        assert!(with(directory - 20, &[0xff, 0xff, 0xff, 0x7f]).contains("cut off"));
        assert!(with(directory, &[0]).contains("directory is damaged"));
    }
}
