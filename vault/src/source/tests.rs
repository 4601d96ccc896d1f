use std::{os::unix::fs::PermissionsExt, thread};

use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::*;

fn text(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

fn write(path: &Path, mode: u32, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_first_key_of_a_text_is_the_current_one() {
    let ring = parse(&format!(" {}\n{},{}\n", text(1), text(2), text(3))).unwrap();
    assert_eq!(ring.ids().count(), 3);
    assert_eq!(ring.current(), parse(&text(1)).unwrap().current());
}

#[test]
fn a_key_is_read_in_every_form_of_base64() {
    let wanted = parse("+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=").unwrap().current();
    for form in [
        "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s",
        "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s",
    ] {
        assert_eq!(parse(form).unwrap().current(), wanted);
    }
}

#[test]
fn a_bad_text_is_refused_without_being_shown() {
    let error = parse(&format!("{},hunter2", text(1))).unwrap_err().to_string();
    assert!(error.contains("number 2") && !error.contains("hunter2"), "{error}");
    assert!(matches!(parse(""), Err(SourceError::Ring(KeyRingError::Empty))));
    assert!(matches!(parse(&"A".repeat(5000)), Err(SourceError::TooLong)));
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    for mode in [0o644, 0o640, 0o660, 0o604, 0o700] {
        write(&path, mode, &text(1));
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("{mode:o}")) && error.contains("600"), "{error}");
    }
    for mode in [0o600, 0o400] {
        write(&path, mode, &text(1));
        load(&path).unwrap();
    }
}

#[test]
fn what_is_not_there_or_not_a_file_is_said() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(load(&folder.path().join("none")), Err(SourceError::Missing(_))));
    assert!(matches!(load(folder.path()), Err(SourceError::NotAFile(_))));
}

#[test]
fn a_generated_file_is_for_its_owner_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let first = load_or_generate(&path, &mut StdRng::seed_from_u64(1)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let again = load_or_generate(&path, &mut StdRng::seed_from_u64(2)).unwrap();
    assert_eq!(first.current(), again.current());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_broken_file_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    write(&path, 0o600, "");
    load_or_generate(&path, &mut StdRng::seed_from_u64(1)).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn processes_that_start_together_get_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let ids: Vec<_> = thread::scope(|scope| {
        let start = |seed| {
            let path = &path;
            scope.spawn(move || {
                load_or_generate(path, &mut StdRng::seed_from_u64(seed)).unwrap().current()
            })
        };
        let started: Vec<_> = (0..8).map(start).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = parse(&text);
    }
}
