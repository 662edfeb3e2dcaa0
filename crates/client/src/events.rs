//! What the program says happened, read out of a transaction's inner instructions.

use std::fmt;

use anchor_lang::event::EVENT_IX_TAG_LE;
use anchor_lang::{AnchorDeserialize, Discriminator};
use millrace::state::{DurationBounds, Params, Span};
use serde_json::{Map, Value};

use crate::Pubkey;

/// Declares [`MillraceEvent`] from the program's events. Their fields are listed so that an event can be shown as
/// JSON; the compiler checks that none is missing.
macro_rules! events {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        /// Any event of the program.
        pub enum MillraceEvent {
            $(
                #[doc = concat!("[`millrace::events::", stringify!($name), "`].")]
                $name(millrace::events::$name),
            )*
        }

        impl MillraceEvent {
            /// Names of all events.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Reads the data of a self-invocation of the program. `None` when it is no event this client knows.
            pub fn decode(data: &[u8]) -> Option<Self> {
                let event = data.strip_prefix(EVENT_IX_TAG_LE)?;
                $(
                    if let Some(mut body) = event.strip_prefix(millrace::events::$name::DISCRIMINATOR) {
                        return millrace::events::$name::deserialize(&mut body).ok().map(Self::$name);
                    }
                )*
                None
            }

            /// Its name, such as `JobPosted`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            /// Its fields by name: numbers as numbers, addresses as base58, other bytes as hex.
            pub fn fields(&self) -> Map<String, Value> {
                let mut fields = Map::new();
                match self {
                    $(Self::$name(millrace::events::$name { $($field),* }) => {
                        $(fields.insert(stringify!($field).to_string(), $field.show());)*
                    })*
                }
                fields
            }
        }
    };
}

