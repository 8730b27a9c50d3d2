//! The bodies of tests/bad_input, compiled once for all targets.

#[path = "../../bad_input/bodies/mod.rs"]
mod bodies;

/// The body of the surface of that name.
pub fn body(name: &str) -> fn(&[u8]) {
    bodies::body(name)
}
