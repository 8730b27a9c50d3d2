//! From meaning to request: pure, so that every byte that is signed can be tested.

mod amendment;
mod batch;
mod order;
mod params;
mod request;

pub use amendment::{Amendment, Unfit};
pub use batch::{BatchCancel, MAX_BATCH_CANCELS, MAX_BATCH_ORDERS, modify_batch, place_batch};
pub use order::{AlgoSize, Limit, NewOrder, OrderLeg, OrderType};
pub use params::{Pairs, Params, ws_api_payload};
pub use request::{ApiRequest, Cost, POOLS, Pool, Security, SignedParts, sign_split};
