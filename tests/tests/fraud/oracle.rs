//! `slash_oracle`: who signs for a computation with a wrong number among those it had to check loses its stake, and
//! nobody else does.

use millrace::events::OracleSlashed;
use millrace::instructions::SlashOracleArgs;
use millrace::state::{FraudCase, Oracle};
use millrace_client::ix::slash_oracle;
use millrace_core::leaves::{NodeLeaf, Verdict};
use millrace_core::proof::{query, Query, Task, QUERIES};
use millrace_tests::fraud::*;
use millrace_tests::judged::audit_args;
use millrace_tests::*;

const STAKE: u64 = 500 * MILL;
const UNBONDING: u64 = 70 * MILL;
/// Round of the wrong entry that is asked for; the others are asked for by no query.
const ASKED_ROUND: u32 = 1;

/// A report that passes a cheat, and the case with the proof.
struct Passed {
    accusation: Accusation,
    case: Pubkey,
    leaf: NodeLeaf,
    report: Report,
    /// The query that asks for the case's first proven entry.
    query: u16,
}

impl Passed {
    fn args(&self) -> SlashOracleArgs {
        let it = audit_args(&self.report, &self.leaf);
        SlashOracleArgs { epoch: it.epoch, index: it.index, leaf: it.leaf, path: it.path, query: self.query, entry: 0 }
    }

    fn slash(&self, world: &World, oracle: &Pubkey, args: SlashOracleArgs) -> Instruction {
        slash_oracle(&self.case, &world.read::<FraudCase>(&self.case), oracle, &world.market(), args)
    }
}

/// The records of the oracles, each with stake.
fn oracles(world: &mut World) -> Vec<Pubkey> {
    let keys: Vec<Pubkey> = world.oracles.iter().map(|oracle| pda::oracle(&oracle.pubkey())).collect();
    for (seat, oracle) in keys.iter().enumerate() {
        let tokens = world.put_tokens(&format!("stake of seat {seat}"), oracle, STAKE + UNBONDING);
        let vault = world.svm.get_account(&tokens).unwrap();
        world.svm.set_account(pda::vault(oracle), vault).unwrap();
        world.svm.set_account(tokens, solana_account::Account::default()).unwrap();
        world.rewrite::<Oracle>(oracle, |record| {
            (record.vault, record.stake, record.unbonding_amount) = (pda::vault(oracle), STAKE, UNBONDING);
        });
    }
    keys
}

/// The query that asks for what `run` commits in `round`.
fn asks(run: &SparseRun, next_beacon: &[u8; 32], entry: Query) -> Option<u16> {
    let commit = &run.commit;
    let asked = |i: &u16| query(&commit.super_root, next_beacon, u32::from(*i), commit.n, commit.rounds) == entry;
    (0..QUERIES as u16).find(asked)
}

/// Has the oracles pass a run whose wrong entry in [`ASKED_ROUND`] is asked for, accuses it, and proves that entry.
fn passed(world: &mut World) -> Passed {
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 256, 2);
    world.warp_to_next_epoch();
    // Whoever knows the next beacon finds a nonce for which it asks for the entry: here that is the test.
    let next_beacon = world.latched_beacon();
    let (run, query) = (0u32..)
        .find_map(|n| {
            let mut nonce = [0; 32];
            nonce[..4].copy_from_slice(&n.to_le_bytes());
            let run = SparseRun::new(&Task { nonce, ..task }, &[(1, 2), (3, 4)], Value::Wrong);
            let entry = Query { round: ASKED_ROUND, row: 3, col: 4 };
            let is_other_asked = asks(&run, &next_beacon, Query { round: 0, row: 1, col: 2 }).is_some();
            asks(&run, &next_beacon, entry).filter(|_| !is_other_asked).map(|query| (run, query))
        })
        .expect("one nonce in a few hundred will do");
    let leaf = NodeLeaf {
        super_root: run.commit.super_root,
        ..NodeSpec::default().passed(&accusation.node, task.epoch, world.now())
    };
    let report = world.report_node(&leaf);
    let case = world.accuse(&accusation, &run.commit);
    world.prove(&accusation, &case, run.entry_proof(ASKED_ROUND));
    world.prove(&accusation, &case, run.entry_proof(0));
    Passed { accusation, case, leaf, report, query }
}

#[test]
fn an_oracle_that_passed_a_wrong_entry_it_had_to_check_loses_its_stake() {
    let mut world = World::new();
    let passed = passed(&mut world);
    let oracles = oracles(&mut world);
    let stranger = world.stranger("stranger");
    let supply = world.supply();
    for (nth, oracle) in oracles.iter().enumerate() {
        let slash = passed.slash(&world, oracle, passed.args());
        let event: OracleSlashed = world.must(&[slash], &[&stranger]).event();
        let (taken, bounty) = (STAKE + UNBONDING, (STAKE + UNBONDING) / 20);
        assert_eq!((event.taken_amount, event.bounty_amount, event.burn_amount), (taken, bounty, taken - bounty));
        assert_eq!((event.stake, event.unbonding_amount, event.slashed_total), (0, 0, taken));
        let record = world.read::<Oracle>(oracle);
        assert_eq!((record.stake, record.unbonding_amount, record.slashed_total), (0, 0, taken));
        assert_eq!(world.tokens(&record.vault), 0);
        let so_far = nth as u64 + 1;
        assert_eq!(world.tokens(&passed.accusation.bounty_account), so_far * bounty);
        assert_eq!(supply - world.supply(), so_far * (taken - bounty));
        // Once.
        let again = passed.slash(&world, oracle, passed.args());
        world.assert_refused(&[again], &[&stranger], MillraceError::NothingToSlash);
    }
    world.assert_books();
}

