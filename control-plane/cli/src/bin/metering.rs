//! The hourly metering task: a program of its own, so that its role can do nothing else.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::io;
use std::process::ExitCode;

use spothub::{Streams, Style};

fn main() -> ExitCode {
    let mut streams = Streams {
        style: Style::Plain,
        program: "spothub-metering",
        progress: false,
        out: &mut io::stdout().lock(),
        err: &mut io::stderr(),
    };
    spothub::meter(std::env::args_os(), &mut streams).into()
}
