//! The async client. What it may do is its type: [`ReadOnly`] looks, [`Closing`] closes and cancels, [`Protecting`] keeps stops in
//! place besides, [`Live`] trades.

mod account;
mod batch;
mod brokerage;
mod call;
mod call_error;
mod commands;
mod history;
mod market;
mod modify;
mod names;
mod orders;
mod query;
mod reader;
mod settings;
mod startup;
mod statistics;

use std::{marker::PhantomData, sync::Arc};

use hedge_core::{
    Capabilities, Environment, ExitPass, MarginMode, PreflightPass, Timestamp, Venue, VenueFingerprint,
};
use hedge_http::{HttpClient, HttpError};

use crate::{
    config::{BinanceConfig, StreamConfig},
    credentials::Credentials,
    environment::{Mainnet, World},
    last_look::LastLook,
    stream::{Streams, Tracker},
    ws_api::{self, OrderPath},
};

pub use call::Rest;
pub use orders::AutoClose;
pub use query::Span;
pub use settings::MarginMove;
pub use startup::{Prepared, SymbolSetup, prepare_account};
pub use statistics::Period;

use call::RestParts;

mod sealed {
    pub trait Sealed {}
}

/// What a client may do. Sealed.
pub trait Mode: sealed::Sealed + std::fmt::Debug + Send + Sync + 'static {}

/// Looks only.
#[derive(Debug)]
pub struct ReadOnly;
/// Closes and cancels only; needs no pass, because a person who panics must not be refused.
#[derive(Debug)]
pub struct Closing;
/// Closes and protects what is open and opens nothing; armed by an [`ExitPass`].
#[derive(Debug)]
pub struct Protecting;
/// Trades; armed by a [`PreflightPass`].
#[derive(Debug)]
pub struct Live;

/// A mode in which a client is a brokerage. Sealed.
pub trait Armed: Mode {
    /// Whether openings are sent, and settings of the account changed.
    const OPENS: bool;
}

impl Armed for Protecting {
    const OPENS: bool = false;
}
impl Armed for Live {
    const OPENS: bool = true;
}

impl sealed::Sealed for ReadOnly {}
impl sealed::Sealed for Closing {}
impl sealed::Sealed for Protecting {}
impl sealed::Sealed for Live {}
impl Mode for ReadOnly {}
impl Mode for Closing {}
impl Mode for Protecting {}
impl Mode for Live {}

/// A client of one account.
///
/// ```compile_fail
/// # use hedge_binance::{Binance, ReadOnly};
/// # use hedge_core::{Approved, Brokerage, Order};
/// async fn looking_only(client: Binance<ReadOnly>, order: Approved<Order>) {
///     let _ = client.submit(&order).await;
/// }
/// ```
/// ```compile_fail
/// # use hedge_binance::{Binance, Closing};
/// # use hedge_core::{Approved, Order};
/// async fn opening_while_closing(client: Binance<Closing>, order: Approved<Order>) {
///     let _ = client.submit_close(&order).await;
/// }
/// ```
#[derive(Debug)]
pub struct Binance<M: Mode = ReadOnly> {
    shared: Arc<Shared>,
    mode: PhantomData<M>,
}

/// What all modes share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) rest: Rest,
    pub(crate) tracker: Tracker,
    pub(crate) ws_base: String,
    pub(crate) streams: StreamConfig,
    /// Announcements of listings, once somebody has asked for them.
    pub(crate) contracts: tokio::sync::Mutex<Option<Streams>>,
    fingerprint: VenueFingerprint,
    capabilities: Capabilities,
}

/// Why a client could not be set up. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The HTTP or TLS stack.
    #[error("the HTTP client could not be set up: {0}")]
    Http(#[from] HttpError),
}

/// Why a client was not armed.
#[derive(Debug, thiserror::Error)]
#[error("the preflight pass is not for {fingerprint}, or it is over; run the preflight again")]
pub struct ArmError {
    /// The account that the client speaks for.
    pub fingerprint: VenueFingerprint,
}

/// Open conditional orders per account (fact sheet 4.2).
const MAX_CONDITIONAL_ORDERS: u32 = 200;

