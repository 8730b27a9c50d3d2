//! From meaning to request: pure, so that every byte that is signed can be tested.

mod amendment;
mod batch;
mod client_id;
mod command;
mod order;
mod params;
mod request;

pub use amendment::{Amendment, Unfit};
pub use batch::{BatchCancel, MAX_BATCH_CANCELS, MAX_BATCH_ORDERS, modify_batch, place_batch};
pub use client_id::{InvalidClientId, VenueClientId};
pub(crate) use command::{algo_ref, cancelled_in, plain_ref, set_switch};
pub use command::{cancel, cancel_all, cancel_named, set_leverage, set_margin_mode, set_position_mode};
pub use order::{AlgoSize, Limit, NewOrder, OrderLeg, OrderType};
pub use params::{Pairs, Params, ws_api_payload};
pub use request::{ApiRequest, Cost, POOLS, Pool, Security, SignedParts, sign_split};
