//! Keys written down: the notation of `--keys`.

use super::keyboard::Key;

/// What is known by a name in braces, for the message about one that is not.
const NAMES: &str =
    "{enter}, {backspace}, {tab}, {shift-tab}, {left}, {right}, {1} to {9}, and {{ for a brace";

/// Reads keys: each character is the key that types it, a line feed is enter, names in braces are the
/// others, and `{{` is a brace.
pub(crate) fn parse(text: &str) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        keys.push(match character {
            '\n' => Key::Enter,
            '{' => {
                let after = rest.as_str();
                if let Some(after) = after.strip_prefix('{') {
                    rest = after.chars();
                    Key::Character('{')
                } else {
                    let (name, after) = after.split_once('}').ok_or_else(|| {
                        "a brace is not closed ({{ is a brace that is typed)".to_owned()
                    })?;
                    rest = after.chars();
                    named(name).ok_or_else(|| {
                        format!("no key is called {{{name}}} (there are: {NAMES})")
                    })?
                }
            }
            character if character.is_control() => {
                return Err(format!("no key types {character:?}"));
            }
            character => Key::Character(character),
        });
    }
    Ok(keys)
}

fn named(name: &str) -> Option<Key> {
    Some(match name {
        "enter" => Key::Enter,
        "backspace" => Key::Backspace,
        "tab" => Key::GhostWord,
        "shift-tab" => Key::GhostAll,
        "left" => Key::Left,
        "right" => Key::Right,
        _ => Key::Slot(slot(name)?),
    })
}

/// The slot that a digit names: slots are numbered from 1 as they are shown.
fn slot(digit: &str) -> Option<usize> {
    match digit.as_bytes() {
        [digit @ b'1'..=b'9'] => Some(usize::from(digit - b'1')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_keys_and_everything_else_types_itself() {
        let typed: Vec<Key> = "A é".chars().map(Key::Character).collect();
        assert_eq!(parse("A é"), Ok(typed));
        let keys = [
            Key::Backspace,
            Key::Slot(0),
            Key::Slot(2),
            Key::GhostWord,
            Key::GhostAll,
            Key::Left,
            Key::Right,
            Key::Enter,
            Key::Enter,
            Key::Character('{'),
            Key::Character('}'),
        ];
        let text = "{backspace}{1}{3}{tab}{shift-tab}{left}{right}{enter}\n{{}";
        assert_eq!(parse(text), Ok(keys.to_vec()));
    }

    #[test]
    fn what_names_no_key_is_an_error_that_names_it() {
        for text in ["{space}", "{0}", "{12}", "a{tab", "{"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("{space}").unwrap_err().contains("{space}"));
        assert!(parse("\u{1b}[A").is_err());
    }
}
