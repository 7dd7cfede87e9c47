//! The script's text as commands.

mod eval;
mod load;

use thiserror::Error;

pub use eval::{Eval, Expect, ExpectKind, Expected, Pattern, Steps};
pub use load::{Load, LoadSeries};

/// A line that is no command, or one that is wrong.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {message}")]
pub struct ScriptError {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl ScriptError {
    /// `at` counts from 0.
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { line: at + 1, message: message.into() }
    }
}

/// One step of a script.
#[derive(Clone, Debug)]
pub enum Command {
    /// Forget all series.
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// Reads a script. Commands that are wrong are errors in their place; reading goes on behind them, at the
/// next empty line.
#[must_use]
pub fn parse(text: &str) -> Vec<Result<Command, ScriptError>> {
    let mut lines = Lines::new(text);
    let mut commands = Vec::new();
    while let Some((at, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let word = line.split([' ', '\t']).next().unwrap_or_default().to_ascii_lowercase();
        let command = if word == "clear" {
            Ok(Command::Clear)
        } else if word.starts_with("load") {
            load::parse(at, line, &mut lines).map(Command::Load)
        } else if word.starts_with("eval") {
            eval::parse(at, line, &mut lines).map(|eval| Command::Eval(Box::new(eval)))
        } else {
            Err(ScriptError::new(at, format!("invalid command {line:?}")))
        };
        if command.is_err() {
            while lines.next().is_some_and(|(_, line)| !line.is_empty()) {}
        }
        commands.push(command);
    }
    commands
}

/// Lines without the space around them; comments are empty lines.
struct Lines<'a> {
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let trimmed = |line: &'a str| {
            let line = line.trim();
            if line.starts_with('#') { "" } else { line }
        };
        Self { lines: text.split('\n').map(trimmed).collect(), next: 0 }
    }

    fn next(&mut self) -> Option<(usize, &'a str)> {
        let at = self.next;
        let line = *self.lines.get(at)?;
        self.next += 1;
        Some((at, line))
    }

    /// The next line of a command: commands end at an empty line.
    fn next_of_command(&mut self) -> Option<(usize, &'a str)> {
        let line = *self.lines.get(self.next)?;
        if line.is_empty() { None } else { self.next() }
    }
}
