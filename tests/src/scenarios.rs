//! Every instruction of the program at its dearest and largest, each in a world where all its addresses have bump 255.

use bytemuck::Zeroable;
use std::collections::BTreeSet;

use millrace::constants::MAX_SEATS;
use millrace::instructions::{
    ApplyAuditArgs, PlaceBidArgs, PostJobArgs, SeatOracleArgs, SetTermsArgs, SlashOracleArgs,
};
use millrace::state::{
    Customer, Dispute, FraudCase, Job, Node, Oracle, Proposal, ProposalKind, Provider, Ruling, SlashCase,
};
use millrace_client::ix as client;
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_core::leaves::{LeaseStatus, NodeLeaf, Verdict};
use millrace_core::proof::{query, Commit, Query, Task, MAX_N, MAX_ROUNDS, QUERIES};

use crate::fraud::{execute_slash, prove_link, SparseRun, Value};
use crate::record::Extent;
use crate::voting::{NO_TARGET, VOTES};
use crate::*;

/// Levels of a tree with a million leaves.
const MILLION_LEAVES_LEVELS: u32 = 20;
/// The one life every job has to afford, in order.
pub const LIFE: [&str; 7] =
    ["post_job", "place_bid", "award", "settle_lease", "accept_result", "sweep_fees", "close_job"];

/// All there is to show: one record over every world.
pub fn everything() -> Record {
    let mut record = genesis();
    for world in
        [provider_and_node, life_alone, other_ends, silence, broken_bid, stake_in_motion, fraud, reach, judgement, keys]
    {
        record.merge(&world());
    }
    for world in [failed_member, ends_together, site, disputes, oracle_money, votes] {
        record.merge(&world());
    }
    if !cfg!(feature = "native") {
        record.merge(&upgrade());
    }
    record
}

/// Names of the instructions that [`everything`] sends: all there are. A native build has no loader that could upgrade it.
pub fn instructions() -> BTreeSet<&'static str> {
    let of_the_loader = ["propose_upgrade", "execute_upgrade", "return_buffer"];
    let is_sent = |name: &&str| !cfg!(feature = "native") || !of_the_loader.contains(name);
    record::instruction_names().into_iter().filter(is_sent).collect()
}

/// The extent of an entry's proof for n = 16,384 alone.
pub fn entry_16384() -> Extent {
    let mut world = World::new();
    let accusation = world.accusation();
    prove_entries(&mut world, &accusation, 16_384, 8);
    world.record.extents["prove_entry"]
}

/// Units of each step of the life of a one-node Spot job, in a market that has `other_jobs` open besides and whose
/// mint is of `standard`.
pub fn life(other_jobs: usize, standard: TokenStandard) -> Vec<(&'static str, u64)> {
    let mut world = World::at(Genesis { standard, ..Genesis::default() });
    let deal = world.parties();
    crowd(&mut world, other_jobs);
    let authority = &deal.buyer.authority;
    let mut units = vec![];
    let mut step = |world: &mut World, name: &'static str, instruction: Instruction, signer: &Keypair| {
        let receipt = world.must(&[instruction], &[signer]);
        let [cu] = record::units_in(&receipt.logs)[..] else { panic!("{name} is one call") };
        units.push((name, cu));
    };
    step(&mut world, "post_job", ix::post_job(&deal.buyer, 0, job_args()), authority);
    let bid = ix::place_bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    step(&mut world, "place_bid", bid, &deal.seller.operator);
    world.end_bidding(&deal.job);
    let award = ix::award(&authority.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    step(&mut world, "award", award, authority);
    world.warp_secs(100);
    let settle = deep_settlement(&mut world, &deal.lease, LeaseStatus::Completed);
    step(&mut world, "settle_lease", settle, authority);
    let accept = ix::accept_result(&world, &authority.pubkey(), &deal.lease);
    step(&mut world, "accept_result", accept, authority);
    let sweep = ix::sweep_fees(&world, &deal.buyer);
    step(&mut world, "sweep_fees", sweep, authority);
    let close = ix::close_job(&world, &deal.job);
    step(&mut world, "close_job", close, authority);
    world.assert_books();
    assert_eq!(units.iter().map(|(name, _)| *name).collect::<Vec<_>>(), LIFE);
    units
}

