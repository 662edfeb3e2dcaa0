//! Genesis: who may open a market, with which mint and which parameters, and what is left of that power.

use anchor_lang::error::ErrorCode;
use anchor_lang::solana_program::program_option::COption;
use millrace::events::{BeaconsGrown, GenesisSealed, Initialized, OracleSeated};
use millrace::instructions::{InitializeArgs, SeatOracleArgs};
use millrace::state::{Beacons, Config, DurationBounds, Oracle, OracleSet, Params, Reports, Span};
use millrace_core::hash::sha256;
use millrace_tests::genesis::endpoint;
use millrace_tests::tokens::{good_mint, named, SUPPLY};
use millrace_tests::{
    ix, key, local_bounds, local_params, pda, Genesis, Instruction, Keypair, MillraceError, Pubkey, Signer,
    TokenStandard, World,
};

/// The system program's refusal to create an account twice.
const ALREADY_IN_USE: u32 = 0;

fn args() -> InitializeArgs {
    InitializeArgs { params: local_params(), bounds: local_bounds() }
}

fn bare() -> (World, Keypair) {
    let world = World::bare(TokenStandard::Token);
    let deployer = world.deployer.insecure_clone();
    (world, deployer)
}

fn unsealed() -> (World, Keypair) {
    let world = World::unsealed(&Genesis::default());
    let deployer = world.deployer.insecure_clone();
    (world, deployer)
}

fn seat(oracle: &Pubkey, weight: u64) -> SeatOracleArgs {
    SeatOracleArgs { oracle_authority: *oracle, weight, endpoint: endpoint("https://oracle.example") }
}

#[test]
fn genesis_writes_what_the_deployment_is() {
    let (mut world, deployer) = bare();
    let receipt = world.must(&[ix::initialize(&world, args())], &[&deployer]);

    let config = world.read::<Config>(&pda::config());
    assert_eq!((config.version, config.genesis_open, config.authority), (1, 1, deployer.pubkey()));
    assert_eq!((config.mint, config.token_program), (world.mint, TokenStandard::Token.id()));
    assert_eq!((config.treasury, config.oracle_pool), (world.treasury, world.oracle_pool));
    assert_eq!((config.genesis_supply, config.burned_total), (SUPPLY, 0));
    assert_eq!((config.base_epoch, config.base_at), (0, world.now()));
    assert_eq!((config.params, config.bounds), (local_params(), local_bounds()));
    assert_eq!(world.read::<OracleSet>(&pda::oracles()).count, 0);
    assert_eq!(world.read::<Reports>(&pda::reports()).version, 1);
    assert_eq!(world.epoch(), 0);

    let event: Initialized = receipt.event();
    assert_eq!((event.sequence, event.deployment_id), (1, config.deployment_id));
    assert_eq!((event.params, event.bounds), (config.params, config.bounds));
}

#[test]
fn a_deployment_is_named_by_the_newest_slot_hash() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    let newest = World::slot_hash(world.slot() - 1);
    assert_eq!(world.config().deployment_id, sha256(&[millrace::ID.as_ref(), &newest]));
}

#[test]
fn genesis_happens_once() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    world.assert_refused(&[ix::initialize(&world, args())], &[&deployer], ALREADY_IN_USE);
}

#[test]
fn only_the_upgrade_authority_opens_the_market() {
    let (mut world, deployer) = bare();
    let stranger = world.stranger("stranger");
    let by_stranger = ix::swap(ix::initialize(&world, args()), &deployer.pubkey(), &stranger.pubkey());
    world.assert_refused(&[by_stranger], &[&stranger], MillraceError::NotUpgradeAuthority);

    world.set_upgrade_authority(None);
    world.assert_refused(&[ix::initialize(&world, args())], &[&deployer], MillraceError::NotUpgradeAuthority);
}

#[test]
fn another_programs_authority_does_not_count() {
    let (mut world, deployer) = bare();
    let other_data = named("another program's data");
    let account = world.svm.get_account(&pda::program_data()).unwrap();
    world.svm.set_account(other_data, account).unwrap();
    let forged = ix::swap(ix::initialize(&world, args()), &pda::program_data(), &other_data);
    world.assert_refused(&[forged], &[&deployer], ErrorCode::ConstraintSeeds);
}

