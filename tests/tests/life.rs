//! Whole lives of jobs, with every base unit accounted for.

use anchor_lang::error::ErrorCode;
use anchor_lang::prelude::system_program;
use millrace::state::{Customer, Provider};
use millrace_core::leaves::LeaseStatus;
use millrace_core::money::split_fee;
use millrace_tests::*;

/// Where all the money of a market is, base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ledger {
    buyer: u64,
    buyer_vault: u64,
    seller: u64,
    seller_vault: u64,
    oracle_pool: u64,
    treasury: u64,
    supply: u64,
}

impl Ledger {
    fn of(world: &World, deal: &Deal) -> Self {
        Self {
            buyer: world.tokens(&deal.buyer.tokens),
            buyer_vault: world.tokens(&deal.buyer.vault),
            seller: world.tokens(&deal.seller.tokens),
            seller_vault: world.tokens(&deal.seller.vault),
            oracle_pool: world.tokens(&world.oracle_pool),
            treasury: world.tokens(&world.treasury),
            supply: world.supply(),
        }
    }

    fn held(&self) -> u64 {
        self.buyer + self.buyer_vault + self.seller + self.seller_vault + self.oracle_pool + self.treasury
    }
}

#[test]
fn a_whole_life_accounts_for_every_base_unit() {
    for standard in [TokenStandard::Token, TokenStandard::Token2022] {
        let mut world = World::at(Genesis { standard, ..Genesis::default() });
        let deal = world.bid_for();
        let began = Ledger::of(&world, &deal);
        world.assert_books();
        world.award(&deal);
        world.assert_books();
        world.warp_secs(500);
        world.settle(&deal.lease, 487, LeaseStatus::Running);
        world.assert_books();
        world.warp_secs(600);
        world.settle(&deal.lease, 1_003, LeaseStatus::Completed);
        world.assert_books();
        let accept = ix::accept_result(&world, &deal.buyer.authority.pubkey(), &deal.lease);
        world.must(&[accept], &[&deal.buyer.authority]);
        world.assert_books();
        let end = [ix::sweep_fees(&world, &deal.buyer), ix::close_job(&world, &deal.job)];
        world.must(&end, &[&deal.buyer.authority]);
        world.assert_books();

        // 1,003 s at 700, 5% on top; of the fee half burns, 30% goes to the oracles, 20% to the treasury.
        let gross = 702_100;
        let fee = 35_105;
        let split = split_fee(fee, 3_000, 2_000).unwrap();
        assert_eq!((split.burn_amount, split.oracle_amount, split.treasury_amount), (17_553, 10_531, 7_021));
        let ended = Ledger::of(&world, &deal);
        let wanted = Ledger {
            buyer_vault: began.buyer_vault - gross - fee,
            seller_vault: began.seller_vault + gross,
            oracle_pool: began.oracle_pool + split.oracle_amount,
            treasury: began.treasury + split.treasury_amount,
            supply: began.supply - split.burn_amount,
            ..began
        };
        assert_eq!(ended, wanted, "{standard:?}");
        assert_eq!(began.held() - ended.held(), began.supply - ended.supply, "what is gone was burned");

        let customer = world.read::<Customer>(&deal.buyer.customer);
        let held = [customer.reserved, customer.holdbacks, customer.fee_due];
        assert_eq!(held, [0, 0, 0], "nothing of the job is left in the books");
        assert_eq!((customer.free, customer.open_jobs), (100 * MILL - gross - fee, 0));
        assert_eq!((customer.paid, customer.burned), (gross, split.burn_amount));
        let provider = world.read::<Provider>(&deal.seller.provider);
        assert_eq!((provider.earned, provider.completions, provider.bonds), (gross, 1, 0));

        // Both take their money home.
        world.must(&[ix::withdraw_customer(&world, &deal.buyer, customer.free)], &[&deal.buyer.authority]);
        world.must(&[ix::withdraw(&world, &deal.seller)], &[&deal.seller.authority]);
        world.must(&[ix::close_customer(&world, &deal.buyer)], &[&deal.buyer.authority]);
        let home = Ledger::of(&world, &deal);
        assert_eq!((home.buyer, home.buyer_vault), (began.buyer + customer.free, 0));
        assert_eq!(home.seller, began.seller + gross);
        world.assert_books();
    }
}

#[test]
fn every_transaction_of_a_life_sent_again_changes_nothing() {
    let mut world = World::new();
    let deal = world.parties();
    let (buyer, seller) = (&deal.buyer.authority, &deal.seller.operator);
    let mut sent = Vec::new();
    let mut go = |world: &mut World, instruction: Instruction, signer: &Keypair| {
        world.must(std::slice::from_ref(&instruction), &[signer]);
        sent.push((instruction, signer.insecure_clone()));
    };
    go(&mut world, ix::post_job(&deal.buyer, 0, job_args()), buyer);
    go(&mut world, ix::place_bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC), seller);
    world.end_bidding(&deal.job);
    go(&mut world, ix::award(&buyer.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job), buyer);
    for (secs, status) in [(60, LeaseStatus::Running), (120, LeaseStatus::Running), (180, LeaseStatus::Completed)] {
        world.warp_secs(60);
        let settlement = world.settlement(&deal.lease, secs, status);
        go(&mut world, settlement, buyer);
    }
    let accept = ix::accept_result(&world, &buyer.pubkey(), &deal.lease);
    go(&mut world, accept, buyer);
    let sweep = ix::sweep_fees(&world, &deal.buyer);
    go(&mut world, sweep, buyer);
    let close = ix::close_job(&world, &deal.job);
    go(&mut world, close, buyer);
    world.assert_books();

    let before = world.snapshot();
    // A fixed shuffle: every order a replayer likes must be as fruitless.
    for step in [1, 4, 7] {
        for n in 0..sent.len() {
            let (instruction, signer) = &sent[(n * step + step) % sent.len()];
            let outcome = world.send(std::slice::from_ref(instruction), &[signer]);
            assert!(outcome.is_err(), "a replayed instruction was accepted");
        }
    }
    assert!(before == world.snapshot(), "a replay changed an account");
}

