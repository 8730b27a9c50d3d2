#![doc = include_str!("../README.md")]

pub mod activity;
mod answer;
mod boot;
pub mod clock;
pub mod control;
mod deadman;
mod dispatch;
pub mod error;
mod feed;
pub mod fence;
mod foreign;
mod journal;
pub mod lease;
pub mod observer;
mod run;
pub mod settings;
pub mod shutdown;
mod snapshot;
mod sources;
pub mod views;

pub use activity::Activity;
pub use clock::{Scaled, SystemClock};
pub use error::RunError;
pub use fence::{Fence, Leader, Unfenced};
pub use lease::LeaseStatus;
pub use observer::Observer;
pub use run::{Parts, RunEnd, Runtime};
pub use settings::{Listing, START, Settings};
pub use shutdown::Shutdown;
pub use sources::Operator;
pub use views::{StopFigures, StopWatch, Views};
