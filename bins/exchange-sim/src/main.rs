//! A thin binary.

fn main() {}
