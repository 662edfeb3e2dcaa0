//! The twin with planted faults: the state machine finds each, and nothing that deploys takes the twin.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use millrace_tests::machine::{run, twin, Tally, Walk};

/// Walks in which a planted fault has to be found.
const WALKS: u64 = 40;

/// The machine finds fault `number` in a walk from seed 1 on, and the same walk passes on the program as it is.
fn assert_found(number: u8) {
    let fault = twin::faults().into_iter().find(|fault| fault.number == number).expect("the fault is planted");
    let sighting = twin::find(&twin::image(number), 1, WALKS);
    let sighting =
        sighting.unwrap_or_else(|| panic!("{} was not found in {WALKS} walks: {}", fault.name, fault.breaks));
    println!("{}: found after {} steps, seed {}: {}", fault.name, sighting.steps, sighting.seed, sighting.broken);
    let (start, steps) = Walk { seed: sighting.seed, length: twin::LENGTH }.drawn();
    let clean = run(start, &steps, None, &mut Tally::default());
    clean.unwrap_or_else(|broken| panic!("the same walk on the program itself: {broken}"));
}

/// One test a fault, so that they run side by side.
macro_rules! faults {
    ($($name:ident: $number:literal,)*) => {
        $(#[test]
        fn $name() {
            assert_found($number);
        })*

        #[test]
        fn every_planted_fault_has_a_test() {
            let tested: BTreeSet<(u8, String)> =
                [$(($number, stringify!($name).replace('_', " "))),*].into_iter().collect();
            let planted = twin::faults().into_iter().map(|fault| (fault.number, fault.name)).collect();
            assert_eq!(tested, planted);
        }
    };
}

faults! {
    double_settle: 1,
    missing_signer: 2,
    unbonding_escape: 3,
    rounding_to_the_user: 4,
    stale_report_accepted: 5,
    vote_counted_twice: 6,
    bond_not_released: 7,
    close_without_refund: 8,
    holdback_lost: 9,
    fee_not_charged: 10,
    exit_at_will: 11,
    slash_escape: 12,
    quorum_off_by_one: 13,
    closed_in_the_dispute_window: 14,
    sybil_bond_escape: 15,
    free_stake_out_of_reach: 16,
    vote_of_a_fresh_lock: 17,
    ruling_before_its_time: 18,
}

#[test]
fn with_no_fault_let_loose_the_twin_is_the_program() {
    let (start, steps) = Walk { seed: 1, length: twin::LENGTH }.drawn();
    let [mut product, mut twin] = [Tally::default(), Tally::default()];
    run(start, &steps, None, &mut product).expect("the program holds");
    run(start, &steps, Some(&twin::image(0)), &mut twin).expect("the twin holds");
    assert_eq!((product.steps, product.accepted, product.by_name), (twin.steps, twin.accepted, twin.by_name));
}

#[test]
fn the_program_does_not_bear_the_twins_marker() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/deploy/millrace.so");
    let program = std::fs::read(path).expect("the program is built");
    assert!(!program.windows(twin::MARKER.len()).any(|window| window == twin::MARKER), "{path} is the twin");
}

/// A bash command in the checkout: whether it succeeded, and what it said on stderr.
fn bash(command: &str) -> (bool, String) {
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = Command::new("bash").args(["-c", command]).current_dir(checkout).output().expect("bash runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_script_that_deploys_refuses_the_twin() {
    let (is_taken, said) = bash(&format!("source toolchain/common.sh; refuse_twin {}", twin::PATH));
    assert!(!is_taken && said.contains("must never be deployed"), "the twin was taken: {said}");
    let (is_taken, said) = bash("source toolchain/common.sh; refuse_twin target/deploy/millrace.so");
    assert!(is_taken, "the program was refused: {said}");
    for script in ["run-market", "anchor"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../toolchain").join(script);
        let text = std::fs::read_to_string(path).expect("the script is there");
        let (before, after) = text.split_once("refuse_twin ").unwrap_or_else(|| panic!("{script} takes the twin"));
        let deploys = |text: &str| text.lines().any(|line| line.starts_with("exec ") || line.starts_with("anchor "));
        assert!(!deploys(before) && deploys(after), "{script} looks only after it deployed");
    }
}

#[test]
fn all_who_look_for_the_marker_look_for_the_same() {
    let marker = "MILLRACE TWIN WITH PLANTED FAULTS, NEVER DEPLOY";
    assert!(twin::MARKER.starts_with(marker.as_bytes()));
    assert!(twin::MARKER.starts_with(millrace_client::twin::MARKER));
    for path in ["toolchain/common.sh", "localnet/src/main.rs", "tests/faults/planted.rs", "crates/client/src/twin.rs"]
    {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path));
        assert!(text.expect("the file is there").contains(marker), "{path} looks for another marker");
    }
}
