//! A random market that any instant of can be computed from a seed.
//!
//! The log price of a symbol is a share of a common factor plus a factor of its own, held inside a factor of five
//! around the symbol's usual price. A factor is fixed at the boundaries of days by noise of many wavelengths (so it has
//! short and long trends and no start) and by jumps that fade over two months; inside a day it is a random walk in
//! minutes with clustered volatility, tied to both ends. Minute bars are what is generated; everything longer is their
//! exact aggregate. The market begins in 1990; days before 2018 are drawn from hourly points, so that weeks and months
//! can be asked for back to there.
//!
//! Floats stay in here: prices leave as whole ticks, quantities as whole lots. Only operations that IEEE 754 defines to
//! the bit are used (no library `exp`), so a seed gives the same market on every machine.

mod cache;
mod day;
mod factor;
mod generated_market;
mod micro;
mod noise;
mod profile;
mod rates;

pub use generated_market::{GeneratedMarket, KlineQuery};
pub use micro::GeneratedTrade;
pub use profile::SymbolProfile;