events! {
    Initialized {
        sequence, config, authority, governance, mint, treasury, oracle_pool, deployment_id, genesis_supply, base_at,
        params, bounds,
    }
    BeaconsGrown { sequence, beacons, len, full_len }
    OracleSeated { sequence, oracle, oracle_authority, seat, weight, total_weight }
    GenesisSealed { sequence, config, seats, total_weight }
    ProviderRegistered { sequence, provider, authority, operator }
    Staked { sequence, provider, amount, stake, locked }
    UnstakeBegun { sequence, provider, amount, matures_at, stake, locked, unbonding }
    Withdrawn { sequence, provider, earned_amount, unbonded_amount, stake, unbonding }
    OperatorSet { sequence, provider, operator, previous_operator, operator_since_epoch }
    AuthorityProposed { sequence, provider, authority, pending_authority }
    AuthorityAccepted { sequence, provider, authority, previous_authority }
    TermsSet { sequence, provider, endpoint, tls_spki_hash, max_bonds_amount, min_bid_per_sec }
    ProviderClosed { sequence, provider, surplus_amount }
    NodeRegistered {
        sequence, node, provider, index, class, claimed_gops, ask_per_sec, locked_stake, provider_locked,
        provider_stake,
    }
    AskSet { sequence, node, ask_per_sec }
    DrainSet { sequence, node, draining }
    NodeRelocked { sequence, node, provider, locked_amount, node_locked_stake, provider_locked, provider_stake }
    DowngradePaid {
        sequence, node, provider, receiver, fee_amount, state, node_locked_stake, provider_stake, provider_locked,
    }
    NodeRetired { sequence, node, provider, unlocked_amount, provider_locked, provider_stake }
    NodeClosed { sequence, node, provider, open_nodes }
    CustomerOpened { sequence, customer, authority, vault }
    Deposited { sequence, customer, amount, free }
    CustomerWithdrawn { sequence, customer, amount, free }
    FeesSwept { sequence, customer, burn_amount, oracle_amount, treasury_amount, burned_total }
    CustomerClosed { sequence, customer, surplus_amount }
    JobPosted {
        sequence, job, customer, id, manifest_hash, tier, node_count, standby_count, topology, max_per_sec, max_secs,
        bidding_ends_at, award_by, reserve_amount, customer_free, customer_reserved,
    }
    BidPlaced {
        sequence, job, node, provider, per_sec, may_stand_by, score, rank, bond, provider_bonds, provider_locked,
    }
    BidReleased { sequence, job, node, provider, bond, provider_bonds, provider_locked }
    LeaseAwarded {
        sequence, job, lease, node, provider, index, job_position, role, per_sec, reserve_amount, bond,
        job_reserve_amount, customer_free, customer_reserved, provider_bonds, provider_lease_bonds, provider_locked,
    }
    BidDropped {
        sequence, job, node, provider, bond, forfeited_amount, claim, matures_at, provider_stake, provider_bonds,
        provider_locked, provider_claims,
    }
    JobCancelled { sequence, job, released_amount, customer_free, customer_reserved }
    JobClosed { sequence, job, customer, released_amount, customer_free, customer_reserved, result_root }
    LeaseSettled {
        sequence, lease, job, state, exit_code, live_secs, checkpointed_secs, lost_secs, paid_secs, net_amount,
        holdback_amount, fee_amount, reserve_amount, customer_free, customer_reserved, customer_fee_due,
        provider_earned,
    }
    LeaseStopped { sequence, lease, max_secs }
    LeaseExited { sequence, lease, paid_secs, customer_free, customer_reserved }
    LeaseClosed {
        sequence, lease, job, accepted, holdback_amount, released_amount, bond_amount, customer_free,
        customer_reserved, customer_holdbacks, provider_lease_bonds, provider_locked, provider_earned,
    }
    FailedOver {
        sequence, job, failed, stand_by, lease, node, provider, index, job_position, per_sec, max_secs,
        reserve_amount, bond, bond_left, stand_by_max_secs,
    }
    UnkeptClaimed {
        sequence, failed, member, secs, claim, amount, matures_at, bond_left, provider, provider_stake,
        provider_lease_bonds, provider_locked, provider_claims,
    }
    CompensationClaimed {
        sequence, lease, claim, amount, returned_amount, matures_at, provider, provider_stake, provider_lease_bonds,
        provider_locked, provider_claims,
    }
    ClaimPaid {
        sequence, claim, provider, beneficiary_kind, beneficiary, amount, unpaid_amount, provider_claims,
        beneficiary_balance,
    }
    LeaseSettledMutually {
        sequence, lease, job, paid_secs, net_amount, holdback_amount, fee_amount, customer_free, customer_reserved,
        customer_fee_due, provider_earned, provider_lease_bonds, provider_locked,
    }
    BeaconOpened { sequence, epoch, slot }
    BeaconLatched { sequence, epoch, slot, hash }
    ReportSigned { sequence, oracle, epoch, root, leaves, signers, weight, is_accepted }
    AuditApplied {
        sequence, node, epoch, verdict, measured_gops, state, verified_gops, verified_vram_mib, verified_bandwidth_mbps,
        verified_until,
    }
    CaseOpened { sequence, case, commit_id, node, provider, opener, epoch, deposit_lamports, closes_at }
    EntryProven { sequence, case, prover, round, row, col, entry_count }
    LinkProven { sequence, case, prover, round }
    DoubleCommitProven { sequence, case, other_case, prover }
    SlashExecuted {
        sequence, case, node, provider, outcome, taken_amount, bounty_amount, burn_amount, unpaid_amount, closes_at,
        deposit_lamports, deposit_to, node_locked_stake, node_bid_bond, provider_stake, provider_locked,
        provider_bonds, provider_unbonding, provider_claims, provider_jailed_until, burned_total,
    }
    NodeSlashed { sequence, node, provider, state, locked_stake, bid_bond }
    CaseClosed { sequence, case }
    OracleStaked { sequence, oracle, amount, stake }
    OracleUnstakeBegun { sequence, oracle, amount, stake, unbonding_amount, matures_at }
    OracleWithdrawn { sequence, oracle, amount, stake, unbonding_amount }
    OracleLeafApplied {
        sequence, oracle, epoch, opened, added_points, reward_period, points, period_points, closed_points,
        all_closed_points, closed_pot_amount, closed_claimed_amount,
    }
    RewardClaimed {
        sequence, oracle, period, points, all_points, amount, closed_pot_amount, closed_claimed_amount,
        oracle_rewarded_total, rewarded_total,
    }
    OracleClosed { sequence, oracle, surplus_amount }
    DisputeOpened {
        sequence, dispute, lease, customer, provider, evidence_hash, bond, vote_until, customer_free,
        customer_reserved,
    }
    DisputeVoted { sequence, dispute, oracle, uphold, upheld_weight, dismissed_weight, ruling, appeal_until }
    DisputeLapsed { sequence, dispute, appeal_until }
    DisputeResolved {
        sequence, dispute, lease, ruling, bond, forfeited_amount, holdback_amount, claim, claim_amount,
        lease_holdback_amount, lease_bond_left, customer_free, customer_reserved, customer_holdbacks, customer_paid,
        provider_earned, provider_stake, provider_locked, provider_lease_bonds, provider_claims,
    }
    VotesLocked {
        sequence, lock, voter, added_amount, amount, multiplier_bps, weight, lock_until, vote_weight_total,
    }
    VotesUnlocked { sequence, lock, amount, surplus_amount, vote_weight_total }
    ProposalMade {
        sequence, proposal, id, kind, proposer, target, payload_hash, payload, deposit_amount, deposits_held,
        total_weight, supply_amount, quorum_bps, voting_ends_at, eta, expires_at,
    }
    Appealed { sequence, appealed, proposal, appeal_until }
    VoteCast {
        sequence, proposal, voter, is_yes, weight, yes_weight, no_weight, voted_amount, lock_held_until,
        lock_open_votes, vote,
    }
    VoteClosed { sequence, lock, vote, open_votes }
    ProposalExecuted { sequence, proposal, kind, target, amount }
    ProposalClosed {
        sequence, proposal, id, is_passed, is_done, deposit_amount, returned_amount, deposits_held,
    }
    ParamsScheduled { sequence, proposal, pending_epoch, old, new }
    ParamsActivated { sequence, base_epoch, base_at, old, new }
    GuardianSet { sequence, proposal, guardian, previous_guardian }
    PauseSet { sequence, paused_at, paused_until }
    OracleUnseated { sequence, oracle, seat, removed_epoch, total_weight }
    SlashOverturned { sequence, case, provider, amount, provider_stake, provider_frozen }
    RulingOverturned { sequence, dispute, ruling }
    BufferReturned { sequence, proposal, buffer, proposer }
    SurplusSwept { sequence, owner, amount }
    SlashCaseOpened {
        sequence, case, number, provider, node, offence, prover, audit_epoch, evidence_hash, frozen_amount,
        appeal_until, node_state, node_locked_stake, node_bid_bond, provider_stake, provider_locked, provider_bonds,
        provider_unbonding, provider_claims, provider_frozen,
    }
    SlashCaseExecuted {
        sequence, case, provider, taken_amount, bounty_amount, burn_amount, frozen_amount, executed_amount,
        provider_frozen, provider_slashed_total, burned_total,
    }
    SlashCaseClosed { sequence, case, provider, open_slash_cases }
    OracleSlashed {
        sequence, oracle, case, taken_amount, bounty_amount, burn_amount, stake, unbonding_amount, slashed_total,
        burned_total,
    }
}

