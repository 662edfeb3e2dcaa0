//! Providers: what stake may do, when it leaves, and which key may say so.

use anchor_lang::error::ErrorCode;
use millrace::constants::MAX_UNBONDING;
use millrace::events::{OperatorSet, ProviderClosed, ProviderRegistered, Staked, TermsSet, UnstakeBegun, Withdrawn};
use millrace::instructions::{RegisterProviderArgs, SetTermsArgs};
use millrace::state::{Provider, ProviderStatus};
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_core::reliability::RELIABILITY_FLOOR_BPS;
use millrace_tests::genesis::endpoint;
use millrace_tests::parties::{provider_args, POCKET};
use millrace_tests::tokens::good_mint;
use millrace_tests::{
    ix, key, pda, Genesis, Instruction, MillraceError, NodeSpec, Pubkey, Seller, Signer, TokenStandard, World, MILL,
};

/// The system program's refusal to create an account twice.
const ALREADY_IN_USE: u32 = 0;
/// The token program's refusal to overdraw.
const INSUFFICIENT_FUNDS: u32 = 1;

const STAKE: u64 = 1_000 * MILL;

fn market() -> (World, Seller) {
    let mut world = World::new();
    let seller = world.provider("seller", STAKE);
    (world, seller)
}

fn unbonding_secs(world: &World) -> i64 {
    world.config().params.unbonding_secs
}

/// A token account of another mint, owned by `owner`.
fn foreign_tokens(world: &mut World, owner: &Pubkey) -> Pubkey {
    let mint = world.put_mint("other mint", good_mint(), TokenStandard::Token, &[]);
    world.put_token_account("foreign", owner, &mint, TokenStandard::Token, 5_000 * MILL)
}

// register_provider

fn register(world: &World, seller: &Seller) -> Instruction {
    ix::register_provider(world, &seller.authority.pubkey(), provider_args(&seller.operator.pubkey()))
}

#[test]
fn a_provider_starts_at_the_floor_with_an_empty_vault() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    let receipt = world.must(&[register(&world, &seller)], &[&seller.authority]);

    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.version, provider.status), (1, ProviderStatus::Active as u8));
    assert_eq!((provider.authority, provider.operator), (seller.authority.pubkey(), seller.operator.pubkey()));
    assert_eq!((provider.vault, provider.rent_payer), (seller.vault, seller.authority.pubkey()));
    assert_eq!(provider.reliability_bps, RELIABILITY_FLOOR_BPS);
    assert_eq!((provider.stake, provider.locked, provider.earned), (0, 0, 0));
    assert_eq!((provider.max_bonds_amount, provider.min_bid_per_sec), (1_000_000 * MILL, 1));
    assert_eq!(world.tokens(&seller.vault), 0);

    let event: ProviderRegistered = receipt.event();
    assert_eq!((event.sequence, event.provider), (1, seller.provider));
    assert!(receipt.cu <= 20_000, "registering costs {} units", receipt.cu);
}

#[test]
fn a_key_registers_once() {
    let (mut world, seller) = market();
    let again = register(&world, &seller);
    world.assert_refused(&[again], &[&seller.authority], ALREADY_IN_USE);
}

#[test]
fn lamports_sent_ahead_do_not_block_a_registration() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    world.svm.airdrop(&seller.provider, 1_000_000).unwrap();
    world.svm.airdrop(&seller.vault, 1_000_000_000).unwrap();
    world.must(&[register(&world, &seller)], &[&seller.authority]);
    assert_eq!(world.read::<Provider>(&seller.provider).authority, seller.authority.pubkey());
}

#[test]
fn an_endpoint_is_an_http_url() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    let mut not_ascii = endpoint("http://agent");
    not_ascii[9] = 0xff;
    let mut behind_the_end = endpoint("http://agent");
    behind_the_end[90] = b'x';
    for wrong in
        [endpoint(""), endpoint("http://"), endpoint("ftp://agent"), endpoint("http://a b"), not_ascii, behind_the_end]
    {
        let args = RegisterProviderArgs { endpoint: wrong, ..provider_args(&seller.operator.pubkey()) };
        let attempt = ix::register_provider(&world, &seller.authority.pubkey(), args);
        world.assert_refused(&[attempt], &[&seller.authority], MillraceError::BadEndpoint);
    }
}

#[test]
fn a_vault_is_of_the_markets_mint() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    let other = world.put_mint("other mint", good_mint(), TokenStandard::Token, &[]);
    let attempt = ix::swap(register(&world, &seller), &world.mint, &other);
    world.assert_refused(&[attempt], &[&seller.authority], MillraceError::WrongMint);
}