/// Units of the whole life of a Guaranteed job of three nodes of three providers.
pub fn life_of_a_guaranteed_job() -> u64 {
    let mut world = World::new();
    let sellers = world.sellers(3);
    let buyer = world.customer("buyer", 100 * MILL);
    let job = pda::job(&buyer.customer, 0);
    let authority = &buyer.authority;
    let mut total = 0;
    let mut step = |world: &mut World, instruction: Instruction, signer: &Keypair| {
        let receipt = world.must(&[instruction], &[signer]);
        total += record::units_in(&receipt.logs).iter().sum::<u64>();
    };
    step(&mut world, ix::post_job(&buyer, 0, guaranteed_args(3, 0)), authority);
    for (seller, node) in &sellers {
        step(&mut world, ix::place_bid(seller, node, &job, BID_PER_SEC), &seller.operator);
    }
    world.end_bidding(&job);
    for ((seller, node), index) in sellers.iter().zip(0..) {
        let award = ix::award_nth(&authority.pubkey(), &buyer, seller, node, &job, index);
        step(&mut world, award, authority);
    }
    world.warp_secs(100);
    for index in 0..3 {
        let settle = deep_settlement(&mut world, &pda::lease(&job, index), LeaseStatus::Completed);
        step(&mut world, settle, authority);
    }
    for index in 0..3 {
        let accept = ix::accept_result(&world, &authority.pubkey(), &pda::lease(&job, index));
        step(&mut world, accept, authority);
    }
    let sweep = ix::sweep_fees(&world, &buyer);
    step(&mut world, sweep, authority);
    let close = ix::close_job(&world, &job);
    step(&mut world, close, authority);
    world.assert_books();
    total
}

/// A member that failed: taken over, another's lost seconds and the compensation claimed, and both paid.
fn failed_member() -> Record {
    let mut world = World::new();
    let cluster = world.cluster(2, 1);
    let payer = &cluster.buyer.authority;
    let (failed, member, stand_by) = (cluster.lease(0), cluster.lease(1), cluster.lease(2));
    world.warp_secs(200);
    world.settle_kept(&failed, (200, 100, 0), LeaseStatus::NodeFailed);
    world.settle_kept(&member, (200, 100, 50), LeaseStatus::Running);
    world.must(&[world.fail_over(&payer.pubkey(), &failed, &stand_by)], &[payer]);
    world.must(&[world.claim_unkept(&payer.pubkey(), &failed, &member)], &[payer]);
    world.warp_secs(world.config().params.dispute_window_secs);
    world.must(&[world.claim_compensation(&payer.pubkey(), &failed)], &[payer]);
    world.warp_secs(world.config().params.unbonding_secs);
    for number in 0..2 {
        let claim = pda::claim(&cluster.sellers[0].0.provider, number);
        world.must(&[world.pay_claim(&claim)], &[payer]);
    }
    world.record
}

/// A lease both sides ended, and one of a job cancelled short.
fn ends_together() -> Record {
    let mut world = World::new();
    let deal = world.deal();
    world.warp_secs(100);
    let mutual = world.settle_mutual(&deal.buyer, &deal.seller.operator, &deal.lease, 50);
    world.must(&[mutual], &[&deal.buyer.authority, &deal.seller.operator]);
    let mut short = World::new();
    let cluster = short.cluster_bid_for(guaranteed_args(2, 0));
    short.award_next(&cluster, 0);
    let award_by = short.read::<Job>(&cluster.job).award_by;
    short.warp_to(award_by);
    let payer = &cluster.buyer.authority;
    short.must(&[ix::cancel_job(&payer.pubkey(), &cluster.buyer, &cluster.job)], &[payer]);
    short.must(&[short.unwind_lease(&cluster.lease(0))], &[payer]);
    world.record.merge(&short.record);
    world.record
}

