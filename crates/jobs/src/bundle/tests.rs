use super::*;
use proptest::prelude::*;

const MANIFEST: &str = r#"
    [job]
    command = ["python3", "train.py"]
    environment = "python"
    files = ["train.py", "data/a.csv"]
    outputs = ["model.json"]
    [limits]
    memory_mib = 64
    disk_mib = 8
    pids = 8
    max_secs = 5
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("manifest.toml"), MANIFEST).unwrap();
    std::fs::write(folder.path().join("train.py"), "print(1)").unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/a.csv"), "1,2").unwrap();
    folder
}

fn pack(folder: &tempfile::TempDir) -> Result<InputBundle, JobError> {
    InputBundle::pack(&folder.path().join("manifest.toml"), Bounds::default())
}

/// An archive of one entry, as hostile as the caller likes.
fn archive_of(name: &[u8], kind: tar::EntryType, link: Option<&str>, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    if let Some(link) = link {
        header.set_link_name_literal(link).unwrap();
    }
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, content).unwrap();
    archive.into_inner().unwrap()
}

#[test]
fn the_hash_depends_on_the_content_and_on_nothing_else() {
    let (one, other) = (folder(), folder());
    let far_past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
    std::fs::File::open(other.path().join("train.py")).unwrap().set_modified(far_past).unwrap();
    assert_eq!(pack(&one).unwrap().hash(), pack(&other).unwrap().hash());
    std::fs::write(other.path().join("train.py"), "print(2)").unwrap();
    assert_ne!(pack(&one).unwrap().hash(), pack(&other).unwrap().hash());
}

#[test]
fn the_archive_format_is_fixed() {
    // Posted jobs name their inputs by this hash: changing it orphans them.
    let expected = "2aae6669b1be9674cd1374069ea92046710f7ff518c74e3e7749b5f63c85bd34";
    assert_eq!(hex::encode(pack(&folder()).unwrap().hash()), expected);
}

#[test]
fn what_was_packed_unpacks_and_writes_back() {
    let packed = pack(&folder()).unwrap();
    let read = InputBundle::unpack(packed.bytes().to_vec(), &packed.hash(), Bounds::default()).unwrap();
    assert_eq!(read.files, packed.files);
    let out = tempfile::tempdir().unwrap();
    write_files(out.path(), &read.files).unwrap();
    assert_eq!(std::fs::read_to_string(out.path().join("data/a.csv")).unwrap(), "1,2");
    assert!(write_files(out.path(), &read.files).is_err(), "a file was replaced");
}

#[test]
fn a_symlink_out_of_the_folder_is_refused() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("train.py")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("train.py")).unwrap();
    assert!(matches!(pack(&folder), Err(JobError::LeavesFolder { .. })));
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("train.py")).unwrap();
    assert!(pack(&folder).unwrap_err().to_string().contains("train.py"));
    std::fs::create_dir(folder.path().join("train.py")).unwrap();
    assert!(matches!(pack(&folder), Err(JobError::NotAFile { .. })));
}

#[test]
fn inputs_changed_by_one_bit_are_refused() {
    let packed = pack(&folder()).unwrap();
    let mut bytes = packed.bytes().to_vec();
    bytes[600] ^= 1;
    let error = InputBundle::unpack(bytes, &packed.hash(), Bounds::default()).unwrap_err();
    assert!(matches!(error, JobError::OtherInputs { .. }), "{error}");
}

#[test]
fn inputs_larger_than_the_bound_are_refused() {
    let packed = pack(&folder()).unwrap();
    let unpack = |bounds| InputBundle::unpack(packed.bytes().to_vec(), &packed.hash(), bounds);
    let few_bytes = Bounds { total_bytes: 20, files: 10 };
    assert!(matches!(unpack(few_bytes), Err(JobError::TooLarge { what: "bytes", .. })));
    let few_files = Bounds { total_bytes: 1 << 20, files: 2 };
    assert!(matches!(unpack(few_files), Err(JobError::TooLarge { what: "files", .. })));
    let folder = folder();
    let packed = InputBundle::pack(&folder.path().join("manifest.toml"), Bounds { total_bytes: 4, files: 10 });
    assert!(matches!(packed, Err(JobError::TooLarge { .. })));
}

#[test]
fn hostile_entries_never_reach_the_disk() {
    use tar::EntryType;
    let read = |bytes: Vec<u8>| read_bundle(&bytes, Bounds::default()).unwrap_err();
    for name in [&b"../escape"[..], b"/etc/cron.d/x", b"a/../../b", b"./a", b"a\\b"] {
        let error = read(archive_of(name, EntryType::Regular, None, b"x"));
        assert!(matches!(error, JobError::Path { .. }), "{error}");
    }
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Directory, EntryType::Fifo, EntryType::Block] {
        let error = read(archive_of(b"a", kind, Some("/etc/shadow"), b""));
        assert!(matches!(error, JobError::NotAFile { .. }), "{error}");
    }
    // A GNU long-name entry would rename the one that follows it.
    let error = read(archive_of(b"././@LongLink", EntryType::GNULongName, None, b"../escape\0"));
    assert!(matches!(error, JobError::NotAFile { .. }), "{error}");
    let error = read(archive_of(b"a\xff", EntryType::Regular, None, b""));
    assert!(matches!(error, JobError::Tar(_)), "{error}");
}

#[test]
fn a_size_that_is_not_there_is_refused() {
    let mut bytes = archive_of(b"a", tar::EntryType::Regular, None, &[7; 2_000]);
    bytes.truncate(1_024);
    assert!(matches!(read_bundle(&bytes, Bounds::default()), Err(JobError::Tar(_))));
}

#[test]
fn the_files_must_be_those_the_manifest_lists() {
    let packed = pack(&folder()).unwrap();
    let mut files = packed.files.clone();
    files.remove("train.py");
    assert!(matches!(InputBundle::assemble(packed.manifest.clone(), files), Err(JobError::Contents(_))));
    let mut files = packed.files.clone();
    files.insert("extra".into(), BundleFile { content: vec![], executable: false });
    assert!(matches!(InputBundle::assemble(packed.manifest, files), Err(JobError::Contents(_))));
}

#[test]
fn results_pack_what_exists_and_name_what_does_not() {
    let folder = folder();
    let outputs = ["data/a.csv".to_owned(), "model.json".to_owned()];
    let (bytes, missing) = pack_files(folder.path(), &outputs, Bounds::default()).unwrap();
    assert_eq!(missing, ["model.json"]);
    let files = read_bundle(&bytes, Bounds::default()).unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["data/a.csv"]);
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("model.json")).unwrap();
    assert!(matches!(pack_files(folder.path(), &outputs, Bounds::default()), Err(JobError::NotAFile { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_accepted_set_of_files_survives_a_round_trip(
        files in proptest::collection::btree_map("[a-z]{1,40}(/[a-z]{1,40}){0,2}", (any::<Vec<u8>>(), any::<bool>()), 0..6),
    ) {
        let files: BTreeMap<_, _> =
            files.into_iter().map(|(path, (content, executable))| (path, BundleFile { content, executable })).collect();
        let bytes = write_bundle(&files).unwrap();
        prop_assert_eq!(read_bundle(&bytes, Bounds::default()).unwrap(), files);
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = read_bundle(&bytes, Bounds::default());
    }
}
