//! Fuzz target of profiles; see targets.rs.
#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    targets::profiles(bytes);
});