#[test]
fn every_call_of_a_life_needs_the_accounts_that_carry_its_event() {
    let mut world = World::new();
    let deal = world.bid_for();
    let payer = &deal.buyer.authority;
    let stranger = world.stranger("stranger");
    let award = ix::award(&payer.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    let calls = [
        (ix::post_job(&deal.buyer, 1, job_args()), payer),
        (award.clone(), payer),
        (ix::cancel_job(&payer.pubkey(), &deal.buyer, &deal.job), payer),
        (ix::deposit(&world, &deal.buyer, MILL), payer),
        (ix::withdraw_customer(&world, &deal.buyer, MILL), payer),
    ];
    for (call, signer) in calls {
        let other_authority = ix::swap(call.clone(), &pda::event_authority(), &stranger.pubkey());
        world.assert_refused(&[other_authority], &[signer], ErrorCode::ConstraintAddress);
        let mut other_program = call.clone();
        let last = other_program.accounts.last_mut().expect("the program comes last");
        last.pubkey = stranger.pubkey();
        let refusal = world.send(&[other_program], &[signer]).expect_err("the program cannot call itself");
        let wanted = "An account required by the instruction is missing";
        assert!(refusal.error.to_string().ends_with(wanted), "want {wanted}, got {}", refusal.error);
    }
    let other_system = ix::swap(award, &system_program::ID, &stranger.pubkey());
    world.assert_refused(&[other_system], &[payer], ErrorCode::InvalidProgramId);
}

#[test]
fn strangers_tokens_break_no_invariant() {
    let mut world = World::new();
    let deal = world.parties();
    for vault in [deal.buyer.vault, deal.seller.vault, world.oracle_pool, world.treasury] {
        world.send_stray_tokens(&vault, 1);
    }
    world.post(&deal.buyer, job_args());
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.end_bidding(&deal.job);
    world.award(&deal);
    world.warp_secs(100);
    world.settle(&deal.lease, 100, LeaseStatus::Completed);
    let accept = ix::accept_result(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    world.must(&[accept], &[&deal.buyer.authority]);
    let end = [ix::sweep_fees(&world, &deal.buyer), ix::close_job(&world, &deal.job)];
    world.must(&end, &[&deal.buyer.authority]);
    world.assert_books();
    let free = world.read::<Customer>(&deal.buyer.customer).free;
    world.must(&[ix::withdraw_customer(&world, &deal.buyer, free)], &[&deal.buyer.authority]);
    assert_eq!(world.tokens(&deal.buyer.vault), 1, "the stray token is nobody's");
    world.must(&[ix::close_customer(&world, &deal.buyer)], &[&deal.buyer.authority]);
}

#[test]
fn two_jobs_of_one_customer_share_its_vault_and_not_their_money() {
    let mut world = World::new();
    let deal = world.parties();
    let second_node = world.verified_node(&deal.seller, NodeSpec::default());
    let first = world.post(&deal.buyer, job_args());
    let second = world.post(&deal.buyer, job_args());
    world.bid(&deal.seller, &deal.node, &first, 600);
    world.bid(&deal.seller, &second_node, &second, 900);
    world.end_bidding(&second);
    let payer = &deal.buyer.authority;
    for (node, job) in [(deal.node, first), (second_node, second)] {
        world.must(&[ix::award(&payer.pubkey(), &deal.buyer, &deal.seller, &node, &job)], &[payer]);
    }
    world.assert_books();
    world.warp_secs(100);
    let leases = (pda::lease(&first, 0), pda::lease(&second, 0));
    let found = (
        world.lease_leaf(&leases.0, 100, LeaseStatus::Completed),
        world.lease_leaf(&leases.1, 100, LeaseStatus::NodeFailed),
    );
    let report = world.report(&[found.0.tree_node(), found.1.tree_node()]);
    for (nth, (lease, leaf)) in [(leases.0, found.0), (leases.1, found.1)].into_iter().enumerate() {
        let (index, path) = report.proof(nth);
        let args = millrace::instructions::SettleLeaseArgs { epoch: report.epoch, index, leaf: leaf.to_bytes(), path };
        world.must(&[ix::settle_lease(&world, &lease, args)], &[payer]);
        world.assert_books();
    }
    // One job waits for its dispute window; the other closes all the same, once the fees of both are swept.
    world.must(&[ix::accept_result(&world, &payer.pubkey(), &leases.0)], &[payer]);
    world.must(&[ix::sweep_fees(&world, &deal.buyer), ix::close_job(&world, &first)], &[payer]);
    world.assert_books();
    let customer = world.read::<Customer>(&deal.buyer.customer);
    assert_eq!((customer.open_jobs, customer.reserved, customer.holdbacks), (1, 0, 9_000));
    assert_eq!(customer.free, 100 * MILL - 100 * (600 + 900) * 105 / 100);
}
