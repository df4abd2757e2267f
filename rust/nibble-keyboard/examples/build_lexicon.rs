//! Compiles a word list: `build_lexicon LANGUAGE LIST OUT`. The form of the list is that of
//! `nibble_keyboard::lexicon::read_word_list`.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;

use nibble_keyboard::lexicon::{Lexicon, build, read_word_list};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [language, list, out] = arguments.as_slice() else {
        return Err("usage: build_lexicon LANGUAGE LIST OUT".into());
    };
    let entries = read_word_list(BufReader::new(File::open(list)?), list)?;
    let mut file = Vec::new();
    build(language, entries, &mut file)?;
    // Renamed into place, so that a lexicon that is mapped meanwhile stays whole.
    let unfinished = format!("{out}.tmp");
    std::fs::write(&unfinished, &file)?;
    Lexicon::open(&unfinished)?;
    std::fs::rename(&unfinished, out)?;
    Ok(())
}
