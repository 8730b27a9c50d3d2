//! How a key of a configuration file is explained, wherever it is defined.

/// One key of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name in the file.
    pub key: &'static str,
    /// What it is measured in.
    pub unit: &'static str,
    /// What is accepted.
    pub range: &'static str,
    /// What holds when it is absent; `required` when it must be given.
    pub default: &'static str,
    /// What it does, and why one would change it.
    pub why: &'static str,
}

impl KeyInfo {
    /// The parts in the order in which they are declared.
    pub const fn new(
        key: &'static str,
        unit: &'static str,
        range: &'static str,
        default: &'static str,
        why: &'static str,
    ) -> Self {
        Self { key, unit, range, default, why }
    }
}
