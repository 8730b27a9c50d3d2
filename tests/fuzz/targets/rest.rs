#![no_main]
#![doc = "The surface `rest` of tests/bad_input."]

#[path = "../../bad_input/bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::body("rest")(bytes));
