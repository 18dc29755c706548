//! The server, as a program of this package, so that its tests are told where it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign::main()
}
