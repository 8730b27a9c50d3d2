//! Where the simulated exchange's prices come from: recorded bars, or a seeded random market.
//!
//! Both end as a [`DataSet`], and a [`Schedule`] turns a data set into the one order of events that the embedded
//! exchange and the backtest share: the same moves along each bar's inner path, the same funding, the same closes.

mod dataset;
mod decimal_text;
mod error;
mod file_names;
mod funding;
mod inner_path;
mod kline_interval;
mod klines;
mod schedule;
mod series;

pub use dataset::{DataSet, FundingSeries};
pub use error::MarketError;
pub use funding::FundingPayment;
pub use inner_path::{inner_path, point_times_ms, price_along};
pub use kline_interval::KlineInterval;
pub use klines::{parse_klines, read_klines};
pub use schedule::{MarketStep, Schedule};
pub use series::{GAP_BARS, Gap, Series};
