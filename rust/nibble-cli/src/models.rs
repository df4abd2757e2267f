//! Finding a model by path or by the name that it is installed under.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use nibble::prepared;

use crate::failure::Failure;

/// The file of `model`: a path, or the name of a directory in `nibble/models` of the user's data directory
/// that holds one model.
pub(crate) fn find(model: &Path) -> Result<PathBuf, Failure> {
    find_in(
        model,
        data_directory()
            .map(|data| data.join("nibble/models"))
            .as_deref(),
    )
}

fn find_in(model: &Path, installed: Option<&Path>) -> Result<PathBuf, Failure> {
    if model.is_file() || !is_name(model) {
        // A path that leads nowhere is told by whoever opens it.
        return Ok(model.to_path_buf());
    }
    let not_found = |hint: String| Failure::ModelNotFound {
        name: model.to_path_buf(),
        hint,
    };
    let Some(installed) = installed else {
        return Err(not_found(
            "neither XDG_DATA_HOME nor HOME is set".to_owned(),
        ));
    };
    let files = model_files(&installed.join(model));
    match files.as_slice() {
        [file] => Ok(file.clone()),
        [] => Err(not_found(match names(installed).as_slice() {
            [] => format!("none is installed in {}", installed.display()),
            names => format!("installed: {}", names.join(", ")),
        })),
        files => Err(not_found(format!(
            "{} holds {} models; give the path of one",
            installed.join(model).display(),
            files.len()
        ))),
    }
}

/// A single component that does not look like a file.
fn is_name(model: &Path) -> bool {
    let mut components = model.components();
    let one = matches!(
        (components.next(), components.next()),
        (Some(Component::Normal(_)), None)
    );
    one && model
        .extension()
        .is_none_or(|extension| extension != "gguf")
}

/// The `.gguf` files in `directory`, sorted; of a split model the first part.
fn model_files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = entries(directory)
        .into_iter()
        .map(|name| directory.join(name))
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "gguf")
                && file.is_file()
        })
        .filter(|file| !is_later_part(file))
        .collect();
    files.sort();
    // A prepared file is found by the name of its source.
    let sources = files.clone();
    files.retain(|file| {
        !sources
            .iter()
            .any(|source| source != file && prepared::destination(source) == *file)
    });
    files
}

/// Whether a file is called `NAME-00002-of-00003.gguf` or a higher part.
fn is_later_part(file: &Path) -> bool {
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let Some((rest, total)) = stem.rsplit_once("-of-") else {
        return false;
    };
    let Some((_, part)) = rest.rsplit_once('-') else {
        return false;
    };
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(total) && is_number(part) && part != "00001"
}

/// Installed names, sorted.
fn names(installed: &Path) -> Vec<String> {
    let mut names: Vec<String> = entries(installed)
        .into_iter()
        .filter(|name| !model_files(&installed.join(name)).is_empty())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// File names in a directory; none where it cannot be read.
fn entries(directory: &Path) -> Vec<OsString> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect()
}

/// Where `scripts/build-lexicons` puts lexicons; `None` where the user has no data directory.
pub(crate) fn lexicon_directory() -> Option<PathBuf> {
    data_directory().map(|data| data.join("nibble/lexicons"))
}

/// `$XDG_DATA_HOME`, or `~/.local/share` where that is not an absolute path (XDG Base Directory Specification).
fn data_directory() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    variable("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(failure: Failure) -> String {
        match failure {
            Failure::ModelNotFound { hint, .. } => hint,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_looked_up_and_paths_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let installed = directory.path();
        let find = |model: &str| find_in(Path::new(model), Some(installed));

        assert!(message(find("small").unwrap_err()).starts_with("none is installed in "));

        for file in [
            "small/a.gguf",
            "small/notes.txt",
            "two/a.gguf",
            "two/b.gguf",
        ] {
            let file = installed.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        for part in 1..=3 {
            let file = installed.join(format!("split/m-0000{part}-of-00003.gguf"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        assert_eq!(find("small").unwrap(), installed.join("small/a.gguf"));
        assert_eq!(
            find("split").unwrap(),
            installed.join("split/m-00001-of-00003.gguf")
        );
        assert_eq!(
            message(find("other").unwrap_err()),
            "installed: small, split, two"
        );
        assert!(message(find("two").unwrap_err()).contains("holds 2 models"));

        for path in ["no/such.gguf", "such.gguf", "./small", "../small", "/small"] {
            assert_eq!(find(path).unwrap(), Path::new(path));
        }
    }
}
