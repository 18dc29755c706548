//! The example program: each operation of the service as a command, and `demo`, which plays the whole story. It only
//! reads arguments and says how things went; what a command does is in `command`. Exit codes: 0 fine, 1 failed, 2
//! wrong usage.

mod arguments;
mod command;
mod demo;
mod terminal;
mod wait;

use std::{io, process::ExitCode};

use anyhow::Context;
use clap::Parser;

use crate::{arguments::Arguments, terminal::Terminal};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !is_broken_pipe(&error) {
                terminal::complain(&error);
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    // An error means that there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
    let terminal = Terminal::new(arguments.json);
    let result = runtime.block_on(command::run(arguments, &terminal));
    // A thread may still wait for a line that nobody will type.
    runtime.shutdown_background();
    result
}

/// Whether whoever read our output went away, as `head` does: nothing to complain about.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
