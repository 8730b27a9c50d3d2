//! The paper profile's own exchange: an exchange in this process, its market, its clock, and what drives it.
//!
//! At lockstep speed (the default) it waits for the engine; at a finite speed its clock runs by itself. Either way there
//! are sockets between the two: the same client, journal and loop as at any venue.

mod clock;
mod embedded;
mod last_bar;
mod lockstep;
mod market;

pub use clock::VenueTime;
pub(crate) use embedded::{Embedded, history, open};
pub use last_bar::LastBar;
pub use lockstep::{Driven, Lockstep};
