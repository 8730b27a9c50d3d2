//! The file of a pack: a tar archive (POSIX ustar), compressed with gzip. Other tools can unpack it.
//!
//! Written in one form only: no times, no owners, no links, no folders. Read in that form only, so that an archive from
//! elsewhere is refused at its first header, and nothing is ever written to a disk.

use std::io::{self, BufRead, Read, Write};

use flate2::{Compression, GzBuilder, bufread::GzDecoder};
use sha2::{Digest, Sha256};

const BLOCK: usize = 512;
/// More than any name that a pack has.
const LONGEST_NAME: usize = 99;
/// What eleven octal digits can say.
const LARGEST: u64 = 0o77_777_777_777;

/// Writes members in order.
pub(super) fn write<'a>(
    out: impl Write,
    members: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> io::Result<()> {
    let mut out = GzBuilder::new().write(out, Compression::default());
    for (name, content) in members {
        let size = content.len() as u64;
        out.write_all(
            &header(name, size).ok_or_else(|| io::Error::other("a member's name or size is too long"))?,
        )?;
        out.write_all(content)?;
        out.write_all(&[0; BLOCK][..padding(size)])?;
    }
    out.write_all(&[0; 2 * BLOCK])?;
    out.finish()?.flush()
}

/// The header of a member; there is only one form of it.
fn header(name: &str, size: u64) -> Option<[u8; BLOCK]> {
    if name.is_empty() || name.len() > LONGEST_NAME || size > LARGEST {
        return None;
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

/// Reads members in order.
pub(super) struct Reader<R: BufRead> {
    input: GzDecoder<R>,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: GzDecoder::new(input) }
    }

    /// The next member's name and size; `None` at the end of the archive, after which nothing may follow.
    pub(super) fn next(&mut self) -> io::Result<Option<(String, u64)>> {
        let mut block = [0; BLOCK];
        self.input.read_exact(&mut block)?;
        if block == [0; BLOCK] {
            return self.end();
        }
        let name = block[..100].split(|byte| *byte == 0).next().unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| strange())?;
        let size =
            std::str::from_utf8(&block[124..135]).ok().and_then(|text| u64::from_str_radix(text, 8).ok());
        let size = size.ok_or_else(strange)?;
        if header(name, size) == Some(block) { Ok(Some((name.to_owned(), size))) } else { Err(strange()) }
    }

    fn end(&mut self) -> io::Result<Option<(String, u64)>> {
        let mut block = [0; BLOCK];
        self.input.read_exact(&mut block)?;
        let mut more = [0; 1];
        let is_over = block == [0; BLOCK] && self.input.read(&mut more)? == 0;
        // Nor behind the compressed part.
        if is_over && self.input.get_mut().fill_buf()?.is_empty() { Ok(None) } else { Err(strange()) }
    }

    /// The content of the member whose header was read last.
    pub(super) fn body(&mut self, size: u64) -> Body<'_, R> {
        Body { input: &mut self.input, size, left: size, hash: Sha256::new() }
    }
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not an archive as a pack is written")
}

/// A member's content, hashed as it is read.
pub(super) struct Body<'a, R: BufRead> {
    input: &'a mut GzDecoder<R>,
    size: u64,
    left: u64,
    hash: Sha256,
}

impl<R: BufRead> Read for Body<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.input.read(&mut into[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hash.update(&into[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}

impl<R: BufRead> Body<'_, R> {
    /// Reads what is left of it, and gives the SHA-256 of the whole.
    pub(super) fn finish(mut self) -> io::Result<String> {
        io::copy(&mut self, &mut io::sink())?;
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..padding(self.size)];
        self.input.read_exact(rest)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(strange());
        }
        Ok(hex(&self.hash.finalize()))
    }
}

pub(super) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, members.iter().copied()).unwrap();
        out
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut reader = Reader::new(bytes);
        let mut members = Vec::new();
        while let Some((name, size)) = reader.next()? {
            let mut content = Vec::new();
            let mut body = reader.body(size);
            body.read_to_end(&mut content)?;
            assert_eq!(body.finish()?, sha256(&content));
            members.push((name, content));
        }
        Ok(members)
    }

    #[test]
    fn members_read_back_whatever_their_length() {
        let long = vec![7; 1_500];
        let members: [(&str, &[u8]); 4] = [("a", b""), ("b", b"x"), ("c", &long[..512]), ("d", &long)];
        let bytes = written(&members);
        assert_eq!(bytes, written(&members), "equal input, equal bytes");
        let read = read(&bytes).unwrap();
        assert!(read.iter().map(|(name, content)| (name.as_str(), &content[..])).eq(members));
    }

    #[test]
    fn another_form_of_archive_is_refused() {
        let bytes = written(&[("a", b"x")]);
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(read(&[&bytes[..], b"more"].concat()).is_err(), "something follows");
        assert!(read(b"no gzip").is_err());
        // A link, a name with a folder before it, a sum that does not fit: one byte is enough.
        let mut plain = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
        for at in [0, 100, 108, 124, 136, 148, 156, 157, 257, 345, 511, 513] {
            let mut changed = plain.clone();
            changed[at] ^= 1;
            let mut packed = GzBuilder::new().write(Vec::new(), Compression::fast());
            packed.write_all(&changed).unwrap();
            assert!(read(&packed.finish().unwrap()).is_err(), "byte {at}");
        }
        assert!(header(&"n".repeat(100), 0).is_none() && header("n", u64::MAX).is_none());
    }
}
