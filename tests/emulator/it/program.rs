//! The real program, as its users start it: settings in a file, credentials and endpoint in the environment.
//!
//! Knows command lines and files; what a journey makes of them is the journey's.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::clock::wait;
use crate::emulator::{HERE, run};
use crate::organization::{REGIONS, UNENROLLED};
use crate::server::Server;

/// The longest that a journey waits for a line of the log: swaps take seconds here.
const LINE_MAX: Duration = Duration::from_secs(120);
/// The longest that a program takes to end once it was told to: what it does at most then is let go of its leases.
const END_MAX: Duration = Duration::from_secs(60);

/// Times as short as the emulator's world is quick.
pub(crate) const QUICK: &str = "defaults:\n  settle: 1s\n  interval: 1s\n  budgets: {group-share: 100}\n";

/// The program's file: beside the folder of the test binaries. Whoever runs the tests has it built: see
/// `control-plane/cli/tests/program`.
fn file() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let file = me.parent().and_then(Path::parent).unwrap().join("spothub");
    assert!(
        file.exists(),
        "no program at {}: run `tests/run emulator`, or build it with `cargo test --workspace --test program --no-run`",
        file.display()
    );
    file
}

/// A working directory with settings and policy, and what the program is told by its environment.
pub(crate) struct Program {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

/// What one call of it came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What it printed as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}\n{}", self.out, self.err))
    }

    /// Log lines with this message.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        self.err.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(|line| says(line, message)).collect()
    }
}

fn says(line: &Value, message: &str) -> bool {
    line["message"] == message || line["fields"]["message"] == message
}

impl Program {
    /// As [`Program::unused`], and resumed: a new hub begins paused.
    pub(crate) fn new(server: &Server, told: &Value, policy: &str) -> Self {
        Self::unused(server, told, policy).resumed()
    }

    /// Started once, so that its store is there, and resumed.
    pub(crate) fn resumed(self) -> Self {
        let mut running = self.start(&[]);
        running.message("swaps are paused");
        running.signal("KILL");
        running.end();
        let resumed = self.ran(&["resume", "--config", "spothub.yaml", "--org", "--why", "the tests begin"]);
        assert_eq!(resumed.code, Some(0), "{}", resumed.err);
        self
    }

    /// Gives another value to a key at the top of its settings file.
    pub(crate) fn give(self, key: &str, value: &str) -> Self {
        let file = self.path("spothub.yaml");
        let text = fs::read_to_string(&file).unwrap();
        let line = |line: &str| {
            if line.starts_with(&format!("{key}:")) { format!("{key}: {value}") } else { line.to_owned() }
        };
        fs::write(file, text.lines().map(line).collect::<Vec<_>>().join("\n")).unwrap();
        self
    }