/// Sixteen nodes of one site in one bid, before another site's worse one.
fn site() -> Record {
    let mut world = World::new();
    let sites = ["first site", "second site"].map(|name| {
        let seller = world.provider(name, 10_000 * MILL);
        let nodes: Vec<Pubkey> = (0..16).map(|_| world.verified_node(&seller, NodeSpec::default())).collect();
        (seller, nodes)
    });
    let buyer = world.customer("buyer", 100 * MILL);
    let job = world.post(&buyer, cluster_args(16, 0, millrace::state::Topology::SameSite));
    for ((seller, nodes), per_sec) in sites.iter().zip([BID_PER_SEC, BID_PER_SEC - 1]) {
        let args = PlaceBidArgs { per_sec, may_stand_by: false };
        world.must(&[ix::place_site_bid(seller, nodes, &job, args)], &[&seller.operator]);
    }
    world.record
}

/// Fills the market with open jobs of other customers: copies of a real one at other addresses.
fn crowd(world: &mut World, jobs: usize) {
    if jobs == 0 {
        return;
    }
    let other = world.customer("other", 100 * MILL);
    let job = world.post(&other, job_args());
    let account = world.svm.get_account(&job).expect("the job was just posted");
    for n in 1..jobs {
        let address = tokens::named(&format!("job {n}"));
        world.svm.set_account(address, account.clone()).expect("LiteSVM takes the account");
        world.rewrite::<Job>(&address, |job| (job.id, job.reserve_amount) = (n as u64, 0));
    }
    world.rewrite::<Customer>(&other.customer, |customer| customer.open_jobs = jobs as u32);
    assert_eq!(world.all::<Job>().len(), jobs);
}

/// Settles by a leaf a hundred seconds deep in a tree of a million.
fn deep_settlement(world: &mut World, lease: &Pubkey, status: LeaseStatus) -> Instruction {
    let leaf = world.lease_leaf(lease, 100, status);
    let report = world.report_deep(leaf.tree_node(), MILLION_LEAVES_LEVELS);
    ix::settle_lease(world, lease, World::settle_args(&report, &leaf))
}

/// Genesis with every seat taken, and the report of all of them.
fn genesis() -> Record {
    let mut world = World::at(Genesis { weights: vec![1; MAX_SEATS], ..Genesis::default() });
    world.report(&[[1; 24]]);
    world.latched_beacon();
    world.record
}

fn provider_and_node() -> Record {
    let mut world = World::new();
    let seller = world.provider("seller", 1_000 * MILL);
    let node = world.node(&seller, &NodeSpec::default());
    let leaf = NodeSpec::default().passed(&node, world.epoch(), world.now());
    let report = world.report_deep(leaf.tree_node(), MILLION_LEAVES_LEVELS);
    let (index, path) = report.proof(0);
    let args = ApplyAuditArgs { epoch: report.epoch, index, leaf: leaf.to_bytes(), path };
    world.must(&[ix::apply_audit(&node, args)], &[&seller.operator]);
    world.must(&[ix::set_ask(&seller.operator.pubkey(), &seller.provider, &node, 200)], &[&seller.operator]);
    world.must(&[ix::drain(&seller.operator.pubkey(), &seller.provider, &node, true)], &[&seller.operator]);
    let endpoint = genesis::endpoint("https://a-long-name.of-an-agent.example.com:9200/with/a/path/as/long/as/a/field");
    let terms = SetTermsArgs { endpoint, tls_spki_hash: [1; 32], max_bonds_amount: MILL, min_bid_per_sec: 1 };
    world.must(&[ix::set_terms(&seller, terms)], &[&seller.authority]);
    world.must(&[ix::retire(&seller, &node)], &[&seller.authority]);
    world.warp_secs(world.config().params.judged_within_secs());
    world.must(&[ix::close_node(&world, &node)], &[&seller.operator]);
    world.warp_epochs(FRAUD_WINDOW_EPOCHS + 1);
    world.must(&[ix::set_operator(&seller, &Pubkey::new_unique())], &[&seller.authority]);
    world.record
}