#[test]
fn lamports_sent_ahead_do_not_block_genesis() {
    let (mut world, deployer) = bare();
    for address in [pda::config(), pda::oracles(), pda::reports(), pda::beacons()] {
        world.svm.airdrop(&address, 1_000_000).unwrap();
    }
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    while world.svm.get_account(&pda::beacons()).unwrap().data.len() < Beacons::SPACE {
        world.must(&[ix::grow_beacons(&deployer.pubkey())], &[&deployer]);
    }
    assert_eq!(world.read::<Beacons>(&pda::beacons()).rent_payer, deployer.pubkey());
}

#[test]
fn the_slot_hashes_must_be_the_sysvar() {
    let (mut world, deployer) = bare();
    let forged = ix::swap(ix::initialize(&world, args()), &millrace::instructions::SLOT_HASHES_ID, &world.mint);
    world.assert_refused(&[forged], &[&deployer], ErrorCode::ConstraintAddress);
}

// The mint

/// What follows the base state of a Token-2022 mint with these extensions: type and length of each.
fn extensions(list: &[(u16, u16)]) -> Vec<u8> {
    // Padding up to the length of a token account, then "mint", then the list.
    let mut tail = vec![0; 165 - 82];
    tail.push(1);
    for (kind, len) in list {
        tail.extend_from_slice(&kind.to_le_bytes());
        tail.extend_from_slice(&len.to_le_bytes());
        tail.resize(tail.len() + usize::from(*len), 0);
    }
    tail
}

fn initialize_with(world: &mut World, mint: Pubkey, standard: TokenStandard) -> Instruction {
    world.mint = mint;
    world.standard = standard;
    let deployer = world.deployer.pubkey();
    world.treasury = world.put_tokens("its treasury", &deployer, 0);
    world.oracle_pool = world.put_tokens("its oracle pool", &deployer, 0);
    ix::initialize(world, args())
}

#[test]
fn a_mint_has_six_decimals() {
    let (mut world, deployer) = bare();
    for decimals in [0, 5, 7, 9] {
        let mint = world.put_mint("odd mint", spl(|mint| mint.decimals = decimals), TokenStandard::Token, &[]);
        let attempt = initialize_with(&mut world, mint, TokenStandard::Token);
        world.assert_refused(&[attempt], &[&deployer], MillraceError::WrongDecimals);
    }
}

#[test]
fn a_mint_that_someone_can_mint_or_freeze_is_refused() {
    let (mut world, deployer) = bare();
    let someone = COption::Some(key("someone").pubkey());
    let minted = spl(|mint| mint.mint_authority = someone);
    let frozen = spl(|mint| mint.freeze_authority = someone);
    for (standard, state) in
        [TokenStandard::Token, TokenStandard::Token2022].into_iter().flat_map(|s| [(s, minted), (s, frozen)])
    {
        let mint = world.put_mint("held mint", state, standard, &[]);
        let attempt = initialize_with(&mut world, mint, standard);
        world.assert_refused(&[attempt], &[&deployer], MillraceError::MintNotRenounced);
    }
}

fn spl(
    change: impl FnOnce(&mut anchor_spl::token::spl_token::state::Mint),
) -> anchor_spl::token::spl_token::state::Mint {
    let mut mint = good_mint();
    change(&mut mint);
    mint
}

#[test]
fn a_mint_with_any_extension_but_metadata_is_refused() {
    // Number and length of every extension a mint can have today.
    const HOSTILE: [(&str, u16, u16); 15] = [
        ("transfer fee", 1, 108),
        ("close authority", 3, 32),
        ("confidential transfer", 4, 65),
        ("default account state", 6, 1),
        ("non-transferable", 9, 0),
        ("interest bearing", 10, 52),
        ("permanent delegate", 12, 32),
        ("transfer hook", 14, 64),
        ("confidential transfer fee", 16, 129),
        ("group pointer", 20, 64),
        ("group", 21, 80),
        ("member pointer", 22, 64),
        ("member", 23, 72),
        ("scaled amount", 25, 56),
        ("pausable", 26, 33),
    ];
    let (mut world, deployer) = bare();
    for (name, kind, len) in HOSTILE {
        let tail = extensions(&[(18, 64), (kind, len)]);
        let mint = world.put_mint(name, good_mint(), TokenStandard::Token2022, &tail);
        let attempt = initialize_with(&mut world, mint, TokenStandard::Token2022);
        world.assert_refused(&[attempt], &[&deployer], MillraceError::MintExtensionNotAllowed);
    }
}

#[test]
fn an_extension_this_program_does_not_know_is_refused() {
    let (mut world, deployer) = bare();
    let mint = world.put_mint("new mint", good_mint(), TokenStandard::Token2022, &extensions(&[(9_999, 8)]));
    let attempt = initialize_with(&mut world, mint, TokenStandard::Token2022);
    world.assert_refused(&[attempt], &[&deployer], MillraceError::MintExtensionNotAllowed);
}

