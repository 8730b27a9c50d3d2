//! Tests of the exchange core.

mod algo;
mod data;
mod elsewhere;
mod errors;
mod isolated;
mod kit;
mod margin;
mod matching;
mod moves;
mod properties;
mod speed;
mod taken;