/// Stake out in eight parts, and the account closed.
fn stake_in_motion() -> Record {
    let mut world = World::new();
    let seller = world.provider("seller", 800 * MILL);
    for _ in 0..8 {
        world.must(&[ix::begin_unstake(&seller, 100 * MILL)], &[&seller.authority]);
    }
    world.warp_secs(world.config().params.unbonding_secs);
    world.rewrite::<Provider>(&seller.provider, |provider| provider.earned = 1);
    world.send_stray_tokens(&seller.vault, 2);
    world.must(&[ix::withdraw(&world, &seller)], &[&seller.authority]);
    world.must(&[ix::close_provider(&world, &seller)], &[&seller.authority]);
    world.record
}

/// The life of a job, its bid the last of a full leaderboard's, and its customer's end.
fn life_alone() -> Record {
    let mut world = World::new();
    let deal = world.parties();
    let rivals = ["second", "third"].map(|name| {
        let seller = world.provider(name, 1_000 * MILL);
        let node = world.verified_node(&seller, NodeSpec::default());
        (seller, node)
    });
    let authority = &deal.buyer.authority;
    world.post(&deal.buyer, job_args());
    for ((seller, node), per_sec) in rivals.iter().zip([800, 900]) {
        world.bid(seller, node, &deal.job, per_sec);
    }
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    let (evicted, evicted_node) = &rivals[1];
    world.must(&[ix::release_bid(evicted, evicted_node, &deal.job)], &[authority]);
    world.end_bidding(&deal.job);
    world.award(&deal);
    world.warp_secs(100);
    let settle = deep_settlement(&mut world, &deal.lease, LeaseStatus::Completed);
    world.must(&[settle], &[authority]);
    let accept = ix::accept_result(&world, &authority.pubkey(), &deal.lease);
    world.must(&[accept], &[authority]);
    world.must(&[ix::sweep_fees(&world, &deal.buyer), ix::close_job(&world, &deal.job)], &[authority]);
    let free = world.read::<millrace::state::Customer>(&deal.buyer.customer).free;
    world.must(&[ix::withdraw_customer(&world, &deal.buyer, free)], &[authority]);
    world.send_stray_tokens(&deal.buyer.vault, 1);
    world.must(&[ix::close_customer(&world, &deal.buyer)], &[authority]);
    world.record
}

/// A lease stopped, ended and closed without its customer; and a job cancelled.
fn other_ends() -> Record {
    let mut world = World::new();
    let deal = world.deal();
    world.warp_secs(100);
    world.must(&[ix::stop_lease(&deal.buyer, &deal.lease)], &[&deal.buyer.authority]);
    let settle = deep_settlement(&mut world, &deal.lease, LeaseStatus::Stopped);
    world.must(&[settle], &[&deal.seller.operator]);
    world.warp_secs(world.config().params.dispute_window_secs);
    let close = ix::close_lease(&world, &deal.seller.operator.pubkey(), &deal.lease);
    world.must(&[close], &[&deal.seller.operator]);
    let mut cancelled = World::new();
    let deal = cancelled.posted();
    let cancel = ix::cancel_job(&deal.buyer.authority.pubkey(), &deal.buyer, &deal.job);
    cancelled.must(&[cancel], &[&deal.buyer.authority]);
    world.record.merge(&cancelled.record);
    world.record
}

