//! Any bytes as a policy file: the same function that the tests replay their corpus and mutations with.
#![no_main]

#[path = "../../it/policy/bytes.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::checked("fuzzed.yaml", data);
});
