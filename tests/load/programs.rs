//! Programs of this program: the server, the sandbox, what the server is compared with, and crowds are all this one binary,
//! started again on certain cores and under another name. So there is nothing to build beside it, and all of them have the
//! same allocator.

use std::{env, ffi::OsString, os::unix::process::CommandExt, path::PathBuf};

use anyhow::Context;
use tokio::process::Command;

use crate::cores::{listed, of_list, pin};

/// The name under which this binary is the server.
const SERVER: &str = "countersign";
/// The name under which it is itself.
const LOAD: &str = "load";

/// Whether this process is the server.
pub(crate) fn is_server() -> bool {
    env::args_os().next().is_some_and(|name| name == SERVER)
}

/// A command of the server, on these cores.
pub(crate) fn server(cores: &[usize], command: &str) -> anyhow::Result<Command> {
    on(cores, SERVER, &[command])
}

/// Something else that this binary can be, on these cores.
pub(crate) fn part(cores: &[usize], arguments: &[&str]) -> anyhow::Result<Command> {
    on(cores, LOAD, arguments)
}

fn on(cores: &[usize], name: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(own()?);
    command.args(["on", &listed(cores), name]).args(arguments).env_clear();
    Ok(command)
}

/// Moves to the cores, and becomes the program of that name. Returns only if that fails.
pub(crate) fn become_on(cores: &str, name: &str, arguments: &[OsString]) -> anyhow::Error {
    let becoming = || {
        pin(&of_list(cores)?)?;
        Err(std::process::Command::new(own()?).arg0(name).args(arguments).exec().into())
    };
    becoming().unwrap_or_else(|error: anyhow::Error| error)
}

fn own() -> anyhow::Result<PathBuf> {
    env::current_exe().context("this program does not know where it is")
}
