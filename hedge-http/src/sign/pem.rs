//! Private keys as text.

use super::{signer::SignError, text::base64_decode};

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// Whether this text means to be PEM.
pub(super) fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with(BEGIN)
}

/// The label and the bytes of the first block. Line ends may be written as `\n`, as variables in one line have them.
pub(super) fn decode(text: &str) -> Result<(String, Vec<u8>), SignError> {
    let text = text.trim().replace("\\n", "\n").replace("\\r", "");
    let rest = text.strip_prefix(BEGIN).ok_or(SignError::BadKey("it is not PEM text"))?;
    let (label, rest) = rest.split_once(DASHES).ok_or(SignError::BadKey("its PEM header is cut off"))?;
    let (body, _) = rest
        .split_once(&format!("-----END {label}{DASHES}"))
        .ok_or(SignError::BadKey("its PEM text has no matching END line; copy the whole file"))?;
    let bytes =
        base64_decode(body).ok_or(SignError::BadKey("its PEM text is damaged; copy the whole file"))?;
    Ok((label.to_owned(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_be_real_or_written() {
        let expected = Ok(("PRIVATE KEY".to_owned(), b"foobar".to_vec()));
        for text in [
            "-----BEGIN PRIVATE KEY-----\nZm9v\nYmFy\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\r\nZm9v\r\nYmFy\r\n-----END PRIVATE KEY-----\r\n",
            "-----BEGIN PRIVATE KEY-----\\nZm9vYmFy\\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----Zm9vYmFy-----END PRIVATE KEY-----",
        ] {
            assert!(is_pem(text));
            assert_eq!(decode(text), expected, "{text}");
        }
    }

    #[test]
    fn half_a_file_is_named_as_such() {
        for text in
            ["-----BEGIN PRIVATE KEY-----\nZm9v", "-----BEGIN PRIVATE", "-----BEGIN A-----Z-----END A-----"]
        {
            assert!(matches!(decode(text), Err(SignError::BadKey(_))), "{text}");
        }
    }
}
