//! The command line as a library: everything but the process around it.
//!
//! Composes the parts and renders what they give; decides nothing. Data goes to `out`, messages to `err`.

pub mod args;
#[cfg(feature = "aws")]
mod audit;
#[cfg(feature = "aws")]
mod brake;
#[cfg(feature = "aws")]
mod clock;
#[cfg(feature = "aws")]
mod compose;
#[cfg(feature = "aws")]
mod config;
#[cfg(feature = "aws")]
mod dashboard;
#[cfg(feature = "aws")]
mod doctor;
pub mod exit;
mod input;
mod local;
mod logging;
#[cfg(feature = "aws")]
mod metering;
mod output;
mod plan;
mod policy;
#[cfg(feature = "aws")]
mod progress;
#[cfg(feature = "aws")]
mod report;
#[cfg(feature = "aws")]
mod rollout;
#[cfg(feature = "aws")]
mod run;
mod simulate;
#[cfg(feature = "aws")]
mod stop;
#[cfg(feature = "aws")]
mod store;
mod trace;

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};

use clap::error::ErrorKind as Usage;
use clap::{CommandFactory, FromArgMatches};

use args::{Args, Command};
#[cfg(feature = "aws")]
pub use config::Typed;
pub use exit::Exit;
use logging::{Lines, Wanted};

/// Whether a result is colored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// Text alone: for pipes, files and those who asked for it.
    Plain,
    /// With colors and bold, as ANSI has them.
    Colored,
}

/// Where a command writes.
pub struct Streams<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// Messages.
    pub err: &'a mut dyn Write,
    /// How `simulate` was called, for commands that are proposed.
    pub program: &'a str,
    /// How data is shown.
    pub style: Style,
    /// `err` is a terminal that can show a progress bar.
    pub progress: bool,
}

/// The metering task, with the arguments as they were typed, the program's name first. Never panics on bad input.
#[cfg(feature = "aws")]
pub fn meter(line: impl IntoIterator<Item = OsString>, streams: &mut Streams<'_>) -> Exit {
    metering::main(line, streams)
}

/// Runs one command line, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>, streams: &mut Streams<'_>) -> Exit {
    let parsed = Args::command().try_get_matches_from(args).and_then(|found| Args::from_arg_matches(&found));
    let args = match parsed {
        Ok(args) => args,
        Err(error) => return refuse(&error, streams),
    };
    let logs = Wanted { verbose: args.verbose, filter: args.log.as_deref() };
    // How lines about AWS are logged stands in the settings, which are not read yet.
    let later = match &args.command {
        #[cfg(feature = "aws")]
        Command::Run(_) | Command::Doctor(_) => true,
        Command::Plan(plan) => plan.reaches_aws(),
        _ => false,
    };
    let started = if later { Ok(()) } else { logging::start(&logs, Lines::Timeless) };
    if let Err(text) = started {
        let _ = writeln!(streams.err, "error: {text}");
        return Exit::Usage;
    }
    let ended = match args.command {
        #[cfg(feature = "aws")]
        Command::Rollout(command) => rollout::rollout(&command, streams),
        #[cfg(feature = "aws")]
        Command::Run(command) => run::run(&command, &logs, streams),
        #[cfg(feature = "aws")]
        Command::Doctor(command) => doctor::doctor(&command, &logs, streams),
        #[cfg(feature = "aws")]
        Command::Pause(args) => brake::pause(&args, streams),
        #[cfg(feature = "aws")]
        Command::Resume(args) => brake::resume(&args, streams),
        #[cfg(feature = "aws")]
        Command::Revert(args) => brake::revert(&args, streams),
        #[cfg(feature = "aws")]
        Command::Status(args) => brake::show(&args, streams),
        #[cfg(feature = "aws")]
        Command::Dashboard(args) => dashboard::dashboard(&args, streams),
        #[cfg(feature = "aws")]
        Command::Report(args) => report::report(&args, streams),
        #[cfg(feature = "aws")]
        Command::Audit(command) => audit::audit(&command, streams),
        #[cfg(feature = "aws")]
        Command::Metering(command) => metering::metering(&command, streams),
        #[cfg(feature = "aws")]
        Command::Config(args::Config::Example) => config::show_example(streams),
        #[cfg(feature = "aws")]
        Command::Config(args::Config::Check { file, from }) => {
            let named = config::Sources::new(&from.given, from.unsafe_timings);
            config::check(&config::Sources { file: file.as_deref().or(named.file), ..named }, streams)
        }
        Command::Simulate(simulate) => simulate::simulate(&simulate, streams),
        Command::Plan(plan) => plan::plan(&plan, &logs, streams),
        Command::Policy(command) => policy::policy(&command, streams),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "spothub", &mut streams.out);
            Ok(Exit::Done)
        }
        Command::Man { page } => man(page.as_deref(), streams),
    };
    ended.and_then(|exit| streams.out.flush().map(|()| exit).map_err(Into::into)).unwrap_or_else(|error| {
        // Who reads our output has read enough, as `head` does: that is no failure.
        if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe) {
            return Exit::Done;
        }
        let _ = writeln!(streams.err, "error: {error:#}");
        Exit::Failed
    })
}

/// Help and version are data; all else that the parser stops for is a mistake of the command line.
fn refuse(error: &clap::Error, streams: &mut Streams<'_>) -> Exit {
    let text = if streams.style == Style::Colored { error.render().ansi().to_string() } else { error.to_string() };
    let wanted = matches!(error.kind(), Usage::DisplayHelp | Usage::DisplayVersion);
    let stream = if wanted { &mut streams.out } else { &mut streams.err };
    let _ = write!(stream, "{text}");
    if wanted { Exit::Done } else { Exit::Usage }
}

fn man(page: Option<&str>, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let mut program = Args::command();
    program.build();
    let Some(name) = page else {
        clap_mangen::Man::new(program).render(streams.out)?;
        return Ok(Exit::Done);
    };
    let Some(command) = program.find_subcommand(name) else {
        writeln!(streams.err, "error: there is no command {name:?}; `spothub --help` lists them")?;
        return Ok(Exit::Usage);
    };
    let command = command.clone().version(args::VERSION);
    clap_mangen::Man::new(command).title(format!("spothub-{name}")).render(streams.out)?;
    Ok(Exit::Done)
}