/// A lease left because the oracles were silent.
fn silence() -> Record {
    let mut world = World::new();
    let deal = world.deal();
    world.warp_secs(world.config().params.oracle_outage_secs);
    let exit = ix::exit_lease(&world, &deal.seller.operator.pubkey(), &deal.lease);
    world.must(&[exit], &[&deal.seller.operator]);
    world.record
}

/// A bid that was not kept.
fn broken_bid() -> Record {
    let mut world = World::new();
    let deal = world.parties();
    world.post(&deal.buyer, PostJobArgs { bidding_secs: 1, ..job_args() });
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.end_bidding(&deal.job);
    world.rewrite::<Node>(&deal.node, |node| node.draining = 1);
    let drop =
        ix::drop_broken_bid(&world, &deal.seller.operator.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.must(&[drop], &[&deal.seller.operator]);
    world.record
}

/// The dearest entry and the largest proof there are, a false seed, and the slash.
fn fraud() -> Record {
    let mut world = World::new();
    let accusation = world.accusation();
    prove_entries(&mut world, &accusation, MAX_N, MAX_ROUNDS);
    let task = world.audit(&accusation.node, MAX_N, MAX_ROUNDS);
    let run = run_with_full_bump(&task, |task| SparseRun::with_false_seed(task, MAX_ROUNDS - 1));
    let case = world.accuse(&accusation, &run.commit);
    let link = prove_link(&accusation.watcher.pubkey(), &case, run.link_proof(MAX_ROUNDS - 1));
    world.must(&[link], &[&accusation.watcher]);
    world.must(&[execute_slash(&world, &case)], &[&accusation.watcher]);
    world.warp_secs(world.config().params.judged_within_secs());
    world.warp_epochs(FRAUD_WINDOW_EPOCHS + 1);
    world.must(&[fraud::close_case(&world, &case)], &[&accusation.watcher]);
    world.record
}

/// Proves one wrong entry of a run of this size.
fn prove_entries(world: &mut World, accusation: &fraud::Accusation, n: u32, rounds: u32) {
    let task = world.audit(&accusation.node, n, rounds);
    let run = run_with_full_bump(&task, |task| SparseRun::new(task, &[], Value::Wrong));
    let case = world.accuse(accusation, &run.commit);
    world.prove(accusation, &case, run.entry_proof(rounds - 1));
}

/// A run whose case has bump 255: the nonce decides.
fn run_with_full_bump(task: &Task, make: impl Fn(&Task) -> SparseRun) -> SparseRun {
    let runs = (0..=u8::MAX).map(|nonce| make(&Task { nonce: [nonce; 32], ..*task }));
    let has_full_bump = |run: &SparseRun| {
        let seeds: [&[u8]; 2] = [millrace::constants::FRAUD_SEED, &run.commit.id()];
        Pubkey::find_program_address(&seeds, &millrace::ID).1 == 255
    };
    runs.into_iter().find(has_full_bump).expect("a half of all nonces will do")
}

/// Two commits for one piece of work, their penalty behind as many other nodes as a transaction carries, and the oracle
/// that passed one of them.
fn reach() -> Record {
    let mut world = World::new();
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 256, 1);
    world.warp_to_next_epoch();
    let next_beacon = world.latched_beacon();
    let asked = |run: &SparseRun| {
        let Commit { super_root, n, rounds, .. } = run.commit;
        (0..QUERIES as u16).find(|i| query(&super_root, &next_beacon, u32::from(*i), n, rounds) == FIRST_ENTRY)
    };
    let runs = (0..=u16::MAX).map(|nonce| {
        let [low, high] = nonce.to_le_bytes();
        let mut bytes = [high; 32];
        bytes[0] = low;
        SparseRun::new(&Task { nonce: bytes, ..task }, &[], Value::Wrong)
    });
    let (run, query) =
        runs.into_iter().find_map(|run| asked(&run).map(|i| (run, i))).expect("one nonce in hundreds does");
    let leaf = NodeLeaf {
        super_root: run.commit.super_root,
        ..NodeSpec::default().passed(&accusation.node, task.epoch, world.now())
    };
    let report = world.report_deep(leaf.tree_node(), MILLION_LEAVES_LEVELS);
    let other = Commit { super_root: [9; 24], ..run.commit };
    let cases = [run.commit, other].map(|commit| world.accuse(&accusation, &commit));
    world.prove(&accusation, &cases[0], run.entry_proof(0));
    let watcher = &accusation.watcher;
    world.must(&[client::prove_double_commit(&watcher.pubkey(), &cases[0], &cases[1])], &[watcher]);
    let seller = &accusation.seller;
    world.must(&[ix::retire(seller, &accusation.node)], &[&seller.authority]);
    world.must(&[ix::stake(&world, seller, 1_000 * MILL)], &[&seller.authority]);
    let smallest = NodeSpec { gops: 1, ..NodeSpec::default() };
    let others: Vec<Pubkey> = (0..19).map(|_| world.node(seller, &smallest)).collect();
    let free = world.read::<Provider>(&seller.provider).free_stake();
    world.rewrite::<Provider>(&seller.provider, |provider| {
        (provider.locked, provider.lease_bonds) = (provider.stake, free);
    });
    for node in &others {
        world.rewrite::<Node>(node, |node| node.locked_stake = 1);
    }
    world.must(&[fraud::execute_slash_with(&world, &cases[0], &others)], &[watcher]);
    let oracle = pda::oracle(&world.oracles[0].pubkey());
    let vault = world.put_tokens("oracle's stake", &oracle, MILL);
    world.rewrite::<Oracle>(&oracle, |it| (it.vault, it.stake) = (vault, MILL));
    let ApplyAuditArgs { epoch, index, leaf, path } = judged::audit_args(&report, &leaf);
    let args = SlashOracleArgs { epoch, index, leaf, path, query, entry: 0 };
    let state = world.read::<FraudCase>(&cases[0]);
    let slash = client::slash_oracle(&cases[0], &state, &oracle, &world.market(), args);
    world.must(&[ix::swap(slash, &pda::vault(&oracle), &vault)], &[watcher]);
    world.record
}

