//! Everything the engine knows: the fold of the journal. Changed by [`Book::apply`] and by nothing else.
//!
//! **What is kept how.** Instruments have small numbers, and everything about instrument `i` is found by index: its rules and
//! mark at `i`, its legs at `2i` (LONG) and `2i + 1` (SHORT). Orders are kept in the order of their decision behind
//! a table of places by id, so that a look-up costs the same after a million orders as after ten; each leg lists the
//! ids of its own live ones. Sums that are asked for far more often than they move (equity, exposure, which legs are in use) are
//! kept beside the state and follow from it: they are neither written nor compared.

mod at_risk;
mod fold;
mod id_set;
mod keyed;
mod leg;
mod money;
mod order;
mod orders;
mod read;
mod remembered;
mod state;
mod total;
mod value;

pub use at_risk::AtRisk;
pub use leg::LegState;
pub use order::{Doubt, OrderRecord};
pub(crate) use orders::heeded;
pub use state::{Book, Change, Forced, LegHalt, Totals};