#[test]
fn what_no_query_asks_for_an_oracle_cannot_see() {
    let mut world = World::new();
    let passed = passed(&mut world);
    let oracle = oracles(&mut world)[0];
    let stranger = world.stranger("stranger");
    let args = passed.args();
    let wrong = [
        // The other proven entry; one never proven; another query; none of the queries.
        SlashOracleArgs { entry: 1, ..args.clone() },
        SlashOracleArgs { entry: 2, ..args.clone() },
        SlashOracleArgs { entry: u8::MAX, ..args.clone() },
        SlashOracleArgs { query: (args.query + 1) % QUERIES as u16, ..args.clone() },
        SlashOracleArgs { query: QUERIES as u16, ..args.clone() },
        SlashOracleArgs { query: u16::MAX, ..args },
    ];
    for args in wrong {
        let slash = passed.slash(&world, &oracle, args);
        world.assert_refused(&[slash], &[&stranger], MillraceError::NotAQuery);
    }
}

#[test]
fn only_who_signed_while_seated_answers() {
    let mut world = World::new();
    let passed = passed(&mut world);
    let oracle = oracles(&mut world)[0];
    let stranger = world.stranger("stranger");
    let slash = passed.slash(&world, &oracle, passed.args());
    let epoch = passed.report.epoch;
    let honest = *world.read::<Oracle>(&oracle);
    let others: [&dyn Fn(&mut Oracle); 4] =
        [&|it| it.seat = 3, &|it| it.seat = 32, &|it| it.seated_epoch = epoch + 1, &|it| {
            (it.is_removed, it.removed_epoch) = (1, epoch - 1)
        }];
    for change in others {
        world.rewrite(&oracle, change);
        world.assert_refused(std::slice::from_ref(&slash), &[&stranger], MillraceError::NotASigner);
        world.rewrite::<Oracle>(&oracle, |it| *it = honest);
    }
    // One removed since answers.
    world.rewrite::<Oracle>(&oracle, |it| (it.is_removed, it.removed_epoch) = (1, epoch));
    world.must(&[slash], &[&stranger]);
}

#[test]
fn an_oracle_that_did_not_sign_this_report_answers_for_nothing() {
    let mut world = World::new();
    let mut passed = passed(&mut world);
    let oracles = oracles(&mut world);
    let stranger = world.stranger("stranger");
    // The next epoch's report says it again, by two of three.
    world.warp_to_next_epoch();
    passed.report = Report::over(world.epoch(), &[passed.leaf.tree_node()]);
    for seat in [0, 2] {
        let oracle = world.oracles[seat].insecure_clone();
        let sign = ix::sign_report(&oracle.pubkey(), report::sign_args(&passed.report));
        world.must(&[sign], &[&oracle]);
    }
    let silent = passed.slash(&world, &oracles[1], passed.args());
    world.assert_refused(&[silent], &[&stranger], MillraceError::NotASigner);
    let signer = passed.slash(&world, &oracles[2], passed.args());
    world.must(&[signer], &[&stranger]);
}

#[test]
fn a_leaf_that_did_not_pass_this_commit_is_no_offence() {
    let mut world = World::new();
    let passed = passed(&mut world);
    let oracle = oracles(&mut world)[0];
    let stranger = world.stranger("stranger");
    let leaf = passed.leaf;
    let wrong = [
        (NodeLeaf { verdict: Verdict::Refused, ..leaf }, MillraceError::NoOffence),
        (NodeLeaf { verdict: Verdict::Withheld, ..leaf }, MillraceError::NoOffence),
        (NodeLeaf { super_root: [1; 24], ..leaf }, MillraceError::LeafOfAnother),
        (NodeLeaf { audit_epoch: leaf.audit_epoch + 1, ..leaf }, MillraceError::LeafOfAnother),
        (NodeLeaf { node: [2; 32], ..leaf }, MillraceError::LeafOfAnother),
    ];
    for (leaf, error) in wrong {
        let report = world.report_node(&leaf);
        let it = audit_args(&report, &leaf);
        let args = SlashOracleArgs { epoch: it.epoch, index: it.index, leaf: it.leaf, path: it.path, ..passed.args() };
        let slash = passed.slash(&world, &oracle, args);
        world.assert_refused(&[slash], &[&stranger], error);
    }
    // And one that no quorum signed.
    let args = SlashOracleArgs { leaf: NodeLeaf { at: leaf.at + 1, ..leaf }.to_bytes(), ..passed.args() };
    let slash = passed.slash(&world, &oracle, args);
    world.assert_refused(&[slash], &[&stranger], MillraceError::WrongPath);
}

#[test]
fn every_account_of_an_oracles_slash_is_fixed() {
    let mut world = World::new();
    let passed = passed(&mut world);
    let oracles = oracles(&mut world);
    let stranger = world.stranger("stranger");
    let slash = passed.slash(&world, &oracles[0], passed.args());
    let anothers_vault = ix::swap(slash.clone(), &pda::vault(&oracles[0]), &pda::vault(&oracles[1]));
    world.assert_refused(&[anothers_vault], &[&stranger], MillraceError::WrongAccount);
    world.assert_no_account_is_replaceable(&slash, &[&stranger]);
}

#[test]
fn a_slash_of_an_oracle_fits_a_transaction_with_the_longest_path() {
    let mut world = World::new();
    let mut passed = passed(&mut world);
    let oracle = oracles(&mut world)[0];
    let stranger = world.stranger("stranger");
    passed.report = world.report_deep(passed.leaf.tree_node(), 20);
    let slash = passed.slash(&world, &oracle, passed.args());
    world.must(&[slash], &[&stranger]);
}
