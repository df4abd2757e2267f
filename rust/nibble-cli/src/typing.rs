//! Setting up the typing engine as the command line asks for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nibble::{Error, Model};
use nibble_keyboard::geometry::Layout;
use nibble_keyboard::user_model::{Bounds, UserModel};
use nibble_keyboard::{
    Completer, CompleterOptions, EmojiTable, FieldKind, Lexicon, LexiconError, Lexicons, Primers,
};

use crate::engine::{ComputeArguments, ModelArgument};
use crate::failure::Failure;
use crate::models;
use crate::output::Output;

/// What suggests words, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct TypingArguments {
    /// Path of a GGUF file, or the name of an installed model [default: lexicons alone].
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,

    /// A lexicon: a file, or a language such as `de` that was installed; more than one for several
    /// languages at once [default: those that a prepared model holds, else `en`].
    #[arg(long = "lexicon", value_name = "LEXICON")]
    lexicons: Vec<PathBuf>,

    /// A text in the style of what is typed, which the model reads first [default: one for each kind of field].
    #[arg(long, value_name = "FILE", conflicts_with = "no_primer")]
    primer: Option<PathBuf>,

    /// Let the model read nothing before the text.
    #[arg(long)]
    pub(crate) no_primer: bool,

    /// Read on after the word that is probably being typed, which costs passes.
    #[arg(long)]
    pub(crate) look_ahead: bool,

    /// Look for words of several tokens inside a word, which costs passes: for languages that the model's
    /// vocabulary has few words of.
    #[arg(long)]
    expand: bool,

    /// The keyboard's layout, for corrections.
    #[arg(long, default_value = "qwerty")]
    layout: String,

    /// Suggest words that the lexicon marks as offensive, too.
    #[arg(long)]
    offensive: bool,

    #[command(flatten)]
    compute: ComputeArguments,
}

impl TypingArguments {
    /// The model, where one is asked for.
    pub(crate) fn open_model(&self) -> Result<Option<Arc<Model>>, Failure> {
        let Some(model) = &self.model else {
            return Ok(None);
        };
        let model = ModelArgument {
            model: model.clone(),
        };
        self.compute.open(&model, None).map(Some)
    }

    /// The lexicons that are asked for, else those in the model, else the English one. Without that, words come from the
    /// model alone, which is told and is no error.
    pub(crate) fn open_lexicons(
        &self,
        model: Option<&Model>,
        output: &Output,
    ) -> Result<Lexicons, Failure> {
        let asked_for = self.lexicons.iter().map(|name| {
            let file = lexicon_file(name);
            Lexicon::open(&file).map_err(|source| Failure::of_lexicon(&file, source))
        });
        let mut lexicons: Vec<Lexicon> = asked_for.collect::<Result<_, _>>()?;
        if let (true, Some(model)) = (lexicons.is_empty(), model) {
            lexicons = Lexicon::all_in(model.gguf())
                .map_err(|source| Failure::of_lexicon(model.gguf().file(), source))?;
        }
        if lexicons.is_empty() {
            let file = lexicon_file(Path::new("en"));
            match Lexicon::open(&file) {
                Ok(lexicon) => lexicons.push(lexicon),
                Err(LexiconError::File(Error::Io { source, .. }))
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    output.warn("no English lexicon is installed (scripts/build-lexicons makes it): suggestions are poor without one");
                }
                Err(source) => return Err(Failure::of_lexicon(&file, source)),
            }
        }
        Ok(Lexicons::new(lexicons.into_iter().map(Arc::new).collect()))
    }

    /// How the engine works with these lexicons.
    pub(crate) fn options(&self, lexicons: &Lexicons) -> Result<CompleterOptions, Failure> {
        let primers = match &self.primer {
            _ if self.no_primer => Primers::none(),
            Some(file) => Primers::same(&read_text(file)?),
            None => Primers::default(),
        };
        Ok(CompleterOptions {
            primers,
            layout: Some(self.open_layout()?),
            emoji: self.open_emoji(lexicons)?,
            suggest_offensive: self.offensive,
            expand: self.expand,
            look_ahead: self.look_ahead,
            ..CompleterOptions::default()
        })
    }

    /// The layout that is typed on.
    pub(crate) fn open_layout(&self) -> Result<Layout, Failure> {
        Layout::builtin(&self.layout).ok_or_else(|| {
            let names = Layout::builtin_names().join(", ");
            let name = &self.layout;
            Failure::Usage(format!("no layout is called {name:?} (there are: {names})"))
        })
    }

    /// The emoji that were installed with the first lexicon, or for its language; none where there are none.
    fn open_emoji(&self, lexicons: &Lexicons) -> Result<EmojiTable, Failure> {
        let language = || Some(Path::new(lexicons.as_slice().first()?.language()));
        let Some(name) = self
            .lexicons
            .first()
            .map(PathBuf::as_path)
            .or_else(language)
        else {
            return Ok(EmojiTable::default());
        };
        let file = lexicon_file(name).with_extension("emoji.tsv");
        match fs::read_to_string(&file) {
            Ok(text) => EmojiTable::from_text(&text)
                .map_err(|error| Failure::Input(format!("{}: {error}", file.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(EmojiTable::default()),
            Err(source) => Err(Failure::Io {
                what: file.display().to_string(),
                source,
            }),
        }
    }

    /// The whole engine.
    pub(crate) fn open(
        &self,
        user: Option<UserModel>,
        output: &Output,
    ) -> Result<Completer, Failure> {
        let model = self.open_model()?;
        let lexicons = self.open_lexicons(model.as_deref(), output)?;
        let options = self.options(&lexicons)?;
        Ok(Completer::new(model, lexicons, user, options))
    }
}

/// The user's words: those in `file`, or new ones that are kept in memory alone.
pub(crate) fn open_user_model(file: Option<&Path>) -> Result<UserModel, Failure> {
    Ok(match file {
        Some(file) => UserModel::open(file, Bounds::default())?,
        None => UserModel::in_memory(Bounds::default()),
    })
}

/// The kind of field that is called so in requests.
pub(crate) fn parse_field(name: &str) -> Result<FieldKind, String> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|_| {
        "one of message, email, note, search, url, number, password, no_learning".to_owned()
    })
}

/// The whole of a text file.
pub(crate) fn read_text(file: &Path) -> Result<String, Failure> {
    let bytes = fs::read(file).map_err(|source| Failure::Io {
        what: file.display().to_string(),
        source,
    })?;
    crate::text::utf8(bytes, &file.display().to_string())
}

/// `name` itself where it looks like a file, else the installed lexicon of that language.
pub(crate) fn lexicon_file(name: &Path) -> PathBuf {
    let is_file = name.extension().is_some() || name.components().count() > 1 || name.is_file();
    match models::lexicon_directory().filter(|_| !is_file) {
        Some(directory) => directory.join(name).with_extension("lex"),
        None => name.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_as_in_requests() {
        assert_eq!(parse_field("no_learning"), Ok(FieldKind::NoLearning));
        assert!(parse_field("poem").is_err());
    }
}