#[test]
fn a_token_2022_mint_with_metadata_is_welcome() {
    let (mut world, deployer) = bare();
    let mint = world.put_mint("fine mint", good_mint(), TokenStandard::Token2022, &extensions(&[(18, 64), (19, 90)]));
    let attempt = initialize_with(&mut world, mint, TokenStandard::Token2022);
    world.must(&[attempt], &[&deployer]);
    assert_eq!(world.config().token_program, TokenStandard::Token2022.id());
}

#[test]
fn treasury_and_pool_are_two_token_accounts_of_the_mint() {
    let (mut world, deployer) = bare();
    let honest = ix::initialize(&world, args());
    let other_mint = world.put_mint("other mint", good_mint(), TokenStandard::Token, &[]);
    let foreign = world.put_token_account("foreign", &deployer.pubkey(), &other_mint, TokenStandard::Token, 0);
    for account in [world.treasury, world.oracle_pool] {
        let attempt = ix::swap(honest.clone(), &account, &foreign);
        world.assert_refused(&[attempt], &[&deployer], MillraceError::WrongMint);
        let attempt = ix::swap(honest.clone(), &account, &deployer.pubkey());
        world.assert_refused(&[attempt], &[&deployer], ErrorCode::AccountOwnedByWrongProgram);
    }
    let twice = ix::swap(honest, &world.oracle_pool, &world.treasury);
    world.assert_refused(&[twice], &[&deployer], MillraceError::WrongAccount);
}

// Parameters

#[test]
fn every_parameter_has_limits() {
    let wrong: [fn(&mut Params); 22] = [
        |p| p.fee_bps = 2_001,
        |p| (p.oracle_share_bps, p.treasury_share_bps) = (5_000, 4_001),
        |p| p.holdback_bps = 5_001,
        |p| p.bid_bond_bps = 5_001,
        |p| p.bounty_bps = 501,
        |p| p.quorum_bps = 4_999,
        |p| p.quorum_bps = 9_001,
        |p| p.stake_base_amount = 0,
        |p| p.case_deposit_lamports = 1_000_000_001,
        |p| p.epoch_secs = 0,
        |p| p.epoch_secs = -1,
        |p| p.epoch_secs = 30 * 86_400 + 1,
        |p| p.unbonding_secs = 30 * 86_400 + 1,
        |p| p.dispute_window_secs = -1,
        |p| p.award_window_secs = -1,
        |p| p.audit_valid_secs = -1,
        |p| p.oracle_outage_secs = -1,
        |p| p.jail_secs = -1,
        |p| p.case_window_secs = -1,
        |p| p.stop_notice_secs = -1,
        |p| p.max_lease_secs = -1,
        |p| p.max_lease_secs = 30 * 86_400 + 1,
    ];
    let (mut world, deployer) = bare();
    for (case, change) in wrong.iter().enumerate() {
        let mut args = args();
        change(&mut args.params);
        let attempt = ix::initialize(&world, args);
        let refusal = world.assert_refused(&[attempt], &[&deployer], MillraceError::ParameterOutOfBounds);
        assert!(refusal.is(MillraceError::ParameterOutOfBounds), "case {case}");
    }
}

#[test]
fn unbonding_outlasts_the_longest_lease_its_dispute_and_a_case() {
    let (mut world, deployer) = bare();
    let mut args = args();
    let judged_within = args.params.max_lease_secs + args.params.dispute_window_secs + args.params.case_window_secs;
    args.params.unbonding_secs = judged_within - 1;
    world.assert_refused(&[ix::initialize(&world, args.clone())], &[&deployer], MillraceError::UnbondingTooShort);
    args.params.unbonding_secs = judged_within;
    world.must(&[ix::initialize(&world, args)], &[&deployer]);
}

#[test]
fn bounds_stay_within_the_outer_limits() {
    let wrong: [fn(&mut DurationBounds); 3] = [
        |b| b.jail = Span { min_secs: 5, max_secs: 4 },
        |b| b.epoch = Span { min_secs: -1, max_secs: 100 },
        |b| b.unbonding = Span { min_secs: 0, max_secs: 2 * 365 * 86_400 + 1 },
    ];
    let (mut world, deployer) = bare();
    for change in wrong {
        let mut args = args();
        change(&mut args.bounds);
        world.assert_refused(&[ix::initialize(&world, args)], &[&deployer], MillraceError::ParameterOutOfBounds);
    }
}

