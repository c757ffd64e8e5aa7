//! Tests across crates, in `it/`, and the `seeds` program that runs scenarios over many seeds.
