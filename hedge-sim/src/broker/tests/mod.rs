//! The pure part alone: an engine on one side, a scripted market on the other.

mod bench;
mod market;
mod restart;
mod settings;
mod start;
