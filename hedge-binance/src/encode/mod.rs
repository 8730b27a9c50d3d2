//! From meaning to request: pure, so that every byte that is signed can be tested.

mod order;
mod params;
mod request;

pub use order::{AlgoSize, Limit, NewOrder, OrderLeg, OrderType};
pub use params::{Params, ws_api_payload};
pub use request::{ApiRequest, Cost, POOLS, Pool, Security, SignedParts, sign_split};
