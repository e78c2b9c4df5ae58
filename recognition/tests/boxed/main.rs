//! The box, tried with real processes: children that misbehave, children that are locked, and the shipped child.
//!
//! This program is its own children: started with a role as its first argument it plays that role, else it runs the
//! tests. So no test code can get into the shipped program, and no test depends on another program being built.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that meets the unexpected fails, and roles report on their standard streams"
)]

mod fake;
mod fake_tests;
mod fuzz;
mod locked;
mod shipped;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["role:fake", behaviour] => fake::play(behaviour),
        ["role:child"] => pagemill_recognition::boxed::child::run().unwrap(),
        ["role:worker"] => shipped::worker(),
        ["role:locked", layers, attempt] => locked::attempt(layers, attempt),
        _ => return libtest_mimic::run(&Arguments::from_args(), tests()).exit_code(),
    }
    ExitCode::SUCCESS
}

fn tests() -> Vec<Trial> {
    let mut tests = fake_tests::tests();
    tests.extend(locked::tests());
    tests.extend(shipped::tests());
    tests.extend(fuzz::tests());
    tests
}

/// A test of that name.
fn test(name: &str, run: fn()) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}
