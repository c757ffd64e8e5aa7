//! Snapshots, written and read.