#[test]
fn reserved_bytes_start_as_zeros_whatever_is_sent() {
    let (mut world, deployer) = bare();
    let mut args = args();
    args.params.reserved = [7; 64];
    args.params.padding = [7; 2];
    world.must(&[ix::initialize(&world, args)], &[&deployer]);
    assert_eq!(world.config().params, local_params());
}

// Beacons

#[test]
fn anyone_grows_the_beacons_to_their_size_and_no_further() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    let stranger = world.stranger("stranger");
    let grow = ix::grow_beacons(&stranger.pubkey());
    let mut lens = Vec::new();
    while lens.last() != Some(&(Beacons::SPACE as u64)) {
        let event: BeaconsGrown = world.must(std::slice::from_ref(&grow), &[&stranger]).event();
        assert_eq!((event.sequence, event.full_len), (lens.len() as u64 + 1, Beacons::SPACE as u64));
        lens.push(event.len);
    }
    assert_eq!(lens, [20_480, 30_720, 40_960, Beacons::SPACE as u64]);
    let account = world.svm.get_account(&pda::beacons()).unwrap();
    assert_eq!(account.lamports, world.svm.minimum_balance_for_rent_exemption(Beacons::SPACE));
    world.assert_refused(&[grow], &[&stranger], MillraceError::BeaconsFull);
}

#[test]
fn only_the_beacon_account_is_grown() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    let other = ix::swap(ix::grow_beacons(&deployer.pubkey()), &pda::beacons(), &pda::reports());
    world.assert_refused(&[other], &[&deployer], ErrorCode::ConstraintSeeds);
}

// Seats

#[test]
fn a_seat_is_taken_with_its_weight() {
    let (mut world, deployer) = unsealed();
    let (first, second) = (key("first").pubkey(), key("second").pubkey());
    world.must(&[ix::seat_oracle(&deployer.pubkey(), seat(&first, 3))], &[&deployer]);
    let receipt = world.must(&[ix::seat_oracle(&deployer.pubkey(), seat(&second, 4))], &[&deployer]);
    let event: OracleSeated = receipt.event();
    assert_eq!((event.sequence, event.seat, event.weight, event.total_weight), (2, 1, 4, 7));
    let oracles = world.read::<OracleSet>(&pda::oracles());
    assert_eq!((oracles.count, oracles.total_weight), (2, 7));
    let oracle = world.read::<Oracle>(&pda::oracle(&second));
    assert_eq!((oracle.seat, oracle.authority), (1, second));
    assert_eq!(oracle.endpoint, endpoint("https://oracle.example"));
}

