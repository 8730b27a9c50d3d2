//! Where the simulated exchange's prices come from: recorded bars, or a seeded random market.
//!
//! Recorded ticks are a [`TickSet`], read by [`read_ticks`]; a backtest plays them one by one.
//!
//! Bars of both kinds end as a [`DataSet`], and a [`Schedule`] turns a data set into the one order of events that the
//! embedded exchange and the backtest share: the same moves along each bar's inner path, funding and closes.
//!
//! ```
//! use std::sync::Arc;
//!
//! use hedge_core::{Interval, Symbol};
//! use hedge_sim::market::{GeneratedMarket, MarketStep, Schedule};
//!
//! let btc = Symbol::parse("BTCUSDT")?;
//! let mut market = GeneratedMarket::built_in(7);
//! let data = market.data_set(&[btc], Interval::M15, 1_767_225_600_000, 10, 5)?;
//! let schedule = Schedule::new(Arc::new(data), 5);
//! let closes = schedule.filter(|step| matches!(step, MarketStep::BarClosed { .. })).count();
//! assert_eq!(closes, 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dataset;
mod decimal_text;
mod error;
mod file_names;
mod funding;
mod generator;
mod inner_path;
mod kline;
mod kline_interval;
mod klines;
mod schedule;
mod series;
mod tick_files;
mod ticks;

pub use dataset::{DataSet, FundingSeries};
pub use error::{Disagreement, MarketError};
pub use funding::FundingPayment;
pub use generator::{GeneratedMarket, GeneratedTrade, KlineQuery, SymbolProfile};
pub use inner_path::{inner_path, point_times_ms, price_along};
pub use kline::Kline;
pub use kline_interval::KlineInterval;
pub use klines::{parse_klines, read_klines};
pub use schedule::{MarketStep, Schedule};
pub use series::{GAP_BARS, Gap, Series};
pub use tick_files::read_ticks;
pub use ticks::{Tick, TickKind, TickSeries, TickSet};
