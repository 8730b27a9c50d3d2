//! Closing everything, now: no engine, no journal, no lock, and nothing that could refuse a person who panics.
//!
//! 1. The fence file is taken over ([`take_over`]), so that a running executor stops sending.
//! 2. Plain orders of the affected symbols are cancelled: resting closes can make a full close fail, resting entries can
//!    fill. Conditional orders that would *open* a leg go too.
//! 3. Each leg is closed at the market from a fresh reading, both legs and all symbols at once. **Stops stay** until their
//!    leg is flat.
//! 4. Flat means: two readings, a request's lifetime plus five seconds apart, without position and plain order. Only then
//!    are the conditional orders of those symbols cancelled.
//!
//! At most one close of a leg is live or of unknown outcome at any time: the next one goes out when the last one was found
//! finished, was refused, or is proven never to have arrived. So closes can never add up to more than the leg.
//!
//! [`run`] does 2 to 4 on anything that is a [`ClosingVenue`]; [`Binance<Closing>`](hedge_binance::Binance) is one.

mod binance;
mod course;
mod fence;
mod ids;
mod leg;
mod plan;
mod program;
mod reach;
mod reader;
mod rules;
mod run;
mod venue;
mod verdict;

pub use fence::{Fenced, ask_executor_to_halt, ask_executor_to_stop, take_over};
pub use ids::PanicIds;
pub use plan::{Plan, PlannedLeg};
pub use program::{Request, close_down};
pub use reach::{Reached, Refused, Wanted, reach};
pub use run::{PanicParts, run};
pub use venue::{CloseOrder, ClosingVenue, Found, Held, HeldSide, LegId, Resting, Waiting};
pub use verdict::{End, LegReport, Remaining, Verdict};

#[cfg(test)]
mod tests;
