//! What every implementation of a trait must do, one function per property. A property that does not hold panics.

pub mod brokerage;
pub mod store;
pub mod strategy;
