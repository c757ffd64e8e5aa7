//! What the program's exit code says.

use std::process::ExitCode;

/// How a command ended. The numbers are part of the command line's contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed for a reason outside the input.
    Failed = 1,
    /// The command line or an input file is wrong; nothing was begun.
    Usage = 2,
    /// Done in part: some account failed, and the summary names it.
    Partly = 3,
    /// An invariant was violated.
    Violation = 4,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
