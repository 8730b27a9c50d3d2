//! A small Firestore on loopback: the calls, preconditions and error shapes that a store needs, and faults on demand.
//!
//! It shares no code with the store that talks to it: two readings of one fact sheet ("services", section a), so that a mistake
//! in one of them shows up instead of cancelling out. What it does not know it refuses with `INVALID_ARGUMENT`.
//!
//! ```
//! # use hedge_testkit::firestore::{FakeFirestore, Fault};
//! # async fn run() {
//! let fake = FakeFirestore::start().await;
//! fake.fail_next(Fault::Unavailable);
//! let address = fake.host();
//! # }
//! ```

mod check;
mod clock;
mod commit;
mod documents;
mod fault;
mod server;

pub use fault::Fault;
pub use server::FakeFirestore;
