//! Where the keys are.
//!
//! A layout is data: JSON files in `layouts/`, and whatever a caller supplies. Coordinates are in
//! **key widths** (one letter key is 1 wide) in both directions, from the top left corner of the
//! keyboard, `y` downwards; so a distance is the same number on a small and on a large phone.
//!
//! ```json
//! {
//!   "name": "qwerty",
//!   "width": 10,
//!   "row_height": 1.4,
//!   "pages": {
//!     "letters": [
//!       { "start": 0.5, "keys": ["a", "s", { "char": " ", "width": 5 }, { "action": "enter" }] }
//!     ]
//!   },
//!   "long_press": { "a": "àáâ" }
//! }
//! ```
//!
//! Rows are stacked from the top, each `row_height` high; the keys of a row follow each other from
//! `start` on, each 1 wide unless it says otherwise. The page `letters` must be there. `long_press`
//! lists the characters that a key offers when it is held.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::text::{base_letter, fold_char};

/// The page of letters, on which words are typed.
pub const LETTERS: &str = "letters";

/// Keys whose centres are no farther apart are neighbours, in key widths.
pub const NEIGHBOUR_DISTANCE: f32 = 1.75;

const BUILTIN: [&str; 4] = [
    include_str!("../layouts/qwerty.json"),
    include_str!("../layouts/qwertz.json"),
    include_str!("../layouts/azerty.json"),
    include_str!("../layouts/jcuken.json"),
];

/// What is wrong with a layout.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// It is no JSON of the documented form.
    #[error("layout: {0}")]
    Json(#[from] serde_json::Error),
    /// There is no page `letters`, or no letter on it.
    #[error("layout {name:?} has no letters")]
    NoLetters {
        /// Name of the layout.
        name: String,
    },
    /// A size is not positive, or not a number.
    #[error("layout {name:?}: {what} is {found}")]
    InvalidSize {
        /// Name of the layout.
        name: String,
        /// Which size.
        what: &'static str,
        /// Its value.
        found: f32,
    },
    /// A row is wider than the keyboard.
    #[error("layout {name:?}, page {page:?}: row {row} is wider than {width}")]
    RowTooWide {
        /// Name of the layout.
        name: String,
        /// Name of the page.
        page: String,
        /// The row, counted from 0.
        row: usize,
        /// Width of the keyboard.
        width: f32,
    },
    /// A character has two keys on one page.
    #[error("layout {name:?}, page {page:?} has two keys {character:?}")]
    DuplicateKey {
        /// Name of the layout.
        name: String,
        /// Name of the page.
        page: String,
        /// The character.
        character: char,
    },
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyAction {
    /// Types a character; a space is one.
    Char(char),
    /// Upper case for the next letter, or for all.
    Shift,
    /// Deletes before the cursor.
    Backspace,
    /// A new line, or the field's action.
    Enter,
    /// Shows the page `letters`.
    Letters,
    /// Shows the page `symbols`.
    Symbols,
    /// Shows the page `more_symbols`.
    MoreSymbols,
}

/// A key and its rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// What it does.
    pub action: KeyAction,
    /// Its centre, from the left.
    pub x: f32,
    /// Its centre, from the top.
    pub y: f32,
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
}

impl Key {
    /// Distance of a point from the rectangle; 0 inside.
    fn distance(&self, x: f32, y: f32) -> f32 {
        let dx = ((x - self.x).abs() - self.width / 2.0).max(0.0);
        let dy = ((y - self.y).abs() - self.height / 2.0).max(0.0);
        dx.hypot(dy)
    }
}

