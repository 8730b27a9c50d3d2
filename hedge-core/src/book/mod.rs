//! Everything the engine knows: the fold of the journal. Changed by [`Book::apply`] and by nothing else.

mod fold;
mod leg;
mod money;
mod order;
mod orders;
mod read;
mod state;

pub use leg::LegState;
pub use order::{Doubt, OrderRecord};
pub use state::{Book, Change, Forced, LegHalt, Totals};