impl MillraceEvent {
    /// `{"event": name, …fields}`.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("event".to_string(), self.name().into());
        object.extend(self.fields());
        Value::Object(object)
    }
}

impl fmt::Debug for MillraceEvent {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.name(), Value::Object(self.fields()))
    }
}

impl PartialEq for MillraceEvent {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.fields() == other.fields()
    }
}

/// A field of an event as JSON.
trait Show {
    fn show(&self) -> Value;
}

macro_rules! show_numbers {
    ($($number:ty)*) => {
        $(impl Show for $number {
            fn show(&self) -> Value {
                (*self).into()
            }
        })*
    };
}

show_numbers!(u8 u16 u32 u64 i32 i64 bool);

impl Show for Pubkey {
    fn show(&self) -> Value {
        self.to_string().into()
    }
}

impl<const N: usize> Show for [u8; N] {
    fn show(&self) -> Value {
        // The only texts among the bytes are endpoints; nothing else is that long.
        let endpoint = self.as_slice().try_into().ok().and_then(crate::endpoint::from_bytes);
        endpoint.unwrap_or_else(|| hex::encode(self)).into()
    }
}

impl Show for Vec<u8> {
    fn show(&self) -> Value {
        hex::encode(self).into()
    }
}

/// Structs inside events, shown as objects. `padding` and `reserved` are left out.
macro_rules! show_structs {
    ($($name:ident { $($field:ident),* $(,)? } but { $($hidden:ident),* })*) => {
        $(impl Show for $name {
            fn show(&self) -> Value {
                let $name { $($field,)* $($hidden: _),* } = self;
                let mut fields = Map::new();
                $(fields.insert(stringify!($field).to_string(), $field.show());)*
                Value::Object(fields)
            }
        })*
    };
}

