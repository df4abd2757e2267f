//! `nibble type`: a keyboard in the terminal.

mod keyboard;
mod keys;
mod screen;
mod svg;
mod terminal;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
mod tests;

use std::fs;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nibble_keyboard::controller::Settings;
use nibble_keyboard::{Completer, FieldKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use serde::Serialize;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::typing::{TypingArguments, open_user_model, parse_field};
use keyboard::{Key, TypingShell};
use terminal::{Input, RawTerminal};

/// Type in the terminal, on the keyboard that every platform uses.
///
/// F1 to F3 (or Alt-1 to Alt-3) take a word of the strip, Tab takes the next word of the dimmed text behind the
/// cursor, Shift-Tab or Right takes all of it, and Esc leaves.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The kind of field that is typed into.
    #[arg(long, value_name = "KIND", default_value = "message", value_parser = parse_field)]
    field: FieldKind,

    /// The user's words: read from this file and kept in it [default: kept in memory].
    #[arg(long, value_name = "FILE")]
    user_model: Option<PathBuf>,

    /// Press these keys without a terminal, waiting for the model after each, and show the screen at the end.
    ///
    /// Each character is the key that types it. {enter}, {backspace}, {tab}, {shift-tab}, {left} and {right} are
    /// other keys, {1} to {9} slots of the strip from the left, and {{ is a brace. Before keys that accept
    /// foreseen text, and at the end, there is a pause for the model to foresee some.
    #[arg(long, value_name = "KEYS")]
    keys: Option<String>,

    /// Write the screen at the end as an SVG picture, too.
    #[arg(long, value_name = "FILE", requires = "keys")]
    svg: Option<PathBuf>,

    #[command(flatten)]
    typing: TypingArguments,
}

/// Longer than any pass takes.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// Time between keys that are played.
const KEY_INTERVAL: Duration = Duration::from_millis(250);
/// Columns and rows of the screen that played keys end on.
const PLAYED_SCREEN: (u16, u16) = (80, 14);
/// How long nothing must be typed for ghost text to be looked for.
const MOMENT: Duration = Duration::from_millis(400);
/// How long nothing must be typed for the controller to be told.
const IDLE: Duration = Duration::from_secs(1);
/// How often the model is asked whether it has something to say: while it is waited for, and else.
const SHORT_POLL: Duration = Duration::from_millis(8);
const LONG_POLL: Duration = Duration::from_millis(100);

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let keys = match &arguments.keys {
        Some(keys) => Some(keys::parse(keys).map_err(Failure::Usage)?),
        None if output.is_json() => {
            return Err(Failure::Usage("--json needs --keys".to_owned()));
        }
        None if !std::io::stdout().is_terminal() => {
            return Err(Failure::Usage(
                "standard output is no terminal (--keys presses keys without one)".to_owned(),
            ));
        }
        None => None,
    };
    let model = arguments.model_name();
    let (completer, settings) = arguments.open(output)?;
    match keys {
        Some(keys) => {
            completer.wait_idle(LONGEST_WAIT);
            let mut shell = TypingShell::new(completer, arguments.field, settings, Duration::ZERO)?;
            let end = play(&mut shell, &keys)?;
            let screen = picture(&shell, model.as_deref());
            if let Some(file) = &arguments.svg {
                write(file, &svg::svg(&screen))?;
            }
            let outcome = Outcome::of(&shell);
            shell.blur(end)?;
            if output.is_json() {
                return output.object(&outcome);
            }
            output.line(svg::text(&screen))
        }
        None => {
            let interrupt = Interrupt::install()?.handle();
            let start = Instant::now();
            let mut shell = TypingShell::new(completer, arguments.field, settings, Duration::ZERO)?;
            let mut terminal = RawTerminal::enter()?;
            let typed = type_keys(&mut shell, &mut terminal, start, model.as_deref(), || {
                interrupt.is_cancelled()
            });
            drop(terminal);
            typed?;
            Ok(shell.blur(start.elapsed())?)
        }
    }
}

