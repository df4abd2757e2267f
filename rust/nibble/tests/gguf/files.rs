//! Files on a disk: windows of descriptors, split models, files that are absent, odd or change.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use nibble::SharedBytes;
use nibble::gguf::{Format, Gguf, Tensor, Value, Writer};
use nibble::{Error, ErrorKind};
use tempfile::{TempDir, tempdir};

use crate::small_model;
use crate::walk::walk;

fn write(directory: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn io_error(error: Error) -> (PathBuf, IoErrorKind) {
    match error {
        Error::Io { file, source } => (file, source.kind()),
        other => panic!("{other}"),
    }
}

#[test]
fn everything_can_be_sent_and_shared() {
    fn check<T: Send + Sync>() {}
    check::<Gguf>();
    check::<Tensor>();
    check::<SharedBytes>();
}

#[test]
fn a_path_is_mapped() {
    let directory = tempdir().unwrap();
    let path = write(&directory, "small.gguf", &small_model());
    let model = Gguf::open(&path).unwrap();
    assert_eq!(model.file(), path);
    assert_eq!(model.size_bytes(), small_model().len() as u64);
    model.check_unchanged().unwrap();
    walk(&model);
}

#[test]
fn a_tensor_outlives_the_model() {
    let directory = tempdir().unwrap();
    let path = write(&directory, "small.gguf", &small_model());
    let tensor = Gguf::open(&path).unwrap().tensor("matrix").unwrap();
    let copy = tensor.clone();
    assert_eq!(
        tensor.bytes.as_ptr(),
        copy.bytes.as_ptr(),
        "nothing is copied"
    );
    drop(tensor);
    assert_eq!(*copy.bytes, [2; 36]);
}

#[test]
fn paths_that_are_no_files() {
    let directory = tempdir().unwrap();
    let missing = directory.path().join("missing.gguf");
    let (file, kind) = io_error(Gguf::open(&missing).unwrap_err());
    assert_eq!((file, kind), (missing, IoErrorKind::NotFound));

    let (file, kind) = io_error(Gguf::open(directory.path()).unwrap_err());
    assert_eq!(
        (file.as_path(), kind),
        (directory.path(), IoErrorKind::IsADirectory)
    );

    let empty = write(&directory, "empty.gguf", b"");
    let error = Gguf::open(&empty).unwrap_err();
    assert!(matches!(error, Error::NotGguf { found, .. } if found.is_empty()));

    let behind = write(&directory, "file", &small_model()).join("model.gguf");
    let (file, kind) = io_error(Gguf::open(&behind).unwrap_err());
    assert_eq!((file, kind), (behind, IoErrorKind::NotADirectory));
}

#[cfg(unix)]
#[test]
fn a_device_is_no_model() {
    let (_, kind) = io_error(Gguf::open("/dev/null").unwrap_err());
    assert_eq!(kind, IoErrorKind::InvalidInput);
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_an_error_with_its_name() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempdir().unwrap();
    let path = write(&directory, "secret.gguf", &small_model());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    match File::open(&path) {
        // The superuser may read everything.
        Ok(_) => walk(&Gguf::open(&path).unwrap()),
        Err(_) => {
            let (file, kind) = io_error(Gguf::open(&path).unwrap_err());
            assert_eq!((file, kind), (path, IoErrorKind::PermissionDenied));
        }
    }
}

#[cfg(unix)]
mod windows {
    use super::*;

    /// A file with `before` and `after` bytes around the small model.
    fn package(before: usize, after: usize) -> (TempDir, PathBuf) {
        let directory = tempdir().unwrap();
        let bytes = [vec![0xaa; before], small_model(), vec![0xbb; after]].concat();
        let path = write(&directory, "package.apk", &bytes);
        (directory, path)
    }

    fn open_window(path: &Path, offset: u64, length: u64) -> nibble::Result<Gguf> {
        let descriptor = File::open(path).unwrap().into();
        Gguf::open_fd(
            descriptor,
            offset,
            length,
            Path::new("package.apk!model.gguf"),
        )
    }

    #[test]
    fn a_model_inside_another_file_is_the_same_at_any_offset() {
        let length = small_model().len() as u64;
        let alone = crate::open(&small_model()).unwrap();
        for before in [0, 1, 3, 1003, 4095, 4096, 4097, 70_001] {
            let (_directory, path) = package(before, 17);
            let model = open_window(&path, before as u64, length).unwrap();
            assert_eq!(model.file(), Path::new("package.apk!model.gguf"));
            assert_eq!(model.size_bytes(), length);
            model.check_unchanged().unwrap();
            assert!(model.tensors().eq(alone.tensors()));
            for info in alone.tensors() {
                let expected = alone.tensor(&info.name).unwrap();
                assert_eq!(*model.tensor(&info.name).unwrap().bytes, *expected.bytes);
            }
            walk(&model);
        }
    }

    #[test]
    fn a_window_outside_the_file_is_an_error() {
        let (_directory, path) = package(100, 0);
        let length = small_model().len() as u64;
        for (offset, length, available) in [
            (100, length + 1, length),
            (101, length, length - 1),
            (100 + length, 1, 0),
            (u64::MAX, 1, 0),
            (u64::MAX, u64::MAX, 0),
            (0, u64::MAX, length + 100),
        ] {
            match open_window(&path, offset, length).unwrap_err() {
                Error::Truncated {
                    offset: at,
                    needed,
                    available: left,
                    ..
                } => assert_eq!((at, needed, left), (offset, length, available)),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn a_window_that_is_too_short_does_not_reach_outside() {
        let (_directory, path) = package(5, 5);
        let length = small_model().len() as u64;
        let error = open_window(&path, 5, length - 100).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
        assert!(
            error.to_string().starts_with("package.apk!model.gguf: "),
            "{error}"
        );
        assert_eq!(
            open_window(&path, 5, 0).unwrap_err().kind(),
            ErrorKind::NotGguf
        );
        assert_eq!(
            open_window(&path, 4, length).unwrap_err().kind(),
            ErrorKind::NotGguf
        );
    }

    #[test]
    fn a_descriptor_of_a_directory_is_an_error() {
        let directory = tempdir().unwrap();
        let (_, kind) = io_error(open_window(directory.path(), 0, 100).unwrap_err());
        assert_eq!(kind, IoErrorKind::IsADirectory);
    }

    #[test]
    fn only_a_cut_into_the_window_is_a_change() {
        let (_directory, path) = package(7, 9);
        let length = small_model().len() as u64;
        let model = open_window(&path, 7, length).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(7 + length).unwrap();
        model.check_unchanged().unwrap();
        file.set_len(7 + length - 1).unwrap();
        match model.check_unchanged().unwrap_err() {
            Error::FileChanged {
                expected, found, ..
            } => assert_eq!((expected, found), (7 + length, 7 + length - 1)),
            other => panic!("{other}"),
        }
    }
}

// Windows refuses to cut a mapped file short.
#[cfg(unix)]
#[test]
fn a_file_that_shrinks_is_noticed() {
    let directory = tempdir().unwrap();
    let path = write(&directory, "small.gguf", &small_model());
    let model = Gguf::open(&path).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let length = small_model().len() as u64;
    for shorter in [length - 1, 0] {
        file.set_len(shorter).unwrap();
        match model.check_unchanged().unwrap_err() {
            Error::FileChanged {
                file,
                expected,
                found,
            } => {
                assert_eq!(file, path);
                assert_eq!((expected, found), (length, shorter));
            }
            other => panic!("{other}"),
        }
    }
    file.set_len(length + 1).unwrap();
    model.check_unchanged().unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_that_is_replaced_by_renaming_stays_as_it_was() {
    let directory = tempdir().unwrap();
    let path = write(&directory, "small.gguf", &small_model());
    let model = Gguf::open(&path).unwrap();
    let new = write(&directory, "new.gguf", b"something else");
    fs::rename(new, &path).unwrap();
    model.check_unchanged().unwrap();
    assert_eq!(*model.tensor("cube").unwrap().bytes, [3; 24]);
}

#[cfg(unix)]
#[test]
fn a_file_that_is_overwritten_under_the_map_gives_no_panic() {
    let directory = tempdir().unwrap();
    for filler in [0x00, 0x01, 0x09, 0xff] {
        let path = write(&directory, "small.gguf", &small_model());
        let model = Gguf::open(&path).unwrap();
        // In place: the same file, the same length.
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, &vec![filler; small_model().len()]).unwrap();
        for (key, value) in model.metadata().iter() {
            assert!(!value.to_string().is_empty());
            if let Value::Array(array) = value {
                assert!(array.iter().count() <= array.len());
            }
            if let Ok(strings) = model.metadata().strings(key) {
                assert_eq!(strings.count(), 3);
            }
        }
        assert_eq!(*model.tensor("norm").unwrap().bytes, [filler; 12]);
    }
}

mod split {
    use super::*;

    /// One part, with one tensor per name in `tensors`.
    fn part(number: u16, count: u16, all_tensors: i32, tensors: &[&str]) -> Vec<u8> {
        let mut header = Writer::new("part");
        if number == 0 {
            header.string("general.architecture", "llama").unwrap();
        }
        header.value("split.no", Value::U16(number)).unwrap();
        header.value("split.count", Value::U16(count)).unwrap();
        header.i32("split.tensors.count", all_tensors).unwrap();
        for name in tensors {
            header.tensor(name, Format::F32, &[1]).unwrap();
        }
        let mut data = header.begin(Vec::new()).unwrap();
        for name in tensors {
            data.write(name, &[number as u8; 4]).unwrap();
        }
        data.finish().unwrap()
    }

    const NAMES: [&str; 3] = [
        "m-00001-of-00003.gguf",
        "m-00002-of-00003.gguf",
        "m-00003-of-00003.gguf",
    ];

    /// A model of three files, the first without tensors, as some writers make them.
    fn model() -> TempDir {
        let directory = tempdir().unwrap();
        write(&directory, NAMES[0], &part(0, 3, 3, &[]));
        write(&directory, NAMES[1], &part(1, 3, 3, &["b", "a"]));
        write(&directory, NAMES[2], &part(2, 3, 3, &["c"]));
        directory
    }

    fn open_first(directory: &TempDir) -> nibble::Result<Gguf> {
        Gguf::open(directory.path().join(NAMES[0]))
    }

    #[test]
    fn any_part_opens_the_whole() {
        let directory = model();
        let size: u64 = NAMES
            .iter()
            .map(|name| fs::metadata(directory.path().join(name)).unwrap().len())
            .sum();
        for name in NAMES {
            let model = Gguf::open(directory.path().join(name)).unwrap();
            assert_eq!(model.file(), directory.path().join(NAMES[0]));
            assert_eq!(model.size_bytes(), size);
            assert_eq!(
                model.metadata().string("general.architecture").unwrap(),
                "llama"
            );
            let tensors: Vec<_> = model
                .tensors()
                .map(|t| (t.name.as_str(), t.shard))
                .collect();
            assert_eq!(tensors, [("b", 1), ("a", 1), ("c", 2)]);
            assert_eq!(*model.tensor("a").unwrap().bytes, [1; 4]);
            assert_eq!(*model.tensor("c").unwrap().bytes, [2; 4]);
            model.check_unchanged().unwrap();
            walk(&model);
        }
    }

    #[test]
    fn a_missing_part_is_named() {
        let directory = model();
        let missing = directory.path().join(NAMES[1]);
        fs::remove_file(&missing).unwrap();
        for name in [NAMES[0], NAMES[2]] {
            let error = Gguf::open(directory.path().join(name)).unwrap_err();
            assert_eq!(io_error(error), (missing.clone(), IoErrorKind::NotFound));
        }
    }

    #[test]
    fn a_damaged_part_is_named() {
        let directory = model();
        let bytes = part(2, 3, 3, &["c"]);
        let damaged = write(&directory, NAMES[2], &bytes[..bytes.len() - 32]);
        match open_first(&directory).unwrap_err() {
            Error::Truncated { file, .. } => assert_eq!(file, damaged),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn parts_that_do_not_belong_together() {
        let cases: [(usize, Vec<u8>, &str); 5] = [
            (1, part(2, 3, 3, &["a", "b"]), "split.no"),
            (1, part(1, 4, 3, &["a", "b"]), "split.count"),
            (1, part(1, 3, 4, &["a", "b"]), "split.tensors.count"),
            (1, part(1, 3, 3, &["a"]), "split.tensors.count"),
            (1, part(1, 3, 3, &["a", "b", "d"]), "split.tensors.count"),
        ];
        for (number, bytes, expected) in cases {
            let directory = model();
            write(&directory, NAMES[number], &bytes);
            match open_first(&directory).unwrap_err() {
                Error::InvalidKey { key, .. } => assert_eq!(key, expected),
                other => panic!("{other}"),
            }
        }
        let directory = model();
        write(&directory, NAMES[1], &small_model());
        assert_eq!(
            open_first(&directory).unwrap_err().kind(),
            ErrorKind::MissingKey
        );
    }

    #[test]
    fn a_tensor_in_two_parts_is_an_error() {
        let directory = model();
        let twice = write(&directory, NAMES[2], &part(2, 3, 3, &["a"]));
        match open_first(&directory).unwrap_err() {
            Error::Malformed { file, what, .. } => {
                assert_eq!(file, twice);
                assert_eq!(what, "tensor \"a\"");
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_part_under_another_name_is_an_error() {
        let directory = model();
        let renamed = write(&directory, "renamed.gguf", &part(0, 3, 3, &[]));
        let error = Gguf::open(&renamed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(
            error.to_string().contains("-00001-of-00003.gguf"),
            "{error}"
        );
    }

    #[test]
    fn a_part_without_a_path_is_an_error() {
        let error = crate::open(&part(0, 3, 3, &[])).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("file 1 of 3"), "{error}");
    }

    #[test]
    fn one_part_of_one_is_a_model_under_any_name() {
        let directory = tempdir().unwrap();
        let path = write(&directory, "whole.gguf", &part(0, 1, 1, &["a"]));
        assert_eq!(
            *Gguf::open(path).unwrap().tensor("a").unwrap().bytes,
            [0; 4]
        );
        crate::open(&part(0, 1, 1, &["a"])).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_part_that_shrinks_is_named() {
        let directory = model();
        let model = open_first(&directory).unwrap();
        let last = directory.path().join(NAMES[2]);
        let file = OpenOptions::new().write(true).open(&last).unwrap();
        file.set_len(10).unwrap();
        match model.check_unchanged().unwrap_err() {
            Error::FileChanged { file, found, .. } => assert_eq!((file, found), (last, 10)),
            other => panic!("{other}"),
        }
    }
}
