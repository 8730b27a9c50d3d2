#![no_main]
#![doc = "The surface `ws_api` of tests/bad_input."]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hedge_fuzz::body("ws_api")(bytes));
