//! The program as a process: what only that shows. Since this test has it built, other packages' tests can start it.

use std::io::Read;
use std::process::{Command, Stdio};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spothub"));
    command.env_clear().stdin(Stdio::null());
    command
}

#[test]
fn data_goes_to_stdout_and_messages_to_stderr() {
    let version = program().arg("--version").output().unwrap();
    assert_eq!((version.status.code(), version.stderr.as_slice()), (Some(0), &b""[..]));
    assert!(String::from_utf8(version.stdout).unwrap().starts_with("spothub "));

    let unknown = program().args(["simulate", "no-such-scenario"]).output().unwrap();
    assert_eq!((unknown.status.code(), unknown.stdout.as_slice()), (Some(2), &b""[..]));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("no-such-scenario"));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut running = program().args(["man"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(running.stdout.take());
    let status = running.wait().unwrap();
    let mut said = String::new();
    running.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "", "{status}");
}