#[test]
fn a_provider_lies_where_its_key_says() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    let elsewhere = pda::provider(&seller.operator.pubkey());
    for (from, to) in [(seller.provider, elsewhere), (seller.vault, pda::vault(&elsewhere))] {
        let attempt = ix::swap(register(&world, &seller), &from, &to);
        world.assert_refused(&[attempt], &[&seller.authority], ErrorCode::ConstraintSeeds);
    }
    let unsigned = ix::unsigned(register(&world, &seller), &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&seller.operator], ErrorCode::AccountNotSigner);
}

#[test]
fn no_unrelated_account_passes_for_one_of_a_provider_call() {
    let mut world = World::new();
    let newcomer = world.unregistered_provider("newcomer", 0);
    world.assert_no_account_is_replaceable(&register(&world, &newcomer), &[&newcomer.authority]);
    let empty = world.provider("empty", 0);
    world.assert_no_account_is_replaceable(&ix::close_provider(&world, &empty), &[&empty.authority]);

    let seller = world.provider("seller", STAKE);
    world.rewrite::<Provider>(&seller.provider, |provider| provider.earned = MILL);
    world.send_stray_tokens(&seller.vault, MILL);
    let calls = [
        ix::stake(&world, &seller, MILL),
        ix::begin_unstake(&seller, MILL),
        ix::withdraw(&world, &seller),
        ix::set_operator(&seller, &key("new operator").pubkey()),
        ix::set_terms(&seller, terms()),
    ];
    for call in calls {
        world.assert_no_account_is_replaceable(&call, &[&seller.authority]);
    }
}

// stake

#[test]
fn stake_is_what_arrived_in_the_vault() {
    for standard in [TokenStandard::Token, TokenStandard::Token2022] {
        let mut world = World::at(Genesis { standard, ..Genesis::default() });
        let seller = world.provider("seller", STAKE);
        let receipt = world.must(&[ix::stake(&world, &seller, 7)], &[&seller.authority]);
        let event: Staked = receipt.event();
        assert_eq!((event.sequence, event.amount, event.stake, event.locked), (3, 7, STAKE + 7, 0));
        assert_eq!(world.read::<Provider>(&seller.provider).stake, STAKE + 7);
        assert_eq!(world.tokens(&seller.vault), STAKE + 7);
        assert_eq!(world.tokens(&seller.tokens), POCKET - 7);
    }
}

#[test]
fn no_one_stakes_nothing_or_more_than_it_has() {
    let (mut world, seller) = market();
    world.assert_refused(&[ix::stake(&world, &seller, 0)], &[&seller.authority], MillraceError::ZeroAmount);
    world.assert_refused(&[ix::stake(&world, &seller, POCKET + 1)], &[&seller.authority], INSUFFICIENT_FUNDS);
}

