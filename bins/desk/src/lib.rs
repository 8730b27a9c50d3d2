//! Shared parts of the binaries.