/// What [`SparseRun`] commits in its first round.
const FIRST_ENTRY: Query = Query { round: 0, row: 0, col: 0 };

/// A charge with the longest path and other nodes, its end, and a downgrade.
fn judgement() -> Record {
    let mut world = World::new();
    let accusation = world.accusation();
    let (seller, watcher) = (&accusation.seller, &accusation.watcher);
    world.warp_to_next_epoch();
    let others: Vec<Pubkey> = (0..4).map(|_| world.node(seller, &NodeSpec::default())).collect();
    let leaf = NodeLeaf {
        verdict: Verdict::Withheld,
        ..NodeSpec::default().passed(&accusation.node, world.epoch(), world.now())
    };
    let report = world.report_deep(leaf.tree_node(), MILLION_LEAVES_LEVELS);
    let market = world.market();
    let state = world.read::<Node>(&accusation.node);
    let args = judged::audit_args(&report, &leaf);
    let downgrade = client::apply_downgrade(&accusation.node, &state, &accusation.bounty_account, &market, args);
    world.must(&[downgrade], &[watcher]);
    let charge = world.charge(&accusation, &report, &leaf, &others);
    world.must(&[charge], &[watcher]);
    let case = millrace_client::pda::slash_case(&seller.provider, 0);
    world.warp_secs(world.config().params.appeal_window_secs);
    world.must(&[world.judged_execution(&case)], &[watcher]);
    world.must(&[world.judged_closing(&case)], &[watcher]);
    world.must(&[ix::stake(&world, seller, 100 * MILL)], &[&seller.authority]);
    let relock = client::relock_node(&seller.authority.pubkey(), &seller.provider, &accusation.node);
    world.must(&[relock], &[&seller.authority]);
    world.record
}