impl Binance<ReadOnly> {
    /// Sets a client up; sends nothing yet. Keys and hosts are of one world by type.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect<W: World>(
        config: BinanceConfig<W>,
        credentials: Credentials<W>,
    ) -> Result<Self, ConnectError> {
        // Another provider may have been chosen by the program before: then that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let environment = match (config.endpoints.is_loopback(), W::NAME == Mainnet::NAME) {
            (true, _) => Environment::Loopback,
            (false, true) => Environment::Mainnet,
            (false, false) => Environment::Testnet,
        };
        let rest = Rest::new(RestParts {
            http: HttpClient::new(&config.http)?,
            base: config.endpoints.rest().to_owned(),
            key: credentials.key().clone(),
            signer: credentials.signer().clone(),
            clock: config.clock,
            retry: config.retry,
            jitter_seed: config.jitter_seed,
            recv_window: config.recv_window,
            visibility_delay: config.visibility_delay,
            ws_api: ws_api::Link::new(ws_api::LinkConfig {
                url: ws_api::url(&config.endpoints),
                answer_within: config.http.timeout,
                streams: config.streams,
                logon: config.order_path == OrderPath::WsApi { logon: true },
            }),
            orders_over_ws: matches!(config.order_path, OrderPath::WsApi { .. }),
            last_look: LastLook::new(config.guard, config.failpoints),
        });
        Ok(Self::of(Arc::new(Shared {
            rest,
            tracker: Tracker::default(),
            ws_base: config.endpoints.ws().to_owned(),
            streams: config.streams,
            contracts: tokio::sync::Mutex::new(None),
            fingerprint: VenueFingerprint {
                venue: Venue::Binance,
                environment,
                host: config.endpoints.rest().to_owned(),
                key_digest: credentials.key_digest(),
            },
            capabilities: Capabilities {
                hedge_mode: true,
                server_stops: true,
                close_all_stops: true,
                max_conditional_orders: MAX_CONDITIONAL_ORDERS,
                request_deadline: Some(config.recv_window.duration()),
                visibility_delay: config.visibility_delay,
                margin_modes: vec![MarginMode::Crossed, MarginMode::Isolated],
            },
        })))
    }

    /// Gives the client the power to trade.
    ///
    /// # Errors
    /// [`ArmError`] when the pass is for another account, host or key, or over.
    pub fn arm(self, pass: PreflightPass, now: Timestamp) -> Result<Binance<Live>, ArmError> {
        if !pass.admits(&self.shared.fingerprint, now) {
            return Err(ArmError { fingerprint: self.shared.fingerprint.clone() });
        }
        Ok(Binance::of(self.shared))
    }

    /// Gives the client the power to close, cancel and place stops, as an engine does that opens nothing.
    ///
    /// # Errors
    /// [`ArmError`] as for [`arm`](Self::arm).
    pub fn arm_for_exits(self, pass: ExitPass, now: Timestamp) -> Result<Binance<Protecting>, ArmError> {
        if !pass.admits(&self.shared.fingerprint, now) {
            return Err(ArmError { fingerprint: self.shared.fingerprint.clone() });
        }
        Ok(Binance::of(self.shared))
    }

    /// Gives the client the power to close and cancel, and no other.
    ///
    /// All its requests are urgent from then on: time-outs are short, reads are not repeated behind the caller's back, our
    /// own count of the budgets keeps nothing waiting (a 429 or a ban of the venue does), and where the venue's clock cannot
    /// be read, requests are signed with ours.
    pub fn for_closing(self) -> Binance<Closing> {
        self.shared.rest.make_urgent();
        Binance::of(self.shared)
    }
}

impl<M: Mode> Binance<M> {
    const fn of(shared: Arc<Shared>) -> Self {
        Self { shared, mode: PhantomData }
    }

    /// What market streams need: the host, their timing, and a seed for pauses.
    pub(crate) fn stream_parts(&self) -> (String, StreamConfig, u64) {
        (self.shared.ws_base.clone(), self.shared.streams, self.shared.rest.seed())
    }

    /// The documented reads, as the venue types them.
    pub fn rest(&self) -> &Rest {
        &self.shared.rest
    }
}
