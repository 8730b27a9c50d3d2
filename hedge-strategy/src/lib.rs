#![doc = include_str!("../README.md")]

pub mod config;
pub mod exits;
pub mod indicators;

mod breakout;
mod fast_lane;
mod ma_cross;
mod momentum;
mod screener;
mod signal;
#[cfg(test)]
mod test_support;

pub use breakout::{BtcBreakout, DonchianBreak};
pub use fast_lane::{FastLane, FastLaneMode, SolFastLane};
pub use ma_cross::{MaCross, MaCrossParams};
pub use momentum::{EthMomentum, Momentum};
pub use screener::{Screened, Screener, ScreenerParams};
pub use signal::{Reason, SignalRule, SignalStrategy, TradeRules, Vetoes, Wanted};