/// Another cold key.
fn keys() -> Record {
    let mut world = World::new();
    let seller = world.provider("seller", MILL);
    let next = world.stranger("next owner");
    let propose = client::propose_authority(&seller.authority.pubkey(), &seller.provider, &next.pubkey());
    world.must(&[propose], &[&seller.authority]);
    world.must(&[client::accept_authority(&next.pubkey(), &seller.provider)], &[&next]);
    world.record
}

/// A dispute upheld with a bond to claim, one dismissed, and one nobody judged.
fn disputes() -> Record {
    let mut record = Record::default();
    for uphold in [Some(true), Some(false), None] {
        let mut world = World::new();
        let deal = world.bonded(100, MILL);
        let caller = deal.seller.operator.insecure_clone();
        world.disputed(&deal);
        match uphold {
            Some(uphold) => (0..2).for_each(|seat| {
                world.judge(&deal, seat, uphold);
            }),
            None => {
                world.warp_secs(world.config().params.dispute_vote_secs);
                world.must(&[ix::lapse_dispute(&deal.lease)], &[&caller]);
            }
        }
        world.warp_secs(world.config().params.appeal_window_secs);
        world.must(&[world.resolution(&deal, &caller.pubkey())], &[&caller]);
        record.merge(&world.record);
    }
    record
}

/// An oracle's stake in and out, its pay by a leaf deep in a tree of a million, and its end.
fn oracle_money() -> Record {
    let mut world = World::new();
    let tokens = world.staked_oracle(0, MILL);
    let (key, oracle) = (world.oracles[0].insecure_clone(), world.oracle_of(0));
    world.fill_pool(MILL);
    let leaf = world.oracle_leaf(0, 3);
    let report = world.report_deep(leaf.tree_node(), MILLION_LEAVES_LEVELS);
    world.must(&[world.count(&report, 0, &leaf)], &[&key]);
    world.warp_epochs(world.config().params.reward_period_epochs);
    world.must(&[ix::claim_reward(&oracle, &tokens, &world.market())], &[&key]);
    world.remove_seat(0);
    world.must(&[ix::begin_oracle_unstake(&key.pubkey(), MILL)], &[&key]);
    world.warp_secs(world.config().params.unbonding_secs);
    world.must(&[ix::withdraw_oracle(&key.pubkey(), &tokens, &world.market())], &[&key]);
    world.send_stray_tokens(&pda::vault(&oracle), 1);
    let state = world.read::<millrace::state::Oracle>(&oracle);
    world.must(&[ix::close_oracle(&oracle, &state, &world.market())], &[&key]);
    world.record
}

