#![no_main]
#![doc = "The surface `packed` of tests/bad_input."]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hedge_fuzz::body("packed")(bytes));
