//! Where the emulator is known to differ from AWS.
