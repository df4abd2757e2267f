//! What differs between languages in spacing and capitals.

/// Spacing and capitals of a language.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Typography {
    /// Whether words are separated by spaces.
    pub(crate) spaces: bool,
    /// Marks that keep the space before them.
    pub(crate) spaced_marks: &'static str,
    /// What ends a statement.
    pub(crate) full_stop: &'static str,
    /// Whether i and ı are different letters with capitals of their own.
    pub(crate) dotless_i: bool,
    /// Words in lower case whose full stop ends no sentence, besides single letters with full
    /// stops between them.
    pub(crate) abbreviations: &'static [&'static str],
}

const ENGLISH: Typography = Typography {
    spaces: true,
    spaced_marks: "",
    full_stop: ".",
    dotless_i: false,
    abbreviations: &[
        "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "approx", "cf",
    ],
};

static LANGUAGES: &[(&str, Typography)] = &[
    ("en", ENGLISH),
    (
        "de",
        Typography {
            abbreviations: &[
                "bzw", "ca", "dr", "evtl", "ggf", "hr", "fr", "inkl", "nr", "prof", "str", "usw",
                "vgl",
            ],
            ..ENGLISH
        },
    ),
    // Canadian French sets these marks as English does.
    (
        "fr-ca",
        Typography {
            abbreviations: FRENCH_ABBREVIATIONS,
            ..ENGLISH
        },
    ),
    (
        "fr",
        Typography {
            spaced_marks: ";:!?»",
            abbreviations: FRENCH_ABBREVIATIONS,
            ..ENGLISH
        },
    ),
    (
        "es",
        Typography {
            abbreviations: &["sr", "sra", "srta", "dr", "dra", "ud", "uds", "etc", "pág"],
            ..ENGLISH
        },
    ),
    (
        "ru",
        Typography {
            abbreviations: &["г", "гг", "ул", "им", "руб", "стр", "см", "др", "пр"],
            ..ENGLISH
        },
    ),
    (
        "tr",
        Typography {
            dotless_i: true,
            abbreviations: &["dr", "vb", "vs"],
            ..ENGLISH
        },
    ),
    (
        "az",
        Typography {
            dotless_i: true,
            ..ENGLISH
        },
    ),
    (
        "hi",
        Typography {
            full_stop: "।",
            ..ENGLISH
        },
    ),
    (
        "hy",
        Typography {
            full_stop: "։",
            ..ENGLISH
        },
    ),
    (
        "zh",
        Typography {
            spaces: false,
            ..ENGLISH
        },
    ),
    (
        "ja",
        Typography {
            spaces: false,
            ..ENGLISH
        },
    ),
    (
        "th",
        Typography {
            spaces: false,
            ..ENGLISH
        },
    ),
];

const FRENCH_ABBREVIATIONS: &[&str] = &["dr", "etc", "env", "mme", "mlle", "p", "pr", "st", "ste"];

impl Typography {
    /// Typography of a BCP 47 tag; of English where it is unknown.
    pub(crate) fn of(tag: &str) -> &'static Typography {
        let tag = tag.to_ascii_lowercase().replace('_', "-");
        let primary = tag.split('-').next().unwrap_or_default();
        let find = |wanted: &str| {
            LANGUAGES
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, typography)| typography)
        };
        find(&tag).or_else(|| find(primary)).unwrap_or(&ENGLISH)
    }
}