#[test]
fn stake_takes_only_its_own_accounts() {
    let (mut world, seller) = market();
    let other = world.provider("other", STAKE);
    let foreign = foreign_tokens(&mut world, &seller.authority.pubkey());
    let foreign_mint = millrace_tests::tokens::named("other mint");
    let honest = ix::stake(&world, &seller, MILL);

    let cases = [
        (seller.authority.pubkey(), other.authority.pubkey(), MillraceError::WrongAuthority),
        (seller.provider, other.provider, MillraceError::WrongAuthority),
        (seller.vault, other.vault, MillraceError::WrongAccount),
        (seller.tokens, foreign, MillraceError::WrongMint),
        (world.mint, foreign_mint, MillraceError::WrongMint),
    ];
    for (from, to, error) in cases {
        let attempt = ix::swap(honest.clone(), &from, &to);
        let signer = if to == other.authority.pubkey() { &other.authority } else { &seller.authority };
        world.assert_refused(&[attempt], &[signer], error);
    }
    // Another's tokens: the token program asks for their owner's signature.
    let stolen = ix::swap(honest.clone(), &seller.tokens, &other.tokens);
    world.assert_refused(&[stolen], &[&seller.authority], 4u32);
    let unsigned = ix::unsigned(honest, &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
}

// begin_unstake and withdraw

#[test]
fn stake_leaves_after_the_unbonding_it_was_promised() {
    let (mut world, seller) = market();
    let began_at = world.now();
    let receipt = world.must(&[ix::begin_unstake(&seller, 300 * MILL)], &[&seller.authority]);
    let event: UnstakeBegun = receipt.event();
    assert_eq!(event.matures_at, began_at + unbonding_secs(&world));
    assert_eq!((event.stake, event.unbonding), (700 * MILL, 300 * MILL));

    // A longer unbonding decided later does not reach back.
    world.rewrite::<millrace::state::Config>(&pda::config(), |config| config.params.unbonding_secs *= 2);
    world.warp_to(event.matures_at - 1);
    world.assert_refused(&[ix::withdraw(&world, &seller)], &[&seller.authority], MillraceError::NothingToWithdraw);
    world.warp_secs(1);
    let receipt = world.must(&[ix::withdraw(&world, &seller)], &[&seller.authority]);
    let event: Withdrawn = receipt.event();
    assert_eq!((event.earned_amount, event.unbonded_amount, event.unbonding), (0, 300 * MILL, 0));
    assert_eq!(world.tokens(&seller.tokens), POCKET + 300 * MILL);
    assert_eq!(world.tokens(&seller.vault), 700 * MILL);
}

#[test]
fn only_free_stake_is_unstaked() {
    let (mut world, seller) = market();
    // 100 for the node and 10 for each of its ten thousand gops.
    world.node(&seller, &NodeSpec::default());
    let free = STAKE - 200 * MILL;
    world.assert_refused(&[ix::begin_unstake(&seller, free + 1)], &[&seller.authority], MillraceError::NotEnoughStake);
    world.must(&[ix::begin_unstake(&seller, free)], &[&seller.authority]);
    world.assert_refused(&[ix::begin_unstake(&seller, 1)], &[&seller.authority], MillraceError::NotEnoughStake);
    world.assert_refused(&[ix::begin_unstake(&seller, 0)], &[&seller.authority], MillraceError::ZeroAmount);
}

#[test]
fn eight_entries_unbond_at_once_and_a_withdrawal_makes_room() {
    let (mut world, seller) = market();
    for _ in 0..MAX_UNBONDING {
        world.must(&[ix::begin_unstake(&seller, MILL)], &[&seller.authority]);
        world.warp_secs(10);
    }
    world.assert_refused(&[ix::begin_unstake(&seller, MILL)], &[&seller.authority], MillraceError::UnbondingFull);

    let third = world.read::<Provider>(&seller.provider).unbonding[2];
    world.warp_to(third.matures_at);
    let event: Withdrawn = world.must(&[ix::withdraw(&world, &seller)], &[&seller.authority]).event();
    assert_eq!((event.unbonded_amount, event.unbonding), (3 * MILL, 5 * MILL));
    let provider = world.read::<Provider>(&seller.provider);
    let left: Vec<i64> = provider.unbonding_entries().iter().map(|entry| entry.matures_at - third.matures_at).collect();
    assert_eq!(left, [10, 20, 30, 40, 50]);
    world.must(&[ix::begin_unstake(&seller, MILL)], &[&seller.authority]);
}

#[test]
fn earnings_are_paid_at_once_even_in_jail() {
    let (mut world, seller) = market();
    let jailed_until = world.now() + 1_000_000;
    world.rewrite::<Provider>(&seller.provider, |provider| {
        provider.earned = 40 * MILL;
        provider.status = ProviderStatus::Jailed as u8;
        provider.jailed_until = jailed_until;
    });
    world.send_stray_tokens(&seller.vault, 40 * MILL);
    let event: Withdrawn = world.must(&[ix::withdraw(&world, &seller)], &[&seller.authority]).event();
    assert_eq!((event.earned_amount, event.unbonded_amount), (40 * MILL, 0));
    assert_eq!(world.tokens(&seller.tokens), POCKET + 40 * MILL);
    world.assert_refused(&[ix::withdraw(&world, &seller)], &[&seller.authority], MillraceError::NothingToWithdraw);
}

#[test]
fn strangers_tokens_are_nobodys_stake() {
    let (mut world, seller) = market();
    world.send_stray_tokens(&seller.vault, 1);
    world.assert_refused(&[ix::withdraw(&world, &seller)], &[&seller.authority], MillraceError::NothingToWithdraw);
    world.must(&[ix::stake(&world, &seller, 5)], &[&seller.authority]);
    assert_eq!(world.read::<Provider>(&seller.provider).stake, STAKE + 5);
}

#[test]
fn money_goes_only_to_the_authority() {
    let (mut world, seller) = market();
    let other = world.provider("other", STAKE);
    world.rewrite::<Provider>(&seller.provider, |provider| provider.earned = MILL);
    world.send_stray_tokens(&seller.vault, MILL);
    let foreign = foreign_tokens(&mut world, &seller.authority.pubkey());
    let honest = ix::withdraw(&world, &seller);
    let cases = [
        (seller.authority.pubkey(), other.authority.pubkey(), MillraceError::WrongAuthority),
        (seller.authority.pubkey(), seller.operator.pubkey(), MillraceError::WrongAuthority),
        (seller.provider, other.provider, MillraceError::WrongAuthority),
        (seller.vault, other.vault, MillraceError::WrongAccount),
        (seller.tokens, other.tokens, MillraceError::WrongAccount),
        (seller.tokens, foreign, MillraceError::WrongMint),
        (world.mint, millrace_tests::tokens::named("other mint"), MillraceError::WrongMint),
    ];
    for (from, to, error) in cases {
        let signers = [&seller.authority, &seller.operator, &other.authority];
        let attempt = ix::swap(honest.clone(), &from, &to);
        let signer = signers.into_iter().find(|key| attempt.accounts[0].pubkey == key.pubkey()).unwrap();
        world.assert_refused(&[attempt], &[signer], error);
    }
}

#[test]
fn only_the_cold_key_unstakes() {
    let (mut world, seller) = market();
    let by_operator = ix::swap(ix::begin_unstake(&seller, MILL), &seller.authority.pubkey(), &seller.operator.pubkey());
    world.assert_refused(&[by_operator], &[&seller.operator], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(ix::begin_unstake(&seller, MILL), &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&seller.operator], ErrorCode::AccountNotSigner);
}

// set_operator

#[test]
fn a_commit_is_judged_under_the_key_of_its_epoch() {
    let (mut world, seller) = market();
    world.warp_epochs(5);
    let (old, new) = (seller.operator.pubkey(), key("new operator").pubkey());
    let event: OperatorSet = world.must(&[ix::set_operator(&seller, &new)], &[&seller.authority]).event();
    assert_eq!((event.operator, event.previous_operator, event.operator_since_epoch), (new, old, 6));
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!(provider.operator, new);
    assert_eq!((provider.operator_at(5), provider.operator_at(6)), (old, new));
}

#[test]
fn the_operator_rotates_once_a_fraud_window() {
    let (mut world, seller) = market();
    let keys: Vec<Pubkey> = ["second", "third"].map(|name| key(name).pubkey()).to_vec();
    world.must(&[ix::set_operator(&seller, &keys[0])], &[&seller.authority]);
    let rotate = ix::set_operator(&seller, &keys[1]);
    // The new key signs from epoch 1 on; epoch 1 must have left the window.
    world.warp_epochs(FRAUD_WINDOW_EPOCHS);
    world.assert_refused(std::slice::from_ref(&rotate), &[&seller.authority], MillraceError::RotatedTooSoon);
    world.warp_epochs(1);
    world.must(&[rotate], &[&seller.authority]);
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.previous_operator, provider.operator), (keys[0], keys[1]));
}

