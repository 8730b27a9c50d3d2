//! `hedgectl doctor`: whether this machine is fit to run an executor. Looks at files, variables, disk, clock and hosts; changes
//! nothing, needs no lock, and goes on after each thing that is wrong.

mod examine;
mod machine;
mod network;
mod setup;

pub use examine::{Patient, examine};
