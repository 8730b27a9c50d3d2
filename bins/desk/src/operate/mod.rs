//! What a person at a shell does with a trading account: look at it, stop it, let it go on, close everything.

mod folded;

pub use folded::Folded;
