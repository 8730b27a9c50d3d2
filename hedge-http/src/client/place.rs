//! Where a request may go.

use hyper::Uri;
use reqwest::Url;

/// The place that a URL names, if a request may go there.
///
/// The text travels as it was written. One with letters that a URL has to escape is escaped first.
pub(crate) fn checked(url: &str) -> Result<Uri, &'static str> {
    let unreadable = |_| "the URL cannot be read";
    let uri = if url.bytes().all(|byte| PLAIN[usize::from(byte)]) {
        Uri::try_from(url).map_err(unreadable)?
    } else {
        let escaped = Url::parse(url).map_err(|_| "the URL cannot be read")?;
        Uri::try_from(escaped.as_str()).map_err(unreadable)?
    };
    let authority = uri.authority().ok_or("the URL names no host")?;
    if authority.as_str().contains('@') {
        return Err("the URL carries a user name or password");
    }
    let host = authority.host();
    match uri.scheme_str() {
        _ if host.is_empty() => Err("the URL names no host"),
        Some("https") => Ok(uri),
        Some("http") if is_loopback_host(host) || is_metadata_server(host) => Ok(uri),
        Some("http") => Err("plain http is for loopback hosts only; use https"),
        _ => Err("only https (and http on loopback) is possible"),
    }
}

/// What may stand in a URL as it is: RFC 3986, and the percent sign of what is escaped already.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        table[byte] = letter.is_ascii_alphanumeric()
            || matches!(
                letter,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b':'
                    | b'/'
                    | b'?'
                    | b'#'
                    | b'['
                    | b']'
                    | b'@'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
                    | b'%'
            );
        byte += 1;
    }
    table
};

/// The metadata server of Google's machines speaks plain http only, on a link that does not leave the machine.
/// Source: fact sheet "services", section a.8.
fn is_metadata_server(host: &str) -> bool {
    matches!(host, "metadata.google.internal" | "169.254.169.254")
}

/// Whether a host name or address (brackets of IPv6 allowed, no port) is this machine.
pub fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_loopback_is_accepted() {
        for url in [
            "https://api.example.com/x",
            "https://api.example.com",
            "https://api.example.com:8443?a=b",
            "http://127.0.0.1:80/x",
            "http://localhost/x",
            "http://[::1]:9/x",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://169.254.169.254/computeMetadata/v1/",
        ] {
            assert!(checked(url).is_ok(), "{url}");
        }
        for url in [
            "http://api.example.com/x",
            "http://metadata.google.internal.example.com/x",
            "http://127.0.0.1.example.com/",
            "http://127.0.0.1@example.com/",
            "http://localhost:80@example.com/",
            "http://example.com#@127.0.0.1/",
            "http://0.0.0.0/",
            "ftp://localhost/",
            "https://u:p@h/",
            "https://:443/",
            "https:///x",
            "//localhost/x",
            "localhost",
            "/x",
            "x",
            "",
        ] {
            assert!(checked(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_url_travels_as_it_was_written() {
        let text = "https://h.example/v1/o%3Ar/../x?b=%20&a=it's&c=1+2&signature=ab%2Bc%3D#no";
        let uri = checked(text).unwrap();
        assert_eq!(uri.path_and_query().unwrap(), "/v1/o%3Ar/../x?b=%20&a=it's&c=1+2&signature=ab%2Bc%3D");
    }

    #[test]
    fn letters_that_a_url_cannot_carry_are_escaped() {
        let uri = checked("https://h.example/kurs/测?q=a b\"c").unwrap();
        assert_eq!(uri.path_and_query().unwrap(), "/kurs/%E6%B5%8B?q=a%20b%22c");
        let uri = checked("http://127.0.0.1\\@example.com/").unwrap();
        assert_eq!((uri.host(), uri.path()), (Some("127.0.0.1"), "/@example.com/"));
    }
}