    /// A hub over all of an emulator's organization, but for the management account and those left out.
    pub(crate) fn unused(server: &Server, told: &Value, policy: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let id = |name: &str| told["accounts"].as_array().unwrap().iter().find(|row| row["name"] == name);
        let without: Vec<&str> = id(UNENROLLED).iter().map(|row| row["id"].as_str().unwrap()).collect();
        let without: Vec<String> =
            without.into_iter().chain(told["management"].as_str()).map(|id| format!("\"{id}\"")).collect();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut settings = String::new();
        for (key, value) in [
            ("hub-id", "hub-1".to_owned()),
            ("home-region", text(&told["hub"]["region"])),
            ("member-role", "arn:aws:iam::{account}:role/spothub-member".to_owned()),
            ("external-id", text(&told["external_id"])),
            ("accounts", format!("{{without: [{}]}}", without.join(", "))),
            ("regions", format!("[{}]", REGIONS.join(", "))),
            ("queues.urgent", text(&told["hub"]["queues"]["urgent"]["url"])),
            ("queues.normal", text(&told["hub"]["queues"]["normal"]["url"])),
            ("store", "spothub.db".to_owned()),
            ("policies", "[policy.yaml]".to_owned()),
            ("policy-as-it-stands", "true".to_owned()),
            ("timings", "{tick: 1s, boot-first: 1s, start-interval: 1s, orphan-age: 5s}".to_owned()),
            ("time-outs", "{catalogue: \"0\"}".to_owned()),
            ("once-limit", "5m".to_owned()),
            ("listen", "127.0.0.1:0".to_owned()),
        ] {
            let quoted = if value.starts_with(['{', '[']) { value } else { format!("\"{value}\"") };
            match key.split_once('.') {
                Some((map, key)) if settings.contains(&format!("{map}:")) => {
                    writeln!(settings, "  {key}: {quoted}").unwrap();
                }
                Some((map, key)) => writeln!(settings, "{map}:\n  {key}: {quoted}").unwrap(),
                None => writeln!(settings, "{key}: {quoted}").unwrap(),
            }
        }
        fs::write(directory.path().join("spothub.yaml"), settings).unwrap();
        fs::write(directory.path().join("policy.yaml"), policy).unwrap();
        let keys = &told["hub"]["keys"];
        let mut program = Self::over(directory, &server.url);
        program.set("AWS_ACCESS_KEY_ID", keys["AccessKeyId"].as_str().unwrap());
        program.set("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"].as_str().unwrap());
        program.set("AWS_SESSION_TOKEN", keys["SessionToken"].as_str().unwrap());
        program.set("AWS_REGION", told["hub"]["region"].as_str().unwrap());
        program
    }

    /// Without settings, with a session of the management account and a copy of the project's policies: as whoever
    /// installs it has it.
    pub(crate) fn anew(server: &Server) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        fs::create_dir(directory.path().join("policies")).unwrap();
        for file in ["minimal.yaml", "organization.yaml"] {
            fs::copy(policies.join(file), directory.path().join("policies").join(file)).unwrap();
        }
        let mut program = Self::over(directory, &server.url);
        program.set("AWS_ACCESS_KEY_ID", "testing");
        program.set("AWS_SECRET_ACCESS_KEY", "testing");
        program.set("AWS_REGION", HERE);
        program
    }

    fn over(directory: TempDir, url: &str) -> Self {
        let mut program = Self { directory, variables: Vec::new() };
        program.set("AWS_ENDPOINT_URL", url);
        program.set("AWS_EC2_METADATA_DISABLED", "true");
        program.set("HOME", program.directory.path().to_str().unwrap().to_owned().as_str());
        program
    }

    /// Gives another program its working directory and environment, and itself to be found by its name.
    #[expect(clippy::disallowed_methods, reason = "the shell's own programs are found where they are")]
    pub(crate) fn dress(&self, command: &mut Command) {
        let found = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{found}", file().parent().unwrap().display());
        command.current_dir(self.directory.path()).env_clear();
        command.envs(self.variables.iter().cloned()).env("PATH", path).env("TERM", "xterm").env("SHELL", "/bin/sh");
    }

    /// Sets a variable of its environment, which has nothing of ours.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// A file in its working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(file());
        command.args(arguments).current_dir(self.directory.path());
        command.env_clear().envs(self.variables.iter().cloned()).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn ran(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// The metering task, which lies beside the program, to its end.
    pub(crate) fn metered(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(file().with_file_name("spothub-metering"));
        command.args(arguments).current_dir(self.directory.path());
        command.env_clear().envs(self.variables.iter().cloned()).stdin(Stdio::null());
        Ran::of(command.output().unwrap())
    }

    /// `spothub run --once` over its settings, with more arguments.
    pub(crate) fn once(&self, more: &[&str]) -> Ran {
        let usual = ["run", "--config", "spothub.yaml", "--once", "--unsafe-timings", "--output", "json"];
        let logs = ["--log-format", "json", "-v"];
        self.ran(&[&usual[..], &logs, more].concat())
    }

    /// `spothub run` over its settings, with more arguments; it runs until it is told to stop.
    pub(crate) fn start(&self, more: &[&str]) -> Running {
        let usual = ["run", "--config", "spothub.yaml", "--unsafe-timings", "--log-format", "json", "-v"];
        self.begun(&[&usual[..], more].concat())
    }

    /// Any of its commands, while it runs; what it says on stderr is read line by line.
    pub(crate) fn begun(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = mpsc::channel();
        let from = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                // What is no line of the log is an error's own text.
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Running { child, lines, seen: Vec::new() }
    }
}

/// The program while it runs; it ends with this value.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<Value>,
    seen: Vec<Value>,
}

impl Running {
    /// The next line of its log that `wanted` takes.
    pub(crate) fn line(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let give_up = Instant::now() + LINE_MAX;
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|error| {
                let seen: Vec<String> = self.seen.iter().map(ToString::to_string).collect();
                panic!("{what}: no such line came ({error}) after\n{}", seen.join("\n"))
            });
            self.seen.push(line.clone());
            if wanted(&line) {
                return line;
            }
        }
    }

    /// The next line with this message.
    pub(crate) fn message(&mut self, message: &str) -> Value {
        self.line(message, |line| says(line, message))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by its name, as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    fn ended(&mut self) -> ExitStatus {
        let give_up = Instant::now() + END_MAX;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < give_up, "the program does not end");
            run(wait(Duration::from_millis(20)));
        }
    }

    /// Waits for its end; its exit code, none where a signal ended it.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.ended().code()
    }

    /// Waits for its end, which has to be a good one.
    pub(crate) fn end_well(mut self) {
        let status = self.ended();
        let said: Vec<String> = self.seen.iter().cloned().chain(self.lines.iter()).map(|l| l.to_string()).collect();
        let last = said.len().saturating_sub(40);
        assert_eq!(status.code(), Some(0), "it said at last:\n{}", said[last..].join("\n"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