#[test]
fn only_the_cold_key_changes_keys_and_terms() {
    let (mut world, seller) = market();
    let other = world.provider("other", STAKE);
    let honest = [ix::set_operator(&seller, &key("mine").pubkey()), ix::set_terms(&seller, terms())];
    for instruction in honest {
        let by_operator = ix::swap(instruction.clone(), &seller.authority.pubkey(), &seller.operator.pubkey());
        world.assert_refused(&[by_operator], &[&seller.operator], MillraceError::WrongAuthority);
        let of_another = ix::swap(instruction.clone(), &seller.provider, &other.provider);
        world.assert_refused(&[of_another], &[&seller.authority], MillraceError::WrongAuthority);
        let unsigned = ix::unsigned(instruction, &seller.authority.pubkey());
        world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
    }
}

// set_terms

fn terms() -> SetTermsArgs {
    SetTermsArgs {
        endpoint: endpoint("https://agent.example:443"),
        tls_spki_hash: [5; 32],
        max_bonds_amount: 9 * MILL,
        min_bid_per_sec: 77,
    }
}

#[test]
fn terms_are_what_the_cold_key_said_last() {
    let (mut world, seller) = market();
    let event: TermsSet = world.must(&[ix::set_terms(&seller, terms())], &[&seller.authority]).event();
    assert_eq!((event.sequence, event.min_bid_per_sec), (3, 77));
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.endpoint, provider.tls_spki_hash), (terms().endpoint, [5; 32]));
    assert_eq!((provider.max_bonds_amount, provider.min_bid_per_sec), (9 * MILL, 77));

    let nowhere = ix::set_terms(&seller, SetTermsArgs { endpoint: [0; 96], ..terms() });
    world.assert_refused(&[nowhere], &[&seller.authority], MillraceError::BadEndpoint);
}

