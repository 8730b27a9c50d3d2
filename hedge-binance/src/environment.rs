//! Mainnet and testnet are different types, so that a key of one never meets a host of the other.

use std::{fmt, marker::PhantomData};

use hedge_http::client::is_loopback_host;

mod sealed {
    pub trait Sealed {}
}

/// One of Binance's worlds. Sealed: [`Mainnet`] and [`Testnet`] are all there is.
pub trait World: sealed::Sealed + fmt::Debug + Clone + Copy + Send + Sync + 'static {
    /// `mainnet` or `testnet`.
    const NAME: &'static str;
    /// Default REST base. Source: Binance USD-M docs, general info; fact sheet 1.
    const REST_URL: &'static str;
    /// Default WebSocket base, without a route.
    const WS_URL: &'static str;
    /// REST hosts that belong to this world.
    const REST_HOSTS: &'static [&'static str];
    /// WebSocket hosts that belong to this world.
    const WS_HOSTS: &'static [&'static str];
}

/// Real money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mainnet;

/// The demo venue that Binance calls testnet. Its keys, filters and limits are its own (fact sheet 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Testnet;

impl sealed::Sealed for Mainnet {}
impl sealed::Sealed for Testnet {}

impl World for Mainnet {
    const NAME: &'static str = "mainnet";
    const REST_URL: &'static str = "https://fapi.binance.com";
    const WS_URL: &'static str = "wss://fstream.binance.com";
    const REST_HOSTS: &'static [&'static str] = &["fapi.binance.com"];
    const WS_HOSTS: &'static [&'static str] = &["fstream.binance.com"];
}

impl World for Testnet {
    const NAME: &'static str = "testnet";
    const REST_URL: &'static str = "https://demo-fapi.binance.com";
    const WS_URL: &'static str = "wss://demo-fstream.binance.com";
    const REST_HOSTS: &'static [&'static str] = &["demo-fapi.binance.com", "testnet.binancefuture.com"];
    const WS_HOSTS: &'static [&'static str] = &["demo-fstream.binance.com", "fstream.binancefuture.com"];
}

/// Why a base URL is refused. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text is no base URL.
    #[error("{url:?} is not a base URL: {why}; write it like {example}")]
    Unreadable {
        /// What was given.
        url: String,
        /// What is wrong.
        why: &'static str,
        /// What is expected.
        example: &'static str,
    },
    /// The host belongs to another world, or to nobody we know.
    #[error("host {host} is not a {environment} host; use one of {allowed:?} or a loopback address")]
    ForeignHost {
        /// The host found.
        host: String,
        /// The world asked for.
        environment: &'static str,
        /// Hosts of that world.
        allowed: &'static [&'static str],
    },
    /// One of both is on this machine, the other is not.
    #[error("REST host {rest} and WebSocket host {ws} are not of one venue; override both or none")]
    Mixed {
        /// REST host.
        rest: String,
        /// WebSocket host.
        ws: String,
    },
}

/// Checked base URLs of one world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints<E> {
    rest: String,
    ws: String,
    rest_host: String,
    loopback: bool,
    environment: PhantomData<E>,
}

impl<E: World> Endpoints<E> {
    /// Takes the given base URLs, the venue's own where there is none. The client appends routes and paths.
    ///
    /// # Errors
    /// [`EndpointError`], before any request.
    pub fn new(rest: Option<&str>, ws: Option<&str>) -> Result<Self, EndpointError> {
        let rest = Base::parse(rest.unwrap_or(E::REST_URL), ["https://", "http://"], E::REST_URL)?;
        let ws = Base::parse(ws.unwrap_or(E::WS_URL), ["wss://", "ws://"], E::WS_URL)?;
        rest.belongs_to(E::NAME, E::REST_HOSTS)?;
        ws.belongs_to(E::NAME, E::WS_HOSTS)?;
        if rest.is_loopback() != ws.is_loopback() {
            return Err(EndpointError::Mixed { rest: rest.host, ws: ws.host });
        }
        Ok(Self {
            loopback: rest.is_loopback(),
            rest: rest.url,
            ws: ws.url,
            rest_host: rest.authority,
            environment: PhantomData,
        })
    }

