//! The WebSocket API: the same requests on one open connection. Source: fact sheet 10.
//!
//! It is another way for the same request, not another client: budgets, clock, the table of error codes, traces and what an
//! outcome means are those of [`Rest`](crate::Rest). With [`OrderPath::WsApi`] orders are placed, changed, cancelled and asked
//! about on this connection; everything else stays with REST. [`WsApi`] asks the other methods of the sheet's table.
//!
//! A connection that ends, or an answer that does not come in time, leaves the outcome unknown. Nothing is ever sent again:
//! the engine asks what became of the order, by REST if need be.

mod calls;
mod frame;
mod link;
mod methods;

use hedge_core::Timestamp;
use hedge_http::secret::Secret;

pub use calls::WsApi;
pub(crate) use frame::{Auth, request};
pub(crate) use link::{Link, LinkConfig};
pub(crate) use methods::{METHODS, is_order, method_of};

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
