//! Deterministic fault simulation: the real engine, the simulated exchange, a disk and a network in one queue, one seed
//! a run. What is checked, and what is not, stands in `docs/swarm.md`.

mod auditor;
mod dice;
mod exchange;
mod mutant;
mod plan;
mod process;
mod range;
mod shrink;
mod strategy;
mod words;
mod world;

pub use auditor::{INVARIANTS, Violation};
pub use mutant::Mutant;
pub use plan::fault_kinds;
pub use range::{Finding, Options, RangeReport, Run, run_range, run_seed};