    /// REST base without a trailing slash.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// WebSocket base without a route and without a trailing slash.
    pub fn ws(&self) -> &str {
        &self.ws
    }

    /// REST host with its port, as consent files and logs name it.
    pub fn rest_host(&self) -> &str {
        &self.rest_host
    }

    /// Whether the venue runs on this machine.
    pub const fn is_loopback(&self) -> bool {
        self.loopback
    }
}

struct Base {
    url: String,
    authority: String,
    host: String,
}

impl Base {
    fn parse(text: &str, schemes: [&str; 2], example: &'static str) -> Result<Self, EndpointError> {
        let bad = |why| EndpointError::Unreadable { url: shown(text), why, example };
        let url = text.trim().trim_end_matches('/');
        let [tls, plain] = schemes;
        let (authority, is_plain) = match (url.strip_prefix(tls), url.strip_prefix(plain)) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return Err(bad("its scheme is wrong")),
        };
        if authority.contains(['/', '?', '#', '@', '\\']) || authority.chars().any(char::is_whitespace) {
            return Err(bad("only scheme, host and port belong here"));
        }
        let host = host_of(authority).ok_or_else(|| bad("the host is missing"))?;
        if is_plain && !is_loopback_host(host) {
            return Err(bad("without TLS only loopback hosts are possible"));
        }
        Ok(Self {
            url: url.to_owned(),
            authority: authority.to_ascii_lowercase(),
            host: host.to_ascii_lowercase(),
        })
    }

    fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }

    fn belongs_to(
        &self,
        environment: &'static str,
        allowed: &'static [&'static str],
    ) -> Result<(), EndpointError> {
        if self.is_loopback() || allowed.contains(&self.host.as_str()) {
            return Ok(());
        }
        Err(EndpointError::ForeignHost { host: self.host.clone(), environment, allowed })
    }
}

fn host_of(authority: &str) -> Option<&str> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// A refused URL without anything that could be a secret.
fn shown(text: &str) -> String {
    hedge_http::client::redacted(text).chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_hosts_are_the_venues_own() {
        let mainnet = Endpoints::<Mainnet>::new(None, None).unwrap();
        assert_eq!(mainnet.rest(), "https://fapi.binance.com");
        let testnet = Endpoints::<Testnet>::new(None, None).unwrap();
        assert_eq!(testnet.ws(), "wss://demo-fstream.binance.com");
        assert!(!testnet.is_loopback());
    }

    #[test]
    fn a_host_of_the_other_world_is_refused() {
        let error = Endpoints::<Mainnet>::new(Some("https://demo-fapi.binance.com"), None).unwrap_err();
        assert!(matches!(error, EndpointError::ForeignHost { environment: "mainnet", .. }), "{error}");
        assert!(Endpoints::<Testnet>::new(Some("https://fapi.binance.com"), None).is_err());
        assert!(Endpoints::<Testnet>::new(None, Some("wss://fstream.binance.com")).is_err());
    }

    #[test]
    fn a_loopback_host_fits_both_worlds() {
        let (rest, ws) = (Some("http://127.0.0.1:9000/"), Some("ws://[::1]:9001"));
        assert_eq!(Endpoints::<Mainnet>::new(rest, ws).unwrap().rest(), "http://127.0.0.1:9000");
        assert!(Endpoints::<Testnet>::new(rest, ws).unwrap().is_loopback());
    }

    #[test]
    fn loopback_for_one_socket_only_is_refused() {
        let error = Endpoints::<Mainnet>::new(Some("http://127.0.0.1:9000"), None).unwrap_err();
        assert!(matches!(error, EndpointError::Mixed { .. }), "{error}");
    }

    #[test]
    fn a_host_that_only_looks_right_is_refused() {
        for url in [
            "https://fapi.binance.com.example.org",
            "https://fapi.binance.com@example.org",
            "https://example.org/fapi.binance.com",
            "http://fapi.binance.com",
            "fapi.binance.com",
            "http://127.0.0.1.example.org",
            "https://",
        ] {
            assert!(Endpoints::<Mainnet>::new(Some(url), None).is_err(), "{url}");
        }
    }
}
