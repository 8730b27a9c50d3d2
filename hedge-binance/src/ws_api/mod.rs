//! The WebSocket API: the same requests on one open connection. Source: fact sheet 10.
//!
//! It is another way for the same request, not another client: budgets, clock, the table of error codes, traces and what an
//! outcome means are those of [`Rest`](crate::Rest). With [`OrderPath::WsApi`] orders are placed, changed and cancelled on this
//! connection; [`WsApi`] asks the methods of the sheet's table. By REST go
//!
//! * every question that the engine asks, above all what became of an order: the connection whose loss left it unknown is not
//!   the one that is asked;
//! * lists of orders, batches, settings: there is no method for them;
//! * everything that a client for closing does ([`Binance::for_closing`](crate::Binance::for_closing));
//! * a close, a stop or a cancel that the connection provably did not take: it could not be made within 2.5 s, it ended before a
//!   byte of the request left, or the venue has dropped the session. An opening is not sent then.
//!
//! A connection that ends, or an answer that does not come in time, leaves the outcome unknown, and nothing is sent again. A
//! connection that did not answer in time takes no further request. Nothing leaves after its approval went stale, however long
//! handshake, log-on or queue have taken, and a guard is asked where the frame is written.

mod calls;
mod frame;
mod link;
mod methods;

use hedge_core::Timestamp;
use hedge_http::secret::Secret;

pub use calls::WsApi;
pub use frame::response;
pub(crate) use frame::{Auth, request};
pub(crate) use link::{Deadline, Line, Link, LinkConfig, NoLine, Outgoing, Withheld};
pub(crate) use methods::{METHODS, command_of, method_of, params_of};

use crate::environment::{Endpoints, Mainnet, World};

/// How orders travel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OrderPath {
    /// One HTTP exchange an order.
    #[default]
    Rest,
    /// The WebSocket API. With `logon` the connection is authenticated once instead of each request: Ed25519 keys only.
    WsApi {
        /// Whether to log on.
        logon: bool,
    },
}

/// Weight of opening a connection. Source: fact sheet 6.1.
pub(crate) const HANDSHAKE_WEIGHT: u32 = 5;

/// Where the WebSocket API of a world is. A simulated exchange serves it beside its streams.
pub(crate) fn url<W: World>(endpoints: &Endpoints<W>) -> String {
    if endpoints.is_loopback() {
        return format!("{}/ws-fapi/v1", endpoints.ws());
    }
    if W::NAME == Mainnet::NAME {
        "wss://ws-fapi.binance.com/ws-fapi/v1".to_owned()
    } else {
        // No host of the demo's own is documented (fact sheet 1).
        "wss://testnet.binancefuture.com/ws-fapi/v1".to_owned()
    }
}

/// When a request was stamped, and for how long it is good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp<'a> {
    pub(crate) at: Timestamp,
    pub(crate) window_ms: u32,
    pub(crate) key: &'a Secret<String>,
}
