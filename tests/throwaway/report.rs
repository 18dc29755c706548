//! What tests tell whoever reads their output.

use std::io::Write;

/// Prints a line that cargo does not hide where tests pass.
pub fn report(line: &str) {
    // In one write, past `print!`, so that lines of other tests do not get between.
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
