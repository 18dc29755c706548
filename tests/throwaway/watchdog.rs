//! The script beside each server: it starts and stops the server when told, and ends it when nobody is left to tell.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
};

const SCRIPT: &str = include_str!("watchdog.sh");

/// A server as the script is to run it, in a folder of its own.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The program, and its arguments; paths are relative to the folder.
    pub(crate) command: Vec<String>,
    /// Shell commands that run once in the folder, before the first start.
    pub(crate) prepare: String,
    /// A part of the line that the server logs when it can be used.
    pub(crate) ready: &'static str,
    /// The signal that ends it at once.
    pub(crate) stop: &'static str,
    /// The user that it runs as where the tests run as root.
    pub(crate) instead_of_root: Option<&'static str>,
}

/// A server's script. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Watchdog {
    script: Arc<Mutex<Script>>,
    folder: PathBuf,
}

#[derive(Debug)]
struct Script {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Watchdog {
    /// Starts the script, and with it the server. Returns when the server can be used, or why it cannot.
    pub(crate) async fn start(plan: Plan) -> Result<Self, String> {
        let begin = move || {
            let mut script =
                Script::begin(&plan).map_err(|error| format!("the watchdog cannot run: {error}"))?;
            let folder = PathBuf::from(script.answer());
            script.order("start", "ready", &folder)?;
            Ok(Self { script: Arc::new(Mutex::new(script)), folder })
        };
        tokio::task::spawn_blocking(begin).await.unwrap()
    }

    /// Ends the server at once, as if its machine had failed; what it has written stays.
    pub(crate) async fn stop(&self) {
        self.order("stop", "ended").await.unwrap();
    }

    /// Starts it again, as and where it was. Returns when it can be used.
    pub(crate) async fn start_again(&self) {
        self.order("start", "ready").await.unwrap();
    }

    /// Where all its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    async fn order(&self, order: &'static str, expected: &'static str) -> Result<(), String> {
        let (script, folder) = (Arc::clone(&self.script), self.folder.clone());
        let obeyed = move || script.lock().unwrap().order(order, expected, &folder);
        tokio::task::spawn_blocking(obeyed).await.unwrap()
    }
}

impl Script {
    fn begin(plan: &Plan) -> std::io::Result<Self> {
        let mut command = match plan.instead_of_root.filter(|_| is_root()) {
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--", "sh"]);
                command
            }
            None => Command::new("sh"),
        };
        let mut child = command
            .args(["-c", SCRIPT, "watchdog"])
            .args(&plan.command)
            .env("PREPARE", &plan.prepare)
            .env("READY", plan.ready)
            .env("STOP", plan.stop)
            // What the server logs is read, and its messages are translated.
            .env("LC_ALL", "C")
            .current_dir("/")
            // What a terminal sends to the tests is not for it: it has to tidy up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Shells comment on whom they have killed.
            .stderr(Stdio::null())
            .spawn()?;
        let (orders, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Ok(Self { child, orders, answers })
    }

    fn order(&mut self, order: &str, expected: &str, folder: &Path) -> Result<(), String> {
        let written = self.orders.as_mut().unwrap().write_all(format!("{order}\n").as_bytes());
        written.map_err(|error| format!("the watchdog is gone: {error}"))?;
        let answer = self.answer();
        if answer == expected {
            return Ok(());
        }
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        Err(format!("a server did not {order}:\n{log}"))
    }

    /// The next line that it says; empty when it is gone.
    fn answer(&mut self) -> String {
        let mut line = String::new();
        let _ = self.answers.read_line(&mut line);
        line.trim_end().to_owned()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.wait();
    }
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|answer| answer.stdout == b"0\n")
}
