//! The Binance client with the configuration's settings.

use std::{sync::Arc, time::Duration};

use hedge_binance::{
    Binance, BinanceConfig, ConnectError, Credentials, Endpoints, OrderPath as Way, ReadOnly, RecvWindow,
    World,
};
use hedge_core::{Clock, Failpoints, SendGuard};
use hedge_http::sign::KeyKind;

use crate::config::{BinanceSection, OrderPath};

/// Where to connect, as whom, by which clock.
#[derive(Debug)]
pub struct ClientSettings<W: World> {
    /// Hosts.
    pub endpoints: Endpoints<W>,
    /// Keys.
    pub credentials: Credentials<W>,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    /// How many times as fast as wall time the venue's clock runs; 1 for every real venue.
    pub venue_speed: f64,
    /// Who is asked before a command leaves, and what tests may do there.
    pub ties: ClientTies,
}

/// What ties a client to the process that uses it. By default nothing does.
#[derive(Clone, Debug, Default)]
pub struct ClientTies {
    /// Asked immediately before each command is written.
    pub guard: Option<Arc<dyn SendGuard>>,
    /// Places at which a test may end or stop the process.
    pub failpoints: Failpoints,
}

/// Sets up a client that can only look; nothing is sent yet. Errors: [`ConnectError`].
pub fn connect<W: World>(
    settings: ClientSettings<W>,
    section: &BinanceSection,
) -> Result<Binance<ReadOnly>, ConnectError> {
    let mut config = BinanceConfig::new(settings.endpoints, settings.clock);
    config.guard = settings.ties.guard;
    config.failpoints = settings.ties.failpoints;
    // The configuration layer has checked the range.
    let speed = settings.venue_speed;
    config.recv_window = RecvWindow::new(section.recv_window_ms).unwrap_or_default().at_speed(speed);
    // What is measured by the venue's clock, but takes as long as it takes on walls.
    for delay in [&mut config.visibility_delay, &mut config.streams.late_bar] {
        *delay = stretched(*delay, speed);
    }
    config.http.timeout = Duration::from_millis(section.timeout_ms);
    config.order_path = way(section.order_path, settings.credentials.kind());
    // What the venue lets lapse lapses by its own clock; the client counts wall time.
    let streams = &mut config.streams;
    for limit in [&mut streams.listen_key_renewal, &mut streams.listen_key_max_age, &mut streams.rotate_after]
    {
        *limit = Duration::try_from_secs_f64(limit.as_secs_f64() / speed).unwrap_or(*limit);
    }
    Binance::connect(config, settings.credentials)
}

/// A time on walls, by a clock that runs so many times as fast. Never shorter: on a slow clock there is time enough.
pub(crate) fn stretched(wall: Duration, speed: f64) -> Duration {
    Duration::try_from_secs_f64(wall.as_secs_f64() * speed).map_or(wall, |stretched| stretched.max(wall))
}

/// A connection logs on where the key can: the venue takes nothing but Ed25519 for that (fact sheet 10).
fn way(path: OrderPath, kind: KeyKind) -> Way {
    match path {
        OrderPath::Rest => Way::Rest,
        OrderPath::WsApi => Way::WsApi { logon: kind == KeyKind::Ed25519 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ed25519_key_logs_on_and_only_where_orders_take_the_connection() {
        for kind in [KeyKind::Hmac, KeyKind::Rsa, KeyKind::Ed25519] {
            assert_eq!(way(OrderPath::Rest, kind), Way::Rest);
            assert_eq!(way(OrderPath::WsApi, kind), Way::WsApi { logon: kind == KeyKind::Ed25519 });
        }
    }
}
