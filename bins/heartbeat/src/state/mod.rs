//! What a state directory tells: its views, else its journal. Read only, without the lock, also while the executor runs.

mod read;
mod refold;
mod rows;

pub(crate) use read::{State, StateNav, read};
