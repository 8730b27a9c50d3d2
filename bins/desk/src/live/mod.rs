//! Venues that are not ours: mainnet, testnet, and exchanges on this machine that somebody else runs.

mod dry;
mod hold;
mod place;
mod scale;

pub(crate) use dry::dry;
pub(crate) use hold::hold;
pub(crate) use place::{open, symbols};
pub(crate) use scale::keep_time;
