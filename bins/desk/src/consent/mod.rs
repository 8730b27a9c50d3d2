//! A person's consent that real money is traded: `consent.json` in the state directory.
//!
//! It is given for one account (venue, environment, host, key) and one configuration, until a date. A restart at night asks
//! nobody while all of that is unchanged; anything else than that starts without openings, and says why.

mod file;
mod offer;
mod terms;

pub use file::{ConsentError, FILE, load, remove, save};
pub use offer::Offer;
pub use terms::{DEFAULT_DAYS, Days, MAX_DAYS, Misfit, fits, give, phrase};
