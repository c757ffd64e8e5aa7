//! The emulator's process: started for the test binary, and ended with it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// Names another Python than the one that the test command makes.
const PYTHON: &str = "SPOTHUB_EMULATOR_PYTHON";

fn overlay() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("overlay")
}

/// The Python with moto in it.
#[expect(clippy::disallowed_methods, reason = "the test command says so")]
fn python() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/emulator/bin/python");
    let python = std::env::var_os(PYTHON).map_or_else(default, PathBuf::from);
    assert!(
        python.exists(),
        "no Python for the emulator at {}: run `tests/run emulator`, or name one in {PYTHON} that has \
         tests/emulator/requirements.txt and requirements-nodeps.txt",
        python.display()
    );
    python
}

/// One running server. It ends when its stdin closes, so it ends with this process, however that ends.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

impl Server {
    /// Starts it on a free port and waits until it serves.
    pub(crate) fn start() -> Self {
        let mut command = Command::new(python());
        command.arg(overlay().join("serve.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim_end().strip_prefix("READY ").and_then(|port| port.parse::<u16>().ok());
        let port = port.unwrap_or_else(|| panic!("the emulator said {line:?}, not READY and a port"));
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    /// Builds an organization from a description, and tells all ids.
    pub(crate) fn seed(&self, mut description: Value) -> Value {
        description["endpoint"] = Value::from(self.url.as_str());
        let mut command = Command::new(python());
        command.arg(overlay().join("seed.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(description.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "the organization could not be built: {}", output.status);
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

#[test]
fn it_ends_when_it_is_let_go() {
    let mut server = Server::start();
    assert!(server.child.try_wait().unwrap().is_none());
    drop(server.child.stdin.take());
    assert!(server.child.wait().unwrap().success());
}