show_structs! {
    Params {
        fee_bps, oracle_share_bps, treasury_share_bps, holdback_bps, bid_bond_bps, bounty_bps, quorum_bps, bond_bps,
        compensation_bps, standby_bps, withheld_slash_bps, capacity_slash_bps, max_slash_per_epoch_bps,
        vote_quorum_bps, stake_base_amount, stake_per_1000_gops_amount, flip_penalty_amount,
        reliability_half_fee_amount, case_deposit_lamports, downgrade_fee_amount, dispute_bond_amount,
        oracle_stake_amount, proposal_deposit_amount, reward_period_epochs, epoch_secs, unbonding_secs,
        dispute_window_secs, award_window_secs, audit_valid_secs, oracle_outage_secs, jail_secs, case_window_secs,
        stop_notice_secs, max_lease_secs, appeal_window_secs, dispute_vote_secs, voting_secs, timelock_secs,
        grace_secs, max_lock_secs,
    } but { padding, reserved }
    DurationBounds {
        epoch, unbonding, dispute_window, award_window, audit_valid, oracle_outage, jail, case_window, stop_notice,
        max_lease, appeal_window, dispute_vote, voting, timelock, grace, max_lock,
    } but {}
    Span { min_secs, max_secs } but {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_lang::AnchorSerialize;
    use millrace::events::ProviderRegistered;

    fn encode<E: AnchorSerialize + Discriminator>(event: &E) -> Vec<u8> {
        let mut data = [EVENT_IX_TAG_LE, E::DISCRIMINATOR].concat();
        event.serialize(&mut data).unwrap();
        data
    }

    #[test]
    fn an_event_reads_back_with_every_field() {
        let (provider, authority, operator) =
            (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]), Pubkey::new_from_array([3; 32]));
        let data = encode(&ProviderRegistered { sequence: 7, provider, authority, operator });
        let event = MillraceEvent::decode(&data).unwrap();
        let expected = serde_json::json!({
            "event": "ProviderRegistered",
            "sequence": 7,
            "provider": provider.to_string(),
            "authority": authority.to_string(),
            "operator": operator.to_string(),
        });
        assert_eq!(event.to_json(), expected);
    }

    #[test]
    fn what_is_not_an_event_is_none() {
        let data = encode(&ProviderRegistered {
            sequence: 1,
            provider: Pubkey::default(),
            authority: Pubkey::default(),
            operator: Pubkey::default(),
        });
        assert!(MillraceEvent::decode(&data[1..]).is_none());
        assert!(MillraceEvent::decode(&data[..data.len() - 1]).is_none());
        assert!(MillraceEvent::decode(&[]).is_none());
        let mut unknown = data;
        unknown[8] ^= 1;
        assert!(MillraceEvent::decode(&unknown).is_none());
    }

    #[test]
    fn every_event_of_the_program_is_known_here() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../programs/millrace/src/events");
        let mut declared = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for after in source.split("#[event]\n").skip(1) {
                let name = after.split("pub struct ").nth(1).and_then(|rest| rest.split([' ', '{']).next());
                declared.push(name.unwrap().to_string());
            }
        }
        declared.sort();
        let mut known = MillraceEvent::NAMES.to_vec();
        known.sort_unstable();
        assert_eq!(declared, known);
    }
}
