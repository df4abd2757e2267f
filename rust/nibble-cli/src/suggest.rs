//! `nibble suggest`: the typing engine for programs in other languages, over JSON lines.

use std::io::{BufRead, Read};
use std::path::PathBuf;
use std::time::Duration;

use nibble_keyboard::text::last_scalars;
use nibble_keyboard::{
    Completer, EditorContext, FieldKind, Suggestion, SuggestionKind, Suggestions,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::{Output, Table, one_line};
use crate::typing::{TypingArguments, open_user_model};

/// Suggest words for texts that are being typed.
///
/// With --stdio, each line of standard input is a request or an act in JSON, and gets one line in answer; see
/// docs/typing.md. With --text, the suggestions for one text are shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Answer JSON lines from standard input until it ends.
    #[arg(long, required_unless_present = "text")]
    stdio: bool,

    /// The text before the cursor.
    #[arg(long, conflicts_with = "stdio")]
    text: Option<String>,

    /// The user's words: read from this file and kept in it [default: kept in memory].
    #[arg(long, value_name = "FILE")]
    user_model: Option<PathBuf>,

    #[command(flatten)]
    typing: TypingArguments,
}

/// How long a request waits for the model at most: longer than any pass takes.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// Suggestions unless a request says otherwise.
const SLOTS: usize = 3;
/// Suggestions that a request may ask for.
const MAX_SLOTS: usize = 1000;
/// Bytes of the longest line that is read; a text field holds less.
const MAX_LINE: u64 = 8 << 20;

/// One line of input: a request, which has `before`, or one of the acts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Request(Request),
    Commit(Commit),
    Accept(Accept),
    Revert(Revert),
    Reset(Reset),
    Conversation(Conversation),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default)]
    id: Option<Value>,
    before: String,
    #[serde(default)]
    after: String,
    #[serde(default)]
    field: FieldKind,
    /// Answer when the model has had its say.
    #[serde(default)]
    wait: bool,
    #[serde(default)]
    slots: Option<usize>,
}

/// Words that the user typed and went on from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    commit: String,
}

/// The user took this suggestion of the last answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accept {
    accept: usize,
}

/// The user took the last correction back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revert {
    revert: bool,
}

/// Everything is as after the start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    reset: bool,
}

/// Messages before the field, oldest first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversation {
    conversation: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Reply {
    Answer(Answer),
    Done { ok: bool },
    Error { error: ErrorReply },
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    suggestions: Vec<Item>,
    /// Whether the model's distribution for this context was used.
    fresh: bool,
    /// Forward calls so far.
    passes: u64,
    /// Those of look-ahead.
    speculative: u64,
}

#[derive(Debug, Serialize)]
struct Item {
    text: String,
    kind: SuggestionKind,
    score: f32,
    replace: usize,
}

#[derive(Debug, Serialize)]
struct ErrorReply {
    kind: &'static str,
    message: String,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let user = open_user_model(arguments.user_model.as_deref())?;
    let completer = arguments.typing.open(Some(user), output)?;
    if let Some(text) = &arguments.text {
        return show(&completer, text, output);
    }
    let mut server = Server {
        completer,
        keeps_words: arguments.user_model.is_some(),
        last: None,
    };
    let mut input = std::io::stdin().lock();
    while let Some(line) = read_line(&mut input)? {
        let reply = match line {
            Ok(line) => server.reply(&line),
            Err(message) => invalid(message),
        };
        output.object(&reply)?;
    }
    Ok(())
}

/// The next line, without its end; `Err` says why it cannot be one. `None` at the end of the input.
fn read_line(input: &mut impl BufRead) -> Result<Option<Result<String, String>>, Failure> {
    let failed = |source| Failure::Io {
        what: "standard input".to_owned(),
        source,
    };
    let mut line = Vec::new();
    let read = input
        .by_ref()
        .take(MAX_LINE)
        .read_until(b'\n', &mut line)
        .map_err(failed)?;
    if read == 0 {
        return Ok(None);
    }
    if line.pop_if(|byte| *byte == b'\n').is_none() && read as u64 == MAX_LINE {
        input.skip_until(b'\n').map_err(failed)?;
        return Ok(Some(Err(format!(
            "the line has more than {MAX_LINE} bytes"
        ))));
    }
    line.pop_if(|byte| *byte == b'\r');
    let text = String::from_utf8(line);
    Ok(Some(text.map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        format!("not UTF-8 at byte {offset}")
    })))
}

fn invalid(message: String) -> Reply {
    Reply::Error {
        error: ErrorReply {
            kind: "invalid_request",
            message,
        },
    }
}

const DONE: Reply = Reply::Done { ok: true };

/// Answers one line after the other.
struct Server {
    completer: Completer,
    /// Whether what is learned outlives the process.
    keeps_words: bool,
    /// The last request's context, and what it was answered.
    last: Option<(EditorContext, Vec<Suggestion>)>,
}

impl Server {
    fn reply(&mut self, line: &str) -> Reply {
        match serde_json::from_str(line) {
            Ok(Line::Request(request)) => self.answer(request),
            Ok(Line::Commit(act)) => self.commit(&act.commit),
            Ok(Line::Accept(act)) => self.accept(act.accept),
            Ok(Line::Revert(act)) if act.revert => self.revert(),
            Ok(Line::Reset(act)) if act.reset => self.reset(),
            Ok(Line::Revert(_) | Line::Reset(_)) => DONE,
            Ok(Line::Conversation(act)) => {
                let messages: Vec<&str> = act.conversation.iter().map(String::as_str).collect();
                self.completer.set_conversation(&messages);
                DONE
            }
            Err(error) => invalid(malformed(line, &error)),
        }
    }

