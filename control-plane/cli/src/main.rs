//! The program: gives the library its streams and environment, and maps the result to an exit code.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use spothub::{Streams, Style};

fn main() -> ExitCode {
    let (out, err) = (io::stdout(), io::stderr());
    let mut streams = Streams {
        style: if out.is_terminal() && colors() { Style::Colored } else { Style::Plain },
        program: program(),
        progress: err.is_terminal(),
        out: &mut out.lock(),
        // Not locked: logs and the progress bar write there, too.
        err: &mut io::stderr(),
    };
    spothub::run(std::env::args_os(), &mut streams).into()
}

/// Whether the user and the terminal want colors: see <https://no-color.org>.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
fn colors() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// What to type to simulate: cargo says so where it started us.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
fn program() -> &'static str {
    if std::env::var_os("CARGO").is_some() { "cargo sim" } else { "spothub simulate" }
}
