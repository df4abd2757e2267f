//! `nibble lexicon`: making a lexicon of any language from a word list, and looking into one.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use nibble_keyboard::Lexicon;
use nibble_keyboard::lexicon::{build, read_word_list};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{Output, Table, bytes};

/// Make a lexicon, or look into one.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Build a lexicon from a word list: one word a line in its usual spelling, then its count, then `o` where
    /// it is offensive, with tabs between.
    Build {
        /// The language as a BCP 47 tag, such as `nl`.
        #[arg(long)]
        language: String,
        /// The word list.
        list: PathBuf,
        /// Where the lexicon goes.
        out: PathBuf,
    },
    /// Show the words of a lexicon that begin with given letters, the likeliest first.
    Show {
        /// The lexicon.
        lexicon: PathBuf,
        /// The letters.
        #[arg(default_value = "")]
        prefix: String,
        /// Words to show.
        #[arg(long, default_value_t = 10)]
        top: usize,
    },
}

#[derive(Debug, Serialize)]
struct Built {
    language: String,
    words: usize,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Word {
    word: String,
    log_frequency: f32,
    offensive: bool,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    match &arguments.action {
        Action::Build {
            language,
            list,
            out,
        } => build_lexicon(language, list, out, output),
        Action::Show {
            lexicon,
            prefix,
            top,
        } => show(lexicon, prefix, *top, output),
    }
}

fn build_lexicon(
    language: &str,
    list: &PathBuf,
    out: &PathBuf,
    output: &Output,
) -> Result<(), Failure> {
    let of_list = |source| Failure::of_lexicon(list, source);
    let of_out = |source| Failure::Io {
        what: out.display().to_string(),
        source,
    };
    let reader = File::open(list).map_err(|source| Failure::Io {
        what: list.display().to_string(),
        source,
    })?;
    let entries = read_word_list(BufReader::new(reader), list).map_err(of_list)?;
    let mut file = Vec::new();
    build(language, entries, &mut file).map_err(of_list)?;
    let length = file.len() as u64;

    // Renamed into place, so that a lexicon that is mapped meanwhile stays whole.
    let unfinished = out.with_extension("lex.tmp");
    let written = std::fs::write(&unfinished, &file)
        .map_err(of_out)
        .and_then(|()| {
            Lexicon::open(&unfinished).map_err(|source| Failure::of_lexicon(out, source))
        })
        .and_then(|lexicon| {
            std::fs::rename(&unfinished, out).map_err(of_out)?;
            Ok(lexicon.len())
        });
    if written.is_err() {
        // What is left of it is of no use; the first error is the one to tell.
        let _ = std::fs::remove_file(&unfinished);
    }
    let built = Built {
        language: language.to_owned(),
        words: written?,
        bytes: length,
    };
    if output.is_json() {
        return output.object(&built);
    }
    output.line(format_args!(
        "{}: {} words, {}",
        out.display(),
        built.words,
        bytes(built.bytes)
    ))
}

fn show(file: &PathBuf, prefix: &str, top: usize, output: &Output) -> Result<(), Failure> {
    let lexicon = Lexicon::open(file).map_err(|source| Failure::of_lexicon(file, source))?;
    let words: Vec<Word> = lexicon
        .completions(prefix, top)
        .into_iter()
        .map(|found| Word {
            word: found.word,
            log_frequency: found.log_frequency,
            offensive: found.offensive,
        })
        .collect();
    if output.is_json() {
        return output.object(&words);
    }
    let mut table = Table::default();
    for word in &words {
        let per_million = format!("{:.1}", f64::from(word.log_frequency).exp() * 1e6);
        let mark = if word.offensive { "offensive" } else { "" };
        table.row([&word.word, &per_million, &mark]);
    }
    output.line(table)
}
