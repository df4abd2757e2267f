//! Text that comes in, and prompts made of it.

use std::io::Read;

use nibble::SpecialTokens;

use crate::failure::Failure;

/// `given`, or all of standard input where there is none.
pub(crate) fn given_or_standard_input(given: Option<&str>) -> Result<String, Failure> {
    if let Some(text) = given {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|source| Failure::Io {
            what: "standard input".to_owned(),
            source,
        })?;
    utf8(bytes, "standard input")
}

/// `bytes` as text; `what` names them in the error.
pub(crate) fn utf8(bytes: Vec<u8>, what: &str) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Failure::Input(format!("{what}: not UTF-8 at byte {offset}"))
    })
}

/// How text is read, shared by the commands that take some.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct SpecialArgument {
    /// Read the text of special tokens, such as <|im_end|>, as plain text.
    #[arg(long)]
    no_special: bool,
}

impl SpecialArgument {
    pub(crate) fn special_tokens(self) -> SpecialTokens {
        if self.no_special {
            SpecialTokens::AsText
        } else {
            SpecialTokens::Parse
        }
    }
}