    fn answer(&mut self, request: Request) -> Reply {
        let slots = request.slots.unwrap_or(SLOTS);
        if slots > MAX_SLOTS {
            return invalid(format!("slots: {slots} is more than {MAX_SLOTS}"));
        }
        self.completer.set_slots(slots);
        let context = EditorContext {
            before: request.before,
            after: request.after,
            field: request.field,
            epoch: 0,
        };
        let suggestions = match request.wait {
            true => self.completer.wait_fresh(&context, LONGEST_WAIT),
            false => self.completer.suggest(&context),
        };
        let stats = self.completer.stats();
        let fresh = suggestions.fresh;
        let shown = arrange(&context, suggestions, slots);
        let items = shown.iter().map(|item| Item {
            text: item.text.clone(),
            kind: item.kind,
            score: item.score,
            replace: item.replace,
        });
        let answer = Answer {
            id: request.id,
            suggestions: items.collect(),
            fresh,
            passes: stats.passes,
            speculative: stats.speculative_passes,
        };
        self.last = Some((context, shown));
        Reply::Answer(answer)
    }

    fn commit(&mut self, text: &str) -> Reply {
        done(self.completer.commit("", text))
    }

    fn accept(&mut self, index: usize) -> Reply {
        let shown = self.last.as_ref().map_or(&[][..], |(_, shown)| shown);
        let Some(suggestion) = shown.get(index) else {
            let count = shown.len();
            return invalid(format!(
                "accept: there is no suggestion {index} (the last answer had {count})"
            ));
        };
        done(self.completer.accept(suggestion))
    }

    /// What was typed in place of the last correction that was shown stands again.
    fn revert(&mut self) -> Reply {
        let typed = self.last.as_ref().and_then(|(context, shown)| {
            let correction = shown
                .iter()
                .find(|item| item.kind == SuggestionKind::Correction)?;
            last_scalars(&context.before, correction.replace)
        });
        match typed {
            Some(typed) => done(self.completer.revert(typed)),
            None => DONE,
        }
    }

    fn reset(&mut self) -> Reply {
        self.completer.reset();
        self.last = None;
        if self.keeps_words {
            return DONE;
        }
        match self.completer.with_user_model(|user| user.erase()) {
            Some(erased) => done(erased),
            None => DONE,
        }
    }
}

fn done(result: Result<(), nibble_keyboard::UserModelError>) -> Reply {
    match result {
        Ok(()) => DONE,
        Err(error) => Reply::Error {
            error: ErrorReply {
                kind: "user_model",
                message: error.to_string(),
            },
        },
    }
}

/// Probability of a correction from which on it takes a slot from a longer word that is more probable.
const LEAST_PENDING: f32 = 0.02;

/// What a strip of so many slots shows: where a correction would be made when the word ends, it has a place,
/// and the word as typed comes last and takes no slot.
fn arrange(context: &EditorContext, suggestions: Suggestions, slots: usize) -> Vec<Suggestion> {
    let mut items = suggestions.items;
    let pending = items.iter().find(|item| item.automatic).cloned();
    let Some(pending) = pending.filter(|item| item.score >= LEAST_PENDING.ln()) else {
        items.truncate(slots);
        return items;
    };
    if items.len() > slots && slots > 0 {
        let place = items.iter().position(|item| item.automatic);
        if place.is_some_and(|place| place >= slots) {
            items.truncate(slots - 1);
            items.push(pending.clone());
        }
    }
    items.truncate(slots);
    let typed = Suggestion {
        text: last_scalars(&context.before, pending.replace)
            .unwrap_or_default()
            .to_owned(),
        kind: SuggestionKind::Typed,
        score: pending.score,
        replace: pending.replace,
        automatic: false,
    };
    items.push(typed);
    items
}

/// Says what is wrong with a line, and never what it holds.
fn malformed(line: &str, error: &serde_json::Error) -> String {
    if let Err(syntax) = serde_json::from_str::<serde::de::IgnoredAny>(line) {
        return format!("not JSON at column {}", syntax.column());
    }
    // The untagged form does not say which field was wrong; the request's own form does.
    match serde_json::from_str::<Request>(line) {
        Err(reason) if line.contains("\"before\"") => {
            format!(
                "not a request: {:?} error at column {}",
                reason.classify(),
                reason.column()
            )
        }
        _ => format!(
            "neither a request, which has \"before\", nor an act ({:?} error)",
            error.classify()
        ),
    }
}

fn show(completer: &Completer, text: &str, output: &Output) -> Result<(), Failure> {
    let context = EditorContext {
        before: text.to_owned(),
        ..EditorContext::default()
    };
    let suggestions = completer.wait_fresh(&context, LONGEST_WAIT);
    let shown = arrange(&context, suggestions, SLOTS);
    if output.is_json() {
        return output.object(&shown);
    }
    let mut table = Table::default();
    for item in &shown {
        let percent = format!("{:5.1} %", 100.0 * item.score.exp());
        table.row([&percent, &one_line(&item.text)]);
    }
    output.line(table)
}
