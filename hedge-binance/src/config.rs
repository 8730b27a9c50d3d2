//! What a client needs to know, as plain values.

use std::{sync::Arc, time::Duration};

use hedge_core::{Clock, Failpoints, SendGuard};
use hedge_http::{HttpConfig, retry::RetryPolicy};

use crate::{
    environment::{Endpoints, World},
    ws_api::OrderPath,
};

/// How long after its timestamp the venue may still accept a request: 2 to 5 seconds, so that "not there" can be proven
/// soon after a time-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvWindow(u32);

/// The longest window that the venue takes. Source: Binance USD-M docs, general info, "Timing security"; fact sheet 2.
const LONGEST_MS: u32 = 60_000;

/// A window outside 2,000 to 5,000 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("recv_window_ms is {0}; it must be 2000 to 5000")]
pub struct InvalidRecvWindow(pub u32);

impl RecvWindow {
    /// Checks the range. Units: milliseconds.
    ///
    /// # Errors
    /// [`InvalidRecvWindow`].
    pub const fn new(ms: u32) -> Result<Self, InvalidRecvWindow> {
        if ms < 2_000 || ms > 5_000 {
            return Err(InvalidRecvWindow(ms));
        }
        Ok(Self(ms))
    }

    /// The window for a venue whose clock runs `speed` times as fast as wall time: as long on walls, but at most the 60 s
    /// that a venue takes. Never shorter than this one.
    #[must_use]
    pub fn at_speed(self, speed: f64) -> Self {
        let wanted = Duration::try_from_secs_f64(self.duration().as_secs_f64() * speed.max(1.0));
        let ms =
            wanted.map_or(u128::from(LONGEST_MS), |wanted| wanted.as_millis().min(u128::from(LONGEST_MS)));
        Self(u32::try_from(ms).unwrap_or(LONGEST_MS))
    }

    /// Milliseconds.
    pub const fn ms(self) -> u32 {
        self.0
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }
}

impl Default for RecvWindow {
    fn default() -> Self {
        Self(3_000)
    }
}

/// Timing of the WebSocket connections. Wall time throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamConfig {
    /// Time for TCP, TLS and the handshake.
    pub connect_timeout: Duration,
    /// A connection of market data that says nothing for so long is an error.
    pub market_silence: Duration,
    /// A private connection is asked for a pong after so long without a frame …
    pub private_ping: Duration,
    /// … and is dead when none has come after this.
    pub pong_timeout: Duration,
    /// An order that the venue acknowledged and the stream has not mentioned for so long means a dead stream.
    pub ack_silence: Duration,
    /// A new connection replaces the old one after so long (the venue cuts at 24 h).
    pub rotate_after: Duration,
    /// For how long both connections are read after the new one has spoken.
    pub rotate_overlap: Duration,
    /// The listen key is renewed so often (it lives 60 minutes).
    pub listen_key_renewal: Duration,
    /// A listen key that could not be renewed for so long is replaced.
    pub listen_key_max_age: Duration,
    /// First and longest pause between reconnects.
    pub reconnect: (Duration, Duration),
    /// A bar missed during a reconnect still counts as current when it closed no longer ago than this.
    pub late_bar: Duration,
    /// Events that may wait for their consumer before the socket is no longer read.
    pub buffer: usize,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            market_silence: Duration::from_secs(60),
            private_ping: Duration::from_secs(60),
            pong_timeout: Duration::from_secs(15),
            ack_silence: Duration::from_secs(5),
            rotate_after: Duration::from_secs(23 * 3_600),
            rotate_overlap: Duration::from_secs(3),
            listen_key_renewal: Duration::from_secs(30 * 60),
            listen_key_max_age: Duration::from_secs(55 * 60),
            reconnect: (Duration::from_millis(250), Duration::from_secs(30)),
            late_bar: Duration::from_secs(30),
            buffer: 4_096,
        }
    }
}

/// How long an accepted order may stay invisible to queries: replicas lag by up to 3 s (fact sheet 14.6, item 6).
pub(crate) const VISIBILITY_DELAY: Duration = Duration::from_secs(5);

/// Everything but the credentials.
#[derive(Debug, Clone)]
pub struct BinanceConfig<W> {
    /// Where.
    pub endpoints: Endpoints<W>,
    /// Our clock; the venue's offset from it is measured.
    pub clock: Arc<dyn Clock>,
    /// How long a request may be accepted.
    pub recv_window: RecvWindow,
    /// How long an accepted order may stay invisible to queries, by the venue's clock.
    pub visibility_delay: Duration,
    /// Limits of HTTP.
    pub http: HttpConfig,
    /// How reads are repeated.
    pub retry: RetryPolicy,
    /// Seed of the jitter between repeats.
    pub jitter_seed: u64,
    /// Timing of the streams.
    pub streams: StreamConfig,
    /// How orders travel.
    pub order_path: OrderPath,
    /// Asked immediately before each command is written; nobody by default.
    pub guard: Option<Arc<dyn SendGuard>>,
    /// Places at which a test may end or stop the process; none outside of tests.
    pub failpoints: Failpoints,
}

impl<W: World> BinanceConfig<W> {
    /// The defaults at these endpoints.
    pub fn new(endpoints: Endpoints<W>, clock: Arc<dyn Clock>) -> Self {
        Self {
            endpoints,
            jitter_seed: clock.now().ns().unsigned_abs(),
            clock,
            recv_window: RecvWindow::default(),
            visibility_delay: VISIBILITY_DELAY,
            http: HttpConfig::default(),
            retry: RetryPolicy::default(),
            streams: StreamConfig::default(),
            order_path: OrderPath::default(),
            guard: None,
            failpoints: Failpoints::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_two_to_five_seconds() {
        assert_eq!(RecvWindow::new(1_999), Err(InvalidRecvWindow(1_999)));
        assert_eq!(RecvWindow::new(5_001), Err(InvalidRecvWindow(5_001)));
        assert_eq!(RecvWindow::new(2_000).map(RecvWindow::ms), Ok(2_000));
        assert_eq!(RecvWindow::default().ms(), 3_000);
    }

    #[test]
    fn on_a_fast_clock_the_window_is_as_long_on_walls_but_never_above_a_minute() {
        let at = |speed: f64| RecvWindow::default().at_speed(speed).ms();
        assert_eq!(
            [at(1.0), at(2.5), at(20.0), at(60.0), at(1_000.0)],
            [3_000, 7_500, 60_000, 60_000, 60_000]
        );
        assert_eq!([at(0.01), at(f64::INFINITY)], [3_000, 60_000]);
    }
}
