//! What a journal does when it is killed, filled, cut, damaged, or met by another version.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use millrace_journal::{claim, set_aside, Fault, Journal, Migration};

const TABLE: &str = "CREATE TABLE numbers (number INTEGER PRIMARY KEY, padding BLOB NOT NULL)";

fn open(path: &Path) -> Result<Journal, millrace_journal::JournalError> {
    Journal::open(path, vec![Migration::up(TABLE)])
}

fn put(journal: &Journal, number: i64) -> Result<usize, millrace_journal::JournalError> {
    journal.write("numbers", |db| db.execute("INSERT INTO numbers VALUES (?1, zeroblob(1000))", [number]))
}

fn numbers(journal: &Journal) -> Vec<i64> {
    let read = |db: &rusqlite::Connection| {
        let mut query = db.prepare("SELECT number FROM numbers ORDER BY number")?;
        let rows = query.query_map([], |row| row.get(0))?;
        rows.collect()
    };
    journal.read(read).unwrap()
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    (folder, path)
}

fn overwrite_end(path: &Path, bytes: u64) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::End(-(bytes as i64))).unwrap();
    file.write_all(&vec![0xA5; bytes as usize]).unwrap();
}

/// The file without a log beside it, as a clean end leaves it.
fn folded(path: &Path, count: i64) {
    let journal = open(path).unwrap();
    (0..count).for_each(|number| assert_eq!(put(&journal, number).unwrap(), 1));
    drop(journal);
    assert!(!path.with_extension("db-wal").exists());
}

#[test]
fn it_is_its_owners_alone_and_knows_whether_it_is_new() {
    let (_folder, path) = place();
    assert!(open(&path).unwrap().is_new());
    assert!(!open(&path).unwrap().is_new());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Run by the test below as a process of its own: writes number after number, and says each once it is on disk.
#[test]
#[ignore = "a process for another test to kill"]
fn write_until_killed() {
    let journal = open(Path::new(&std::env::var("JOURNAL_TO_WRITE").unwrap())).unwrap();
    for number in numbers(&journal).len() as i64.. {
        put(&journal, number).unwrap();
        println!("wrote {number}");
    }
}

#[test]
fn killed_at_any_moment_it_has_all_that_was_said_to_be_written() {
    let (_folder, path) = place();
    for round in 0..8u64 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "write_until_killed", "--ignored", "--nocapture"])
            .env("JOURNAL_TO_WRITE", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first = lines.find(|line| line.starts_with("wrote ")).expect("it writes");
        std::thread::sleep(Duration::from_millis(round * 7));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let said = lines.filter(|line| line.starts_with("wrote ")).last().unwrap_or(first);
        let said: usize = said["wrote ".len()..].parse().unwrap();
        let found = numbers(&open(&path).unwrap());
        assert!(found.len() > said, "{said} was written, {} are there", found.len());
        assert_eq!(found, (0..found.len() as i64).collect::<Vec<_>>(), "none is missing in between");
    }
}

#[test]
fn a_full_disk_is_named_and_costs_nothing_that_was_written() {
    let (_folder, path) = place();
    let journal = open(&path).unwrap();
    journal.read(|db| db.pragma_update(None, "max_page_count", 8)).unwrap();
    let error = (0..100).find_map(|number| put(&journal, number).err()).expect("it fills up");
    assert!(matches!(error.fault, Fault::Full), "{error}");
    assert!(error.to_string().contains("disk is full; free some space"), "{error}");
    let before = numbers(&journal);
    assert!(!before.is_empty());
    journal.read(|db| db.pragma_update(None, "max_page_count", 1_000)).unwrap();
    assert_eq!(put(&journal, 1_000).unwrap(), 1);
    drop(journal);
    assert_eq!(numbers(&open(&path).unwrap()), [before, vec![1_000]].concat());
}

#[test]
fn a_damaged_last_page_is_found_when_it_is_opened() {
    let (_folder, path) = place();
    folded(&path, 50);
    overwrite_end(&path, 4_096);
    let error = open(&path).err().expect("the damage is found");
    assert!(matches!(error.fault, Fault::Damaged(_)), "{error}");
    assert!(error.to_string().contains("move the file away"), "{error}");
    let aside = set_aside(&path).unwrap();
    assert!(aside.exists() && !path.exists());
    assert!(open(&path).unwrap().is_new());
    overwrite_end(&path, 4_096);
    assert_ne!(set_aside(&path).unwrap(), aside, "nothing set aside is written over");
}

#[test]
fn what_is_no_journal_at_all_is_named() {
    let (_folder, path) = place();
    std::fs::write(
        &path,
        b"this was a text once, and long enough to have a header of 100 bytes ......................",
    )
    .unwrap();
    let error = open(&path).err().unwrap();
    assert!(matches!(error.fault, Fault::Damaged(_)), "{error}");
}

/// Why nothing may hang on what a journal remembers: SQLite drops the damaged end of its log without a word.
#[test]
fn a_damaged_end_of_the_log_takes_the_last_writes_with_it_in_silence() {
    let (folder, path) = place();
    let journal = open(&path).unwrap();
    (0..3).for_each(|number| assert_eq!(put(&journal, number).unwrap(), 1));
    // A copy of the files as they lie now is what a cut of power leaves.
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
    overwrite_end(&copy.with_extension("db-wal"), 64);
    assert_eq!(numbers(&open(&copy).unwrap()), [0, 1]);
    assert_eq!(numbers(&journal), [0, 1, 2]);
}

#[test]
fn an_older_layout_is_brought_up_to_date_and_a_newer_one_refused() {
    let (_folder, path) = place();
    folded(&path, 2);
    let second = || Migration::up("ALTER TABLE numbers ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'");
    let later = Journal::open(&path, vec![Migration::up(TABLE), second()]).unwrap();
    let colour =
        later.read(|db| db.query_row("SELECT colour FROM numbers WHERE number = 1", [], |row| row.get::<_, String>(0)));
    assert_eq!(colour.unwrap(), "grey");
    drop(later);
    let error = open(&path).err().expect("it is from the future");
    assert!(matches!(error.fault, Fault::Newer) && error.to_string().contains("newer one"), "{error}");
}

#[test]
fn a_write_that_fails_half_way_writes_nothing() {
    let (_folder, path) = place();
    let journal = open(&path).unwrap();
    let outcome = journal.write("numbers", |db| {
        db.execute("INSERT INTO numbers VALUES (1, x'')", [])?;
        db.execute("INSERT INTO numbers VALUES (1, x'')", [])
    });
    assert!(outcome.is_err() && numbers(&journal).is_empty());
}

#[test]
fn a_folder_has_one_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let first = claim(folder.path()).unwrap();
    let error = claim(folder.path()).unwrap_err();
    assert!(error.to_string().contains("another daemon holds this folder"), "{error}");
    drop(first);
    assert!(claim(folder.path()).is_ok());
}
