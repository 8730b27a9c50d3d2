//! What came of a combination.

use super::trial::Trial;

/// One combination and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number in the space.
    pub combination: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a combination.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The configuration refuses it, and why.
    Refused(String),
    /// It was played.
    Played(Trial),
}

impl Row {
    /// The trial, if it was played.
    pub const fn trial(&self) -> Option<&Trial> {
        match &self.outcome {
            Outcome::Played(trial) => Some(trial),
            Outcome::Refused(_) => None,
        }
    }
}