// close_provider

#[test]
fn an_empty_provider_closes_and_every_unit_finds_its_owner() {
    let (mut world, seller) = market();
    world.must(&[ix::begin_unstake(&seller, STAKE)], &[&seller.authority]);
    world.warp_secs(unbonding_secs(&world));
    world.must(&[ix::withdraw(&world, &seller)], &[&seller.authority]);
    world.send_stray_tokens(&seller.vault, 3);
    let rent = world.lamports(&seller.provider) + world.lamports(&seller.vault);
    let before = world.lamports(&seller.authority.pubkey());

    let fee = 5_000;
    let receipt = world.must(&[ix::close_provider(&world, &seller)], &[&seller.authority]);
    assert_eq!(receipt.event::<ProviderClosed>().surplus_amount, 3);
    assert_eq!(world.tokens(&world.treasury), 3);
    assert_eq!(world.tokens(&seller.tokens), POCKET + STAKE);
    assert!(!world.exists(&seller.provider) && !world.exists(&seller.vault));
    assert_eq!(world.lamports(&seller.authority.pubkey()), before + rent - fee);

    // The same key may come back, from the start.
    world.must(&[register(&world, &seller)], &[&seller.authority]);
    assert_eq!(world.read::<Provider>(&seller.provider).sequence, 1);
}

#[test]
fn a_provider_with_anything_left_stays() {
    let mut world = World::new();
    let seller = world.provider("seller", 0);
    let close = ix::close_provider(&world, &seller);
    let left: [fn(&mut Provider); 5] = [
        |provider| provider.stake = 1,
        |provider| provider.earned = 1,
        |provider| {
            provider.unbonding_count = 1;
            provider.unbonding[0].amount = 1;
        },
        |provider| provider.open_nodes = 1,
        |provider| provider.open_leases = 1,
    ];
    for change in left {
        let empty = *world.read::<Provider>(&seller.provider);
        world.rewrite(&seller.provider, change);
        world.assert_refused(std::slice::from_ref(&close), &[&seller.authority], MillraceError::ProviderNotEmpty);
        world.rewrite(&seller.provider, |provider| *provider = empty);
    }
    world.must(&[close], &[&seller.authority]);
}

#[test]
fn a_jail_is_not_left_by_closing() {
    let mut world = World::new();
    let seller = world.provider("seller", 0);
    let jailed_until = world.now() + 100;
    world.rewrite::<Provider>(&seller.provider, |provider| {
        provider.status = ProviderStatus::Jailed as u8;
        provider.jailed_until = jailed_until;
    });
    let close = ix::close_provider(&world, &seller);
    world.assert_refused(std::slice::from_ref(&close), &[&seller.authority], MillraceError::ProviderJailed);
    world.warp_secs(100);
    world.must(&[close], &[&seller.authority]);
}

#[test]
fn closing_takes_only_its_own_accounts() {
    let mut world = World::new();
    let (seller, other) = (world.provider("seller", 0), world.provider("other", 0));
    let honest = ix::close_provider(&world, &seller);
    let cases = [
        (seller.provider, other.provider, MillraceError::WrongAuthority),
        (seller.vault, other.vault, MillraceError::WrongAccount),
        (world.treasury, seller.tokens, MillraceError::WrongAccount),
    ];
    for (from, to, error) in cases {
        world.assert_refused(&[ix::swap(honest.clone(), &from, &to)], &[&seller.authority], error);
    }
    let mut to_another = honest.clone();
    let rent_payer = to_another.accounts.iter_mut().rfind(|meta| meta.pubkey == seller.authority.pubkey()).unwrap();
    rent_payer.pubkey = other.authority.pubkey();
    world.assert_refused(&[to_another], &[&seller.authority], MillraceError::WrongAccount);
    let mut by_another = honest;
    by_another.accounts[0].pubkey = other.authority.pubkey();
    world.assert_refused(&[by_another], &[&other.authority], MillraceError::WrongAuthority);
}

#[test]
fn a_closed_provider_is_not_reused_in_the_same_transaction() {
    let mut world = World::new();
    let seller = world.provider("seller", 0);
    let close = ix::close_provider(&world, &seller);
    let stake = ix::stake(&world, &seller, MILL);
    world.assert_refused(&[close, stake], &[&seller.authority], ErrorCode::AccountOwnedByWrongProgram);
}
