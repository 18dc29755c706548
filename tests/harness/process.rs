//! One spawned process of the server: its addresses from standard output, its log in a file, and how it ends.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdout, Command},
};

/// A running `countersign`, killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What it has printed and nobody has read; kept open, so that printing never fails.
    _output: BufReader<ChildStdout>,
    addresses: Vec<(String, String)>,
    printed: Vec<String>,
}

/// How a process ended that was waited for.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub output: String,
    /// What it logged.
    pub log: String,
}

/// Where the server's program is: beside the test's own, or one folder up.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not beside {}", own.display()))
}

fn command(program_name: &str, arguments: &[&str], settings: &[(String, String)], folder: &Path) -> Command {
    let mut command = Command::new(program(program_name));
    command
        .args(arguments)
        .current_dir(folder)
        // No setting of whoever runs the tests.
        .env_clear()
        .envs(settings.iter().cloned())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a program of this package to its end: `server-under-test` or `client-under-test`.
pub async fn run(name: &str, arguments: &[&str], settings: &[(&str, &str)], folder: &Path) -> Finished {
    run_with_input(name, arguments, settings, folder, "").await
}

/// Runs a program of this package to its end, with something to read on its standard input.
pub async fn run_with_input(
    name: &str,
    arguments: &[&str],
    settings: &[(&str, &str)],
    folder: &Path,
    input: &str,
) -> Finished {
    let settings: Vec<_> =
        settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let mut child = command(name, arguments, &settings, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
    let output = child.wait_with_output().await.unwrap();
    Finished {
        code: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        log: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Process {
    /// Spawns the server and returns when it has printed this many addresses, one a line: `service http://…`.
    pub async fn spawn(
        arguments: &[&str],
        settings: &[(String, String)],
        folder: &Path,
        log: &Path,
        listeners: usize,
    ) -> Self {
        Self::listening(command("server-under-test", arguments, settings, folder), log, listeners).await
    }

    /// Spawns any program that prints its addresses as the server does.
    pub async fn listening(mut command: Command, log: &Path, listeners: usize) -> Self {
        // Whoever comes first; reqwest wants one even for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let log_file = File::options().create(true).append(true).open(log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log_file).kill_on_drop(true).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (mut addresses, mut printed) = (Vec::new(), Vec::new());
        while addresses.len() < listeners {
            let mut line = String::new();
            if output.read_line(&mut line).await.unwrap() == 0 {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                panic!("{command:?} ended before it listened:\n{log}");
            }
            let (name, address) = line.trim_end().split_once(' ').unwrap();
            addresses.push((name.to_owned(), address.replace("//localhost:", "//127.0.0.1:")));
            printed.push(line);
        }
        Self { child, _output: output, addresses, printed }
    }

    /// Where a part listens: `service` or `sandbox`. An address, where `dev` prints a name: that may lead to either of two.
    #[must_use]
    pub fn address(&self, name: &str) -> &str {
        let found = self.addresses.iter().find(|(part, _)| part == name);
        &found.unwrap_or_else(|| panic!("{name} has printed no address")).1
    }

    /// The lines with the addresses.
    #[must_use]
    pub fn printed(&self) -> String {
        self.printed.concat()
    }

    /// Its number among the processes of this machine.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// How much memory it holds: its resident set, in kB.
    #[must_use]
    pub fn memory_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        resident.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// SIGKILL: it has no time for anything.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM: it may finish what runs. Returns its exit code.
    pub async fn terminate(self) -> Option<i32> {
        self.signal().await;
        self.end().await
    }

    /// SIGTERM, and no waiting.
    pub async fn signal(&self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").arg(id).status().await.unwrap().success());
    }

    /// Waits for its end. Returns its exit code.
    pub async fn end(mut self) -> Option<i32> {
        self.child.wait().await.unwrap().code()
    }
}
