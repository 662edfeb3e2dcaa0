//! A provider's books under any order of calls: nothing appears, nothing vanishes, locked stake stays.

use millrace::errors::MillraceError;
use millrace::state::Provider;
use proptest::prelude::*;

/// One call on a provider's account.
#[derive(Clone, Debug)]
enum Call {
    Stake(u64),
    Earn(u64),
    AddNode(u64),
    RetireLastNode,
    LockBond(u64),
    UnlockLastBond,
    BeginUnstake(u64),
    Wait(i64),
    ChangeUnbonding(i64),
    Withdraw,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        (0..1_000u64).prop_map(Call::Stake),
        (0..1_000u64).prop_map(Call::Earn),
        (0..500u64).prop_map(Call::AddNode),
        Just(Call::RetireLastNode),
        (0..300u64).prop_map(Call::LockBond),
        Just(Call::UnlockLastBond),
        (1..800u64).prop_map(Call::BeginUnstake),
        (0..200i64).prop_map(Call::Wait),
        (0..300i64).prop_map(Call::ChangeUnbonding),
        Just(Call::Withdraw),
    ]
}

const MAX_BONDS: u64 = 400;

proptest! {
    #[test]
    fn no_order_of_calls_mints_loses_or_frees_locked_stake(calls in prop::collection::vec(call(), 1..120)) {
        let mut provider: Provider = bytemuck::Zeroable::zeroed();
        provider.max_bonds_amount = MAX_BONDS;
        let (mut now, mut unbonding_secs) = (0i64, 100i64);
        let (mut paid_in, mut paid_out) = (0u64, 0u64);
        let (mut nodes, mut bonds) = (Vec::new(), Vec::new());

        for call in calls {
            let before = provider;
            let done = match call {
                Call::Stake(amount) => {
                    paid_in += amount;
                    provider.add_stake(amount).is_ok()
                }
                Call::Earn(amount) => {
                    paid_in += amount;
                    provider.earned += amount;
                    true
                }
                Call::AddNode(amount) => {
                    let added = provider.add_node(amount).is_ok();
                    prop_assert_eq!(added, amount <= before.free_stake());
                    if added {
                        nodes.push(amount);
                    }
                    added
                }
                Call::RetireLastNode => nodes.pop().is_none_or(|amount| provider.unlock(amount).is_ok()),
                Call::LockBond(amount) => {
                    let locked = provider.lock_bond(amount).is_ok();
                    prop_assert_eq!(locked, amount <= before.free_stake() && before.bonds + amount <= MAX_BONDS);
                    if locked {
                        bonds.push(amount);
                    }
                    locked
                }
                Call::UnlockLastBond => bonds.pop().is_none_or(|amount| provider.unlock_bond(amount).is_ok()),
                Call::BeginUnstake(amount) => match provider.begin_unstake(amount, now + unbonding_secs) {
                    Ok(()) => true,
                    Err(error) if error == MillraceError::NotEnoughStake.into() => {
                        prop_assert!(amount > before.free_stake());
                        false
                    }
                    Err(error) => {
                        prop_assert_eq!(error, MillraceError::UnbondingFull.into());
                        prop_assert_eq!(before.unbonding_entries().len(), before.unbonding.len());
                        false
                    }
                },
                Call::Wait(secs) => {
                    now += secs;
                    true
                }
                Call::ChangeUnbonding(secs) => {
                    unbonding_secs = secs;
                    true
                }
                Call::Withdraw => {
                    let due = before.unbonding_entries().iter().filter(|entry| entry.matures_at <= now);
                    let due: u64 = due.map(|entry| entry.amount).sum();
                    match provider.withdraw(now) {
                        Ok(payout) => {
                            prop_assert_eq!((payout.earned_amount, payout.unbonded_amount), (before.earned, due));
                            prop_assert!(provider.unbonding_entries().iter().all(|entry| entry.matures_at > now));
                            paid_out += payout.earned_amount + payout.unbonded_amount;
                            true
                        }
                        Err(error) => {
                            prop_assert_eq!(error, MillraceError::NothingToWithdraw.into());
                            prop_assert_eq!(before.earned + due, 0);
                            false
                        }
                    }
                }
            };
            // The runtime takes back what a refused call wrote.
            if !done {
                provider = before;
            }
            prop_assert!(provider.invariant().is_ok());
            prop_assert_eq!(provider.owed() + paid_out, paid_in);
            prop_assert_eq!(provider.locked, nodes.iter().sum::<u64>() + bonds.iter().sum::<u64>());
            prop_assert_eq!(provider.bonds, bonds.iter().sum::<u64>());
        }
    }
}
