//! What the fuzzer kept, fed once more to what reads commits, proofs, bundles and leaves.

#[path = "../fuzz/src/lib.rs"]
mod targets;

#[test]
fn no_kept_bytes_break_a_reader_or_the_verifier() {
    for (name, target) in targets::TARGETS {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/").to_owned() + name;
        let mut fed = 0;
        for file in std::fs::read_dir(&corpus).unwrap() {
            let path = file.unwrap().path();
            println!("{}", path.display());
            target(&std::fs::read(path).unwrap());
            fed += 1;
        }
        assert!(fed >= 10, "{corpus} has {fed} files");
    }
}
