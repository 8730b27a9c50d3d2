//! Hosts: do their names resolve, do they answer, how long does it take, and what time is it there.

use std::time::{Duration, Instant};

use hedge_binance::{Endpoints, Mainnet, Testnet};
use hedge_core::{PreflightCheck, VenueReader};
use tokio::net::{TcpStream, lookup_host};

use super::{examine::Patient, setup::Setup};
use crate::{
    config::Profile,
    preflight::{failed, ok, warning},
    venue::{Access, access},
};

/// How long a host may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection that takes longer will see its orders late.
const SLOW: Duration = Duration::from_millis(500);

pub(super) async fn look(patient: &Patient, setup: &Setup, say: &mut dyn FnMut(&str)) -> Vec<PreflightCheck> {
    let access = match access(&setup.mode, &setup.config, &setup.env, patient.state_dir.as_deref()) {
        Ok(access) => access,
        Err(error) if setup.mode.profile == Profile::Paper => {
            return vec![ok("hosts", "the profile's hosts answer", format!("not asked: {error}"))];
        }
        Err(error) => {
            return vec![failed(
                "hosts",
                "the profile's hosts answer",
                error.to_string(),
                "do what the message says",
            )];
        }
    };
    say(&setup.mode.preflight_line(&access.base));
    let mut checks = vec![host("host (REST)", &access.base).await];
    if let Some(ws) = streams(setup) {
        checks.push(host("host (streams)", &ws).await);
    }
    checks.push(clock(&access, setup.config.runtime.preflight.max_clock_skew_ms).await);
    checks
}

/// The WebSocket base of a profile that has one of its own.
fn streams(setup: &Setup) -> Option<String> {
    let section = &setup.config.runtime.binance;
    let (rest, ws) = (section.rest_url.as_deref(), section.ws_url.as_deref());
    match setup.mode.profile {
        Profile::Paper if rest.is_none() => None,
        Profile::Testnet => Endpoints::<Testnet>::new(rest, ws).ok().map(|found| found.ws().to_owned()),
        _ => Endpoints::<Mainnet>::new(rest, ws).ok().map(|found| found.ws().to_owned()),
    }
}

async fn host(name: &str, url: &str) -> PreflightCheck {
    let expected = "its name resolves, and it takes connections";
    let Some(place) = authority(url) else {
        return failed(name, expected, format!("{url} has no host"), "correct it in runtime.toml");
    };
    match tokio::time::timeout(PATIENCE, connect(&place)).await {
        Err(_) => failed(
            name,
            expected,
            format!("{place} does not answer within {} s", PATIENCE.as_secs()),
            "look at the network, the firewall, and the venue's own status page",
        ),
        Ok(Err(error)) => {
            failed(name, expected, format!("{place}: {error}"), "look at the network and at its name service")
        }
        Ok(Ok(took)) => {
            let found = format!("{place} in {} ms", took.as_millis());
            if took > SLOW {
                warning(name, expected, found, "look for a faster line: orders would be late")
            } else {
                ok(name, expected, found)
            }
        }
    }
}

async fn connect(place: &str) -> std::io::Result<Duration> {
    let asked = Instant::now();
    let mut last = std::io::Error::other("its name has no address");
    for address in lookup_host(place).await? {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(asked.elapsed()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Host and port of a base URL.
fn authority(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next().filter(|text| !text.is_empty())?;
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = if matches!(scheme, "https" | "wss") { 443 } else { 80 };
    Some(if has_port { authority.to_owned() } else { format!("{authority}:{port}") })
}

/// The venue's clock: also shows that it answers, and how long that takes.
async fn clock(access: &Access, max_ms: u64) -> PreflightCheck {
    let expected = format!("within {max_ms} ms of the venue's");
    let sent = access.clock.now();
    let asked = Instant::now();
    match access.client.server_time().await {
        Err(error) => {
            failed("clock (venue)", expected, error.to_string(), "look at the network and at the host")
        }
        Ok(venue) => {
            let took = asked.elapsed();
            let skew = (venue.ms() - sent.plus(took / 2).ms()).unsigned_abs();
            let found = format!("{skew} ms apart, answered in {} ms", took.as_millis());
            // Half of the way there and back is not known better.
            if skew <= max_ms + u64::try_from((took / 2).as_millis()).unwrap_or(u64::MAX) {
                ok("clock (venue)", expected, found)
            } else if access.is_loopback {
                warning(
                    "clock (venue)",
                    expected,
                    found,
                    "nothing: an exchange on this machine has a time of its own",
                )
            } else {
                failed("clock (venue)", expected, found, "start a time service (chrony, systemd-timesyncd)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_port_has_the_port_of_its_scheme() {
        assert_eq!(authority("https://fapi.binance.com").as_deref(), Some("fapi.binance.com:443"));
        assert_eq!(authority("ws://127.0.0.1:8081/x").as_deref(), Some("127.0.0.1:8081"));
        assert_eq!(authority("http://localhost").as_deref(), Some("localhost:80"));
        assert_eq!(authority("http://[::1]:80").as_deref(), Some("[::1]:80"));
        assert_eq!(authority("nonsense"), None);
    }

    #[tokio::test]
    async fn a_host_that_takes_no_connections_fails_with_what_to_do() {
        // A port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let check = host("host (REST)", &format!("http://{free}")).await;
        assert!(!check.passed() && !check.remedy.is_empty(), "{check:?}");
        let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let check = host("host (REST)", &format!("http://{}", open.local_addr().unwrap())).await;
        assert!(check.passed(), "{check:?}");
    }
}