#[test]
fn only_the_deployer_seats_oracles() {
    let (mut world, deployer) = unsealed();
    let stranger = world.stranger("stranger");
    let honest = ix::seat_oracle(&deployer.pubkey(), seat(&stranger.pubkey(), 1));
    let own = ix::seat_oracle(&stranger.pubkey(), seat(&stranger.pubkey(), 1));
    world.assert_refused(&[own], &[&stranger], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(honest, &deployer.pubkey());
    world.assert_refused(&[unsigned], &[&stranger], ErrorCode::AccountNotSigner);
}

#[test]
fn a_key_has_one_seat_and_a_seat_has_weight_and_an_endpoint() {
    let (mut world, deployer) = unsealed();
    let oracle = key("first").pubkey();
    world.must(&[ix::seat_oracle(&deployer.pubkey(), seat(&oracle, 1))], &[&deployer]);
    let again = ix::seat_oracle(&deployer.pubkey(), seat(&oracle, 1));
    world.assert_refused(&[again], &[&deployer], ALREADY_IN_USE);

    let weightless = ix::seat_oracle(&deployer.pubkey(), seat(&key("second").pubkey(), 0));
    world.assert_refused(&[weightless], &[&deployer], MillraceError::ZeroWeight);
    let args = SeatOracleArgs { endpoint: endpoint("ftp://oracle"), ..seat(&key("second").pubkey(), 1) };
    let nowhere = ix::seat_oracle(&deployer.pubkey(), args);
    world.assert_refused(&[nowhere], &[&deployer], MillraceError::BadEndpoint);
}

#[test]
fn there_are_thirty_two_seats() {
    let (mut world, deployer) = unsealed();
    for n in 0..32 {
        let oracle = key(&format!("oracle {n}")).pubkey();
        world.must(&[ix::seat_oracle(&deployer.pubkey(), seat(&oracle, 1))], &[&deployer]);
    }
    let one_more = ix::seat_oracle(&deployer.pubkey(), seat(&key("one more").pubkey(), 1));
    world.assert_refused(&[one_more], &[&deployer], MillraceError::SeatsFull);
}

// The seal

#[test]
fn the_seal_ends_the_deployers_power() {
    let (mut world, deployer) = unsealed();
    world.must(&[ix::seat_oracle(&deployer.pubkey(), seat(&key("first").pubkey(), 5))], &[&deployer]);
    let receipt = world.must(&[ix::seal_genesis(&deployer.pubkey())], &[&deployer]);
    let event: GenesisSealed = receipt.event();
    assert_eq!((event.sequence, event.seats, event.total_weight), (2, 1, 5));
    let config = world.config();
    assert_eq!((config.genesis_open, config.authority), (0, Pubkey::default()));

    let late = ix::seat_oracle(&deployer.pubkey(), seat(&key("late").pubkey(), 1));
    world.assert_refused(&[late], &[&deployer], MillraceError::GenesisSealed);
    world.assert_refused(&[ix::seal_genesis(&deployer.pubkey())], &[&deployer], MillraceError::GenesisSealed);
}

#[test]
fn genesis_is_sealed_by_its_deployer_with_seats_and_full_beacons() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    let seal = ix::seal_genesis(&deployer.pubkey());
    world.assert_refused(std::slice::from_ref(&seal), &[&deployer], MillraceError::NoSeats);

    world.must(&[ix::seat_oracle(&deployer.pubkey(), seat(&key("first").pubkey(), 1))], &[&deployer]);
    world.assert_refused(std::slice::from_ref(&seal), &[&deployer], MillraceError::BeaconsTooSmall);

    let stranger = world.stranger("stranger");
    let by_stranger = ix::seal_genesis(&stranger.pubkey());
    world.assert_refused(&[by_stranger], &[&stranger], MillraceError::WrongAuthority);
    let elsewhere = ix::swap(seal, &pda::beacons(), &pda::reports());
    world.assert_refused(&[elsewhere], &[&deployer], ErrorCode::ConstraintSeeds);
}

#[test]
fn no_unrelated_account_passes_for_one_of_genesis() {
    let (mut world, deployer) = bare();
    // Mint, treasury and pool are the deployer's choice; everything else is derived.
    let opening = ix::initialize(&world, args());
    for derived in [pda::config(), pda::oracles(), pda::reports(), pda::beacons()] {
        let attempt = ix::swap(opening.clone(), &derived, &named("elsewhere"));
        world.assert_refused(&[attempt], &[&deployer], ErrorCode::ConstraintSeeds);
    }
    let unheard = ix::swap(opening.clone(), &pda::event_authority(), &named("elsewhere"));
    world.assert_refused(&[unheard], &[&deployer], ErrorCode::ConstraintAddress);
    world.must(&[opening], &[&deployer]);
    world.assert_no_account_is_replaceable(&ix::grow_beacons(&deployer.pubkey()), &[&deployer]);

    let (mut world, deployer) = unsealed();
    let seating = ix::seat_oracle(&deployer.pubkey(), seat(&key("first").pubkey(), 1));
    world.assert_no_account_is_replaceable(&seating, &[&deployer]);
    world.must(&[seating], &[&deployer]);
    world.assert_no_account_is_replaceable(&ix::seal_genesis(&deployer.pubkey()), &[&deployer]);
}

#[test]
fn accounts_of_one_kind_do_not_pass_for_another() {
    let (mut world, deployer) = unsealed();
    let honest = ix::seat_oracle(&deployer.pubkey(), seat(&key("first").pubkey(), 1));
    for (account, other) in [(pda::config(), pda::reports()), (pda::oracles(), pda::reports())] {
        let attempt = ix::swap(honest.clone(), &account, &other);
        world.assert_refused(&[attempt], &[&deployer], ErrorCode::AccountDiscriminatorMismatch);
        let attempt = ix::swap(honest.clone(), &account, &world.mint);
        world.assert_refused(&[attempt], &[&deployer], ErrorCode::AccountOwnedByWrongProgram);
    }
}

#[test]
fn no_genesis_call_exceeds_what_a_network_carries() {
    let world = World::new();
    let sent: Vec<&str> = world.record.extents.keys().map(String::as_str).collect();
    assert_eq!(sent, ["grow_beacons", "initialize", "seal_genesis", "seat_oracle"]);
}