/// A keyboard's keys.
#[derive(Debug, Clone)]
pub struct Layout {
    name: String,
    width: f32,
    height: f32,
    pages: BTreeMap<String, Vec<Key>>,
    long_press: BTreeMap<char, Vec<char>>,
    /// Centres of the letters page, and of what its keys offer when held.
    centres: HashMap<char, (f32, f32)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayoutFile {
    name: String,
    width: f32,
    row_height: f32,
    pages: BTreeMap<String, Vec<Row>>,
    #[serde(default)]
    long_press: BTreeMap<char, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    start: f32,
    keys: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum KeyEntry {
    Letter(char),
    Wide {
        #[serde(rename = "char")]
        character: char,
        #[serde(default = "one")]
        width: f32,
    },
    Action {
        action: KeyAction,
        #[serde(default = "one")]
        width: f32,
    },
}

fn one() -> f32 {
    1.0
}

/// Room for the rounding of widths that add up to the whole.
const ROUNDING: f32 = 1e-3;

impl Layout {
    /// Reads a layout from JSON (the form is described in this module).
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn from_json(json: &str) -> Result<Layout, LayoutError> {
        let file: LayoutFile = serde_json::from_str(json)?;
        let name = file.name;
        let positive = |what, found: f32| {
            let name = name.clone();
            if found.is_finite() && found > 0.0 {
                Ok(found)
            } else {
                Err(LayoutError::InvalidSize { name, what, found })
            }
        };
        let width = positive("width", file.width)?;
        let row_height = positive("row_height", file.row_height)?;
        let mut pages = BTreeMap::new();
        let mut height = 0.0f32;
        for (page, rows) in file.pages {
            let mut keys: Vec<Key> = Vec::new();
            for (index, row) in rows.iter().enumerate() {
                let y = (index as f32 + 0.5) * row_height;
                let mut left = row.start;
                if left.is_nan() || left < 0.0 {
                    let name = name.clone();
                    return Err(LayoutError::InvalidSize {
                        name,
                        what: "start",
                        found: left,
                    });
                }
                for entry in &row.keys {
                    let (action, key_width) = match *entry {
                        KeyEntry::Letter(letter) => (KeyAction::Char(letter), 1.0),
                        KeyEntry::Wide { character, width } => (KeyAction::Char(character), width),
                        KeyEntry::Action { action, width } => (action, width),
                    };
                    let key_width = positive("key width", key_width)?;
                    if let KeyAction::Char(character) = action
                        && keys.iter().any(|key| key.action == action)
                    {
                        return Err(LayoutError::DuplicateKey {
                            name,
                            page,
                            character,
                        });
                    }
                    let x = left + key_width / 2.0;
                    keys.push(Key {
                        action,
                        x,
                        y,
                        width: key_width,
                        height: row_height,
                    });
                    left += key_width;
                }
                if left > width + ROUNDING {
                    return Err(LayoutError::RowTooWide {
                        name,
                        page,
                        row: index,
                        width,
                    });
                }
            }
            height = height.max(rows.len() as f32 * row_height);
            pages.insert(page, keys);
        }

        let long_press: BTreeMap<char, Vec<char>> = file
            .long_press
            .into_iter()
            .map(|(letter, offered)| (letter, offered.chars().collect()))
            .collect();
        let letters = pages.get(LETTERS).map(Vec::as_slice).unwrap_or_default();
        let mut centres = HashMap::new();
        for key in letters {
            if let KeyAction::Char(character) = key.action {
                centres.insert(character, (key.x, key.y));
            }
        }
        if !centres.keys().any(|character| character.is_alphabetic()) {
            return Err(LayoutError::NoLetters { name });
        }
        for (letter, offered) in &long_press {
            if let Some(&centre) = centres.get(letter) {
                for &character in offered {
                    centres.entry(character).or_insert(centre);
                }
            }
        }
        Ok(Layout {
            name,
            width,
            height,
            pages,
            long_press,
            centres,
        })
    }

    /// One of the layouts that come with this crate: `qwerty`, `qwertz`, `azerty`, `jcuken`.
    pub fn builtin(name: &str) -> Option<Layout> {
        BUILTIN.iter().find_map(|json| {
            Layout::from_json(json)
                .ok()
                .filter(|layout| layout.name == name)
        })
    }

    /// The names that [`Layout::builtin`] knows.
    pub fn builtin_names() -> Vec<String> {
        let layouts = BUILTIN
            .iter()
            .filter_map(|json| Layout::from_json(json).ok());
        layouts.map(|layout| layout.name).collect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width of the keyboard.
    pub fn width(&self) -> f32 {
        self.width
    }

    /// Height of the keyboard: that of its highest page.
    pub fn height(&self) -> f32 {
        self.height
    }

    /// The keys of a page, row by row; none where there is no such page.
    pub fn page(&self, page: &str) -> &[Key] {
        self.pages.get(page).map(Vec::as_slice).unwrap_or_default()
    }

    /// What the key of `letter` offers when it is held.
    pub fn long_press(&self, letter: char) -> &[char] {
        self.long_press
            .get(&letter)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The key of the letters page at a point: the nearest one where there is a gap; `None`
    /// outside the keyboard.
    pub fn key_at(&self, x: f32, y: f32) -> Option<&Key> {
        self.key_on_page(LETTERS, x, y)
    }

    /// The key of a page at a point, as [`Layout::key_at`].
    pub fn key_on_page(&self, page: &str, x: f32, y: f32) -> Option<&Key> {
        let inside = (0.0..=self.width).contains(&x) && (0.0..=self.height).contains(&y);
        if !inside {
            return None;
        }
        self.page(page)
            .iter()
            .min_by(|a, b| a.distance(x, y).total_cmp(&b.distance(x, y)))
    }

    /// The centre of the key that `character` is typed with on the letters page, whatever its case:
    /// its own key, else the key that offers it when held, else that of the letter under its accent.
    pub fn centre(&self, character: char) -> Option<(f32, f32)> {
        let folded = fold_char(character).next()?;
        [Some(folded), base_letter(folded)]
            .into_iter()
            .flatten()
            .find_map(|letter| self.centres.get(&letter).copied())
    }

    /// Distance between the keys of two characters, in key widths.
    pub fn distance(&self, a: char, b: char) -> Option<f32> {
        let ((ax, ay), (bx, by)) = (self.centre(a)?, self.centre(b)?);
        Some((ax - bx).hypot(ay - by))
    }

    /// The letters that have a key of their own on the letters page.
    pub fn letters(&self) -> impl Iterator<Item = char> {
        self.page(LETTERS)
            .iter()
            .filter_map(|key| match key.action {
                KeyAction::Char(character) if character.is_alphabetic() => Some(character),
                _ => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 4] = ["qwerty", "qwertz", "azerty", "jcuken"];

    fn neighbours(layout: &Layout, letter: char) -> String {
        let mut near: Vec<char> = layout
            .letters()
            .filter(|&other| other != letter && layout.distance(letter, other).unwrap() < 1.6)
            .collect();
        near.sort_unstable();
        near.into_iter().collect()
    }

    #[test]
    fn keys_neighbour_those_that_they_neighbour_on_a_phone() {
        let qwerty = Layout::builtin("qwerty").unwrap();
        assert_eq!(neighbours(&qwerty, 's'), "adewz");
        assert_eq!(neighbours(&qwerty, 'p'), "lo");
        assert_eq!(neighbours(&qwerty, 'q'), "aw");
        let qwertz = Layout::builtin("qwertz").unwrap();
        assert_eq!(neighbours(&qwertz, 't'), "grz");
        assert_eq!(neighbours(&qwertz, 'ä'), "öü");
        let azerty = Layout::builtin("azerty").unwrap();
        assert_eq!(neighbours(&azerty, 'a'), "qz");
        assert_eq!(neighbours(&azerty, 'm'), "lp");
        let jcuken = Layout::builtin("jcuken").unwrap();
        assert_eq!(neighbours(&jcuken, 'ф'), "йы");
    }

    #[test]
    fn rows_are_staggered() {
        let qwerty = Layout::builtin("qwerty").unwrap();
        assert_eq!(qwerty.centre('q').unwrap().0, 0.5);
        assert_eq!(qwerty.centre('a').unwrap().0, 1.0);
        assert_eq!(qwerty.centre('z').unwrap().0, 2.0);
        assert_eq!(qwerty.distance('q', 'p'), Some(9.0));
        assert_eq!((qwerty.width(), qwerty.height()), (10.0, 5.6));
    }

    #[test]
    fn accents_are_typed_with_their_letter_unless_they_have_a_key() {
        let qwerty = Layout::builtin("qwerty").unwrap();
        assert_eq!(qwerty.centre('É'), qwerty.centre('e'));
        assert_eq!(qwerty.centre('ü'), qwerty.centre('u'));
        assert_eq!(qwerty.long_press('n'), ['ñ', 'ń']);
        let qwertz = Layout::builtin("qwertz").unwrap();
        assert_eq!(qwertz.centre('Ü').unwrap().0, 10.5);
        let jcuken = Layout::builtin("jcuken").unwrap();
        assert_eq!(jcuken.centre('ё'), jcuken.centre('е'));
        assert_eq!(qwerty.centre('ж'), None);
        assert_eq!(qwerty.distance('a', 'ж'), None);
    }

    #[test]
    fn every_layout_has_its_alphabet_and_its_keys_lie_side_by_side() {
        let alphabets = [
            "abcdefghijklmnopqrstuvwxyz",
            "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        ];
        for (name, alphabet) in NAMES.into_iter().zip([0, 0, 0, 1]) {
            let layout = Layout::builtin(name).unwrap();
            assert_eq!(layout.name(), name);
            for letter in alphabets[alphabet].chars() {
                assert!(layout.centre(letter).is_some(), "{name} has no {letter}");
            }
            for page in ["letters", "symbols", "more_symbols"] {
                let keys = layout.page(page);
                assert!(keys.iter().any(|key| key.action == KeyAction::Backspace));
                assert!(keys.iter().any(|key| key.action == KeyAction::Char(' ')));
                for pair in keys.windows(2).filter(|pair| pair[0].y == pair[1].y) {
                    let gap = (pair[1].x - pair[0].x) - (pair[0].width + pair[1].width) / 2.0;
                    assert!(gap.abs() < 1e-4);
                }
            }
            assert!(
                layout
                    .page(LETTERS)
                    .iter()
                    .any(|key| key.action == KeyAction::Symbols)
            );
        }
        assert!(Layout::builtin("dvorak").is_none());
    }

    #[test]
    fn a_point_in_a_gap_belongs_to_the_nearest_key() {
        let qwerty = Layout::builtin("qwerty").unwrap();
        let key = |x, y| qwerty.key_at(x, y).map(|key| key.action);
        assert_eq!(key(0.1, 2.1), Some(KeyAction::Char('a')));
        assert_eq!(key(9.9, 2.1), Some(KeyAction::Char('l')));
        assert_eq!(key(5.0, 5.0), Some(KeyAction::Char(' ')));
        assert_eq!(key(0.1, 3.5), Some(KeyAction::Shift));
        assert_eq!(key(-0.1, 1.0), None);
        assert_eq!(key(1.0, 5.7), None);
        assert_eq!(key(f32::NAN, 1.0), None);
        assert_eq!(
            qwerty.key_on_page("symbols", 0.5, 0.5).unwrap().action,
            KeyAction::Char('1')
        );
        assert!(qwerty.key_on_page("none", 0.5, 0.5).is_none());
    }

    #[test]
    fn malformed_layouts_are_refused() {
        let layout = |rows: &str| {
            Layout::from_json(&format!(
                r#"{{"name":"x","width":2,"row_height":1,"pages":{{"letters":[{rows}]}}}}"#
            ))
        };
        assert!(layout(r#"{"start":0,"keys":["a","b"]}"#).is_ok());
        let row_too_wide = layout(r#"{"start":0.5,"keys":["a","b"]}"#);
        assert!(matches!(
            row_too_wide,
            Err(LayoutError::RowTooWide { row: 0, .. })
        ));
        let duplicate = layout(r#"{"start":0,"keys":["a"]},{"start":0,"keys":["a"]}"#);
        assert!(matches!(
            duplicate,
            Err(LayoutError::DuplicateKey { character: 'a', .. })
        ));
        let narrow = layout(r#"{"start":0,"keys":[{"char":"a","width":0}]}"#);
        assert!(matches!(narrow, Err(LayoutError::InvalidSize { .. })));
        let shifted = layout(r#"{"start":-1,"keys":["a"]}"#);
        assert!(matches!(shifted, Err(LayoutError::InvalidSize { .. })));
        assert!(matches!(layout(""), Err(LayoutError::NoLetters { .. })));
        assert!(matches!(
            layout(r#"{"keys":["a"]}"#),
            Err(LayoutError::Json(_))
        ));
        assert!(matches!(Layout::from_json("{"), Err(LayoutError::Json(_))));
    }

    proptest! {
        #[test]
        fn a_tap_on_a_centre_hits_that_key(name in 0usize..4) {
            let layout = Layout::builtin(NAMES[name]).unwrap();
            for letter in layout.letters() {
                let (x, y) = layout.centre(letter).unwrap();
                prop_assert_eq!(layout.key_at(x, y).unwrap().action, KeyAction::Char(letter));
            }
        }

        #[test]
        fn every_point_inside_has_a_key(x in 0.0f32..10.0, y in 0.0f32..5.6) {
            prop_assert!(Layout::builtin("qwerty").unwrap().key_at(x, y).is_some());
        }
    }
}
