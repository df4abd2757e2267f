//! `nibble candidates`: the most probable next tokens of each text that comes in.

use std::io::BufRead;

use nibble::{CancelHandle, Session, SpecialTokens};
use serde::{Deserialize, Serialize};

use crate::engine::{ComputeArguments, ModelArgument, SessionArguments};
use crate::failure::Failure;
use crate::output::{Output, Table, one_line};
use crate::text::{self, SpecialArgument};

/// Show the most probable next tokens of texts from standard input, one a line.
///
/// With --json a line is {"text": ..} or {"ids": [..]}, and the answer {"top": [..]}; without it a line is
/// the text itself. What a text shares with the one before it is not computed again.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,

    /// One text, instead of standard input.
    #[arg(long)]
    text: Option<String>,

    /// Tokens to show.
    #[arg(long, default_value_t = 10)]
    top: usize,

    #[command(flatten)]
    special: SpecialArgument,

    /// Tokens that a text may have [default: 4096 or the model's].
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    context: usize,

    #[command(flatten)]
    compute: ComputeArguments,

    #[command(flatten)]
    session: SessionArguments,
}

/// One line of input. `ids` are taken as they are; a text gets the token for the beginning that the file
/// asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    Text(String),
    Ids(Vec<u32>),
}

#[derive(Debug, Serialize)]
struct Answer {
    top: Vec<Token>,
}

#[derive(Debug, Serialize)]
struct Token {
    id: u32,
    text: String,
    logprob: f32,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let model = arguments.compute.open(&arguments.model, None)?;
    let mut session = arguments.session.open(&model, arguments.context)?;
    let special = arguments.special.special_tokens();
    let mut respond = |request: Request| -> Result<(), Failure> {
        let answer = answer(&mut session, request, special, arguments.top)?;
        if output.is_json() {
            output.object(&answer)
        } else {
            output.line(table(&answer))
        }
    };
    if let Some(text) = &arguments.text {
        return respond(Request::Text(text.clone()));
    }

    let mut input = std::io::stdin().lock();
    for number in 1usize.. {
        let mut line = Vec::new();
        let read = input
            .read_until(b'\n', &mut line)
            .map_err(|source| Failure::Io {
                what: "standard input".to_owned(),
                source,
            })?;
        if read == 0 {
            break;
        }
        let line = text::utf8(line, &format!("line {number}"))?;
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            continue;
        }
        respond(parse(line, number, output.is_json())?).map_err(|failure| match failure {
            Failure::Engine(source) => Failure::Line { number, source },
            other => other,
        })?;
    }
    Ok(())
}

/// The message names the line and the place, never the text that was found there.
fn parse(line: &str, number: usize, json: bool) -> Result<Request, Failure> {
    if !json {
        return Ok(Request::Text(line.to_owned()));
    }
    serde_json::from_str(line).map_err(|error| {
        let column = error.column();
        Failure::Input(format!(
            "line {number}: expected {{\"text\": \"..\"}} or {{\"ids\": [..]}}, found something else at column {column}"
        ))
    })
}

fn answer(
    session: &mut Session,
    request: Request,
    special: SpecialTokens,
    top: usize,
) -> Result<Answer, Failure> {
    let model = session.model().clone();
    let tokenizer = model.tokenizer();
    let ids = match request {
        Request::Ids(ids) => ids,
        Request::Text(text) => tokenizer.encode_prompt(&text, special)?,
    };
    session.prefill(&ids, &CancelHandle::new())?;
    let token = |candidate: nibble::Candidate| {
        // Padding of the vocabulary has no text.
        let bytes = tokenizer.token_bytes(candidate.token).unwrap_or_default();
        Token {
            id: candidate.token,
            text: String::from_utf8_lossy(bytes).into_owned(),
            logprob: candidate.logprob,
        }
    };
    Ok(Answer {
        top: session.candidates(top).into_iter().map(token).collect(),
    })
}

fn table(answer: &Answer) -> Table {
    let mut table = Table::default();
    for token in &answer.top {
        let percent = format!("{:5.1} %", 100.0 * token.logprob.exp());
        table.row([&percent, &one_line(&token.text)]);
    }
    table
}