impl Arguments {
    /// The engine, and the settings that go with its languages.
    fn open(&self, output: &Output) -> Result<(Completer, Settings), Failure> {
        let user = open_user_model(self.user_model.as_deref())?;
        let model = self.typing.open_model()?;
        let lexicons = self.typing.open_lexicons(model.as_deref(), output)?;
        let mut settings = Settings::default();
        if let Some(lexicon) = lexicons.as_slice().first() {
            lexicon.language().clone_into(&mut settings.language);
        }
        let options = self.typing.options(&lexicons)?;
        let completer = Completer::new(model, lexicons, Some(user), options);
        Ok((completer, settings))
    }

    /// What the model is called on the screen: a file without its directory.
    fn model_name(&self) -> Option<String> {
        let name = self.typing.model.as_deref()?.file_name()?;
        Some(name.to_string_lossy().into_owned())
    }
}

/// Presses keys, each after the model was heard on the one before. Gives the time at the end.
fn play(shell: &mut TypingShell, keys: &[Key]) -> Result<Duration, Failure> {
    let mut time = Duration::ZERO;
    shell.wait(LONGEST_WAIT, time)?;
    for &key in keys {
        time += KEY_INTERVAL;
        let at_end = shell.field().after().is_empty();
        if matches!(key, Key::GhostWord | Key::GhostAll) || (key == Key::Right && at_end) {
            time += MOMENT;
            shell.wait_ghost(LONGEST_WAIT, time)?;
        }
        shell.press(key, time)?;
        shell.wait(LONGEST_WAIT, time)?;
    }
    time += IDLE;
    shell.wait_ghost(LONGEST_WAIT, time)?;
    shell.idle(time)?;
    Ok(time)
}

/// The screen after keys were played.
fn picture(shell: &TypingShell, model: Option<&str>) -> Buffer {
    let (width, height) = PLAYED_SCREEN;
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(frame) = terminal.draw(|frame| screen::draw(frame, shell, model));
    frame.buffer.clone()
}

fn write(file: &PathBuf, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(|source| Failure::Io {
        what: file.display().to_string(),
        source,
    })
}

/// What played keys came to, for programs. A secret text is not in it.
#[derive(Debug, Serialize)]
struct Outcome {
    text: String,
    strip: Vec<String>,
    highlighted: Option<usize>,
    ghost: String,
    keys: u64,
    characters: u64,
    saved: Option<f64>,
    passes: u64,
    passes_per_character: Option<f64>,
}

impl Outcome {
    fn of(shell: &TypingShell) -> Outcome {
        let counters = shell.counters();
        let strip = shell.strip();
        Outcome {
            text: screen::shown(shell, &shell.field().text()),
            strip: strip.slots.iter().map(|slot| slot.text.clone()).collect(),
            highlighted: strip.highlighted,
            ghost: shell.ghost().to_owned(),
            keys: counters.keys,
            characters: counters.characters,
            saved: counters.saved(),
            passes: counters.passes,
            passes_per_character: counters.passes_per_character(),
        }
    }
}

/// Lets the user type until they leave.
fn type_keys(
    shell: &mut TypingShell,
    terminal: &mut RawTerminal,
    start: Instant,
    model: Option<&str>,
    interrupted: impl Fn() -> bool,
) -> Result<(), Failure> {
    let mut last_key = Instant::now();
    let mut told_idle = false;
    loop {
        terminal.draw(|frame| screen::draw(frame, shell, model))?;
        let wait = if shell.awaits() {
            SHORT_POLL
        } else {
            LONG_POLL
        };
        let mut input = terminal.input(wait)?;
        if interrupted() {
            return Ok(());
        }
        // Everything that has come, before it is drawn.
        while let Some(event) = input {
            match event {
                Input::Leave => return Ok(()),
                Input::Key(key) => {
                    shell.press(key, start.elapsed())?;
                    last_key = Instant::now();
                    told_idle = false;
                }
                Input::Resized | Input::Other => {}
            }
            input = terminal.input(Duration::ZERO)?;
        }
        shell.poll(start.elapsed())?;
        let quiet = last_key.elapsed();
        if quiet >= MOMENT {
            shell.foresee(start.elapsed())?;
        }
        if quiet >= IDLE && !told_idle {
            told_idle = true;
            shell.idle(start.elapsed())?;
        }
    }
}
