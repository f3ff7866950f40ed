#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mrl_fuzz::run("labels", bytes));
