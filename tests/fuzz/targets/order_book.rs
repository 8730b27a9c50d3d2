#![no_main]
#![doc = "The surface `order_book` of tests/bad_input."]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hedge_fuzz::body("order_book")(bytes));
