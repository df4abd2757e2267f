//! The text that is typed: sentences, split into a half to tune on and a half to report.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::failure::Failure;
use crate::typing::read_text;

/// Which text, and how much of it.
#[derive(Debug, clap::Args)]
pub(crate) struct TextArguments {
    /// Text with one sentence or message a line.
    #[arg(long = "text", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Which half of the sentences; a hash of the sentence decides.
    #[arg(long, value_enum, default_value_t = Half::All)]
    half: Half,

    /// Sentences to take at most, by the order of another hash [default: all].
    #[arg(long, value_name = "N")]
    sentences: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Half {
    /// What constants are chosen by.
    Tuning,
    /// What is reported.
    Report,
    /// Both.
    All,
}

impl TextArguments {
    /// The sentences, in the order of the files.
    pub(crate) fn read(&self) -> Result<Vec<String>, Failure> {
        let mut sentences = Vec::new();
        for file in &self.files {
            let text = read_text(file)?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            sentences.extend(lines.filter(|line| self.takes(line)).map(str::to_owned));
        }
        if let Some(count) = self.sentences.filter(|&count| count < sentences.len()) {
            let order = |sentence: &String| hash(sentence).rotate_left(32);
            let mut hashes: Vec<u64> = sentences.iter().map(order).collect();
            hashes.sort_unstable();
            let end = hashes.get(count).copied().unwrap_or(u64::MAX);
            sentences.retain(|sentence| order(sentence) < end);
        }
        if sentences.is_empty() {
            return Err(Failure::Input("there is no sentence to type".to_owned()));
        }
        Ok(sentences)
    }

    /// How the text is called in a report.
    pub(crate) fn name(&self) -> String {
        let names = self.files.iter().filter_map(|file| file.file_stem());
        let names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
        let half = match self.half {
            Half::Tuning => ", tuning half",
            Half::Report => ", report half",
            Half::All => "",
        };
        format!("{}{half}", names.join(" and "))
    }

    fn takes(&self, sentence: &str) -> bool {
        let tuning = hash(sentence).is_multiple_of(2);
        match self.half {
            Half::Tuning => tuning,
            Half::Report => !tuning,
            Half::All => true,
        }
    }
}

/// FNV-1a, so that a sentence is of the same half everywhere.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(half: Half, sentences: Option<usize>, text: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("text.txt");
        std::fs::write(&file, text).unwrap();
        let arguments = TextArguments {
            files: vec![file],
            half,
            sentences,
        };
        arguments.read().unwrap()
    }

    #[test]
    fn halves_and_samples_depend_on_the_sentences_alone() {
        let lines: Vec<String> = (0..200).map(|n| format!("sentence number {n}")).collect();
        let (text, reversed) = (
            lines.join("\n"),
            lines.iter().rev().cloned().collect::<Vec<_>>().join("\n"),
        );
        let (tuning, report) = (
            read(Half::Tuning, None, &text),
            read(Half::Report, None, &text),
        );
        assert_eq!(tuning.len() + report.len(), 200);
        assert!((60..140).contains(&tuning.len()));
        assert!(tuning.iter().all(|line| !report.contains(line)));
        let sample = read(Half::Report, Some(10), &text);
        assert_eq!(sample.len(), 10);
        let mut again = read(Half::Report, Some(10), &reversed);
        again.reverse();
        assert_eq!(again, sample);
    }
}
