//! Which mints can carry a market.

use super::*;
use anchor_lang::solana_program::program_option::COption;
use millrace_tests::tokens::good_mint;
use millrace_tests::{ix, key, pda, AccountMeta, Instruction, MillraceError, Pubkey, Signer, TokenStandard, World};

/// The token programs' refusal to obey who does not own the account.
const OWNER_MISMATCH: u32 = 4;

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
fn treasury_and_pool_are_governances_and_nobody_can_close_them() {
    for standard in [TokenStandard::Token, TokenStandard::Token2022] {
        let mut world = World::bare(standard);
        let deployer = world.deployer.insecure_clone();
        let honest = ix::initialize(&world, args());
        let own = world.put_tokens("own", &deployer.pubkey(), 0);
        for account in [world.treasury, world.oracle_pool] {
            let attempt = ix::swap(honest.clone(), &account, &own);
            world.assert_refused(&[attempt], &[&deployer], MillraceError::WrongAccount);
        }
        let other_program = match standard {
            TokenStandard::Token => TokenStandard::Token2022.id(),
            TokenStandard::Token2022 => TokenStandard::Token.id(),
        };
        let attempt = ix::swap(honest.clone(), &standard.id(), &other_program);
        world.assert_refused(&[attempt], &[&deployer], MillraceError::WrongTokenProgram);
        world.must(&[honest], &[&deployer]);

        for account in [pda::treasury(), pda::oracle_pool()] {
            let state = world.svm.get_account(&account).unwrap();
            assert_eq!((state.owner, &state.data[..32]), (standard.id(), world.mint.as_ref()));
            assert_eq!(&state.data[32..64], pda::governance().as_ref());
            // `CloseAccount`, by whoever opened it.
            let close = Instruction {
                program_id: standard.id(),
                accounts: vec![
                    AccountMeta::new(account, false),
                    AccountMeta::new(deployer.pubkey(), false),
                    AccountMeta::new_readonly(deployer.pubkey(), true),
                ],
                data: vec![9],
            };
            world.assert_refused(&[close], &[&deployer], OWNER_MISMATCH);
        }
        assert_eq!(world.config().governance, pda::governance());
    }
}