/// Locks, a proposal of every kind but the upgrade, votes, execution, and the guardian.
fn votes() -> Record {
    let mut world = World::new();
    let guardian = world.stranger("guardian");
    let voter = world.voter("voter", VOTES);
    let own = voter.key.pubkey();
    let params = world.config().params;
    let (fourth, second) = (key("fourth").pubkey(), world.oracles[1].pubkey());
    let endpoint =
        genesis::endpoint("https://a-long-name.of-an-oracle.example.com:9100/with/a/path/as/long/as/a/field");
    let seat = SeatOracleArgs { oracle_authority: fourth, weight: 1, endpoint };
    let seller = world.provider("seller", 100 * MILL);
    world.rewrite::<Provider>(&seller.provider, |it| (it.stake, it.frozen) = (70 * MILL, 30 * MILL));
    let appeal_until = world.now() + 600;
    let case = SlashCase { provider: seller.provider, frozen_amount: 30 * MILL, appeal_until, ..SlashCase::zeroed() };
    let case = world.put_state("case", &case);
    let dispute = Dispute { ruling: Ruling::Upheld as u8, appeal_until, ..Dispute::zeroed() };
    let dispute = world.put_state("dispute", &dispute);

    let more = world.extend_lock(&voter, 1, params.max_lock_secs);
    world.must(&[more], &[&voter.key]);
    world.warp_secs(1);
    use ProposalKind::*;
    let update = world.propose(&voter, UpdateParams, &NO_TARGET, &params);
    let slash = world.propose(&voter, OverturnSlash, &case, &());
    let ruling = world.propose(&voter, OverturnRuling, &dispute, &());
    let name = world.propose(&voter, SetGuardian, &NO_TARGET, &guardian.pubkey());
    let pay = world.propose(&voter, TreasuryTransfer, &voter.tokens, &1u64);
    let add = world.propose(&voter, AddOracle, &NO_TARGET, &seat);
    let remove = world.propose(&voter, RemoveOracle, &NO_TARGET, &second);
    world.cast(&voter, &update, true);
    // Of the votes only the first has bump 255.
    let extent = world.record.extents["vote"];
    for proposal in [slash, ruling, name, pay, add, remove] {
        world.cast(&voter, &proposal, true);
    }
    world.record.extents.insert("vote".into(), extent);
    world.send_stray_tokens(&world.treasury.clone(), 1);
    world.warp_to(world.read::<Proposal>(&pay).eta);
    let calls = [
        client::execute_params(&update),
        client::execute_overturn_slash(&slash, &case, &seller.provider),
        client::execute_overturn_ruling(&ruling, &dispute),
        client::execute_guardian(&name),
        client::execute_transfer(&pay, &voter.tokens, &world.market()),
    ];
    for call in calls {
        world.must(&[call], &[&voter.key]);
    }
    world.warp_epochs(2);
    world.must(&[client::activate_params()], &[&voter.key]);
    world.must(&[client::pause(&guardian.pubkey(), 1)], &[&guardian]);
    world.must(&[client::unpause(&guardian.pubkey())], &[&guardian]);
    world.warp_to(world.read::<Proposal>(&remove).eta);
    world.must(&[client::execute_add_oracle(&own, &add, &fourth, &world.market())], &[&voter.key]);
    world.must(&[client::execute_remove_oracle(&remove, &second)], &[&voter.key]);
    for proposal in [update, slash, ruling, name, pay, add, remove] {
        let close = [world.close_vote(&proposal, &voter), world.close_proposal(&proposal, &voter)];
        world.must(&close, &[&voter.key]);
    }
    world.send_stray_tokens(&voter.vault, 1);
    let sweep = client::sweep_surplus(&voter.lock, &world.market());
    world.must(&[sweep], &[&voter.key]);
    world.warp_secs(params.max_lock_secs);
    world.send_stray_tokens(&voter.vault, 1);
    let unlock = world.unlock_votes(&voter);
    world.must(&[unlock], &[&voter.key]);
    world.record
}

/// An upgrade that passed, to the program itself, and one that did not.
fn upgrade() -> Record {
    let mut world = World::new();
    let voter = world.voter("voter", VOTES);
    let own = voter.key.pubkey();
    // The loader wants whole programs; what it costs does not depend on which.
    let program = world.svm.get_account(&pda::program_data()).expect("the program is deployed").data[45..].to_vec();
    let buffers = ["first", "second"].map(|name| world.put_buffer(name, &own, &program));
    for (id, buffer) in buffers.iter().enumerate() {
        let market = world.market();
        let make = client::propose_upgrade(&own, &voter.tokens, &market, id as u64, buffer, [0; 32]);
        world.must(&[make], &[&voter.key]);
    }
    world.cast(&voter, &pda::proposal(0), true);
    world.cast(&voter, &pda::proposal(1), false);
    let state = world.read::<Proposal>(&pda::proposal(0));
    world.warp_to(state.voting_ends_at);
    world.must(&[client::return_buffer(&pda::proposal(1), &buffers[1], &own)], &[&voter.key]);
    world.warp_to(state.eta);
    world.must(&[client::execute_upgrade(&pda::proposal(0), &buffers[0], &own)], &[&voter.key]);
    world.record
}
