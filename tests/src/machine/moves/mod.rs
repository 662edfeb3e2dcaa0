//! What may be tried. One entry for each instruction: a test fails when the program has one that is not here.
//!
//! A new instruction needs three things: a function that builds its [`Plan`] from what it is about, with what the model
//! makes of it ([`Plan::then`]); one that picks that by the dice, mostly where it may succeed, now and then where it
//! must not ([`Plan::fails_if`]); and its line below. Strangers' signatures, missing ones, others' accounts, one
//! account in two places and replays are tried with every plan by themselves.

pub mod customers;
pub mod disputes;
pub mod fraud;
pub mod guaranteed;
pub mod jobs;
pub mod judged;
pub mod leases;
pub mod nodes;
pub mod oracles;
pub mod others;
pub mod providers;
pub mod seats;
pub mod upgrades;
pub mod votes;

use super::{Dice, Market, Plan};

/// How a move is made: nothing when there is nothing to make it on.
pub type Pick = fn(&mut Market, &mut Dice) -> Option<Plan>;

/// A move: the instruction's name, or of what is no instruction; how likely it is; how it is made.
pub const MOVES: &[(&str, u32, Pick)] = &[
    // What is no instruction.
    ("(wait)", 30, others::wait),
    ("(fall silent)", 1, others::fall_silent),
    ("(stray tokens)", 1, others::stray_tokens),
    ("(replay)", 4, others::replay),
    // Leases.
    ("settle_lease", 60, leases::any_settlement),
    ("accept_result", 3, leases::any_acceptance),
    ("close_lease", 10, leases::any_close),
    ("stop_lease", 2, leases::any_stop),
    ("exit_lease", 8, leases::any_exit),
    ("settle_mutual", 2, guaranteed::any_mutual_end),
    ("unwind_lease", 3, guaranteed::any_unwinding),
    ("fail_over", 16, guaranteed::any_take_over),
    ("claim_unkept", 12, guaranteed::any_unkept),
    ("claim_compensation", 8, guaranteed::any_compensation),
    ("pay_claim", 6, guaranteed::any_payment),
    ("open_dispute", 6, disputes::any_opening),
    ("vote_dispute", 14, disputes::any_vote),
    ("lapse_dispute", 2, disputes::any_lapse),
    ("resolve_dispute", 6, disputes::any_resolution),
    // Jobs.
    ("post_job", 22, jobs::any_post),
    ("place_bid", 60, jobs::any_bid),
    ("place_site_bid", 8, jobs::any_site_bid),
    ("release_bid", 6, jobs::any_release),
    ("award", 70, jobs::any_award),
    ("drop_broken_bid", 14, jobs::any_drop),
    ("cancel_job", 3, jobs::any_cancel),
    ("close_job", 8, jobs::any_close),
    // Customers.
    ("sweep_fees", 4, customers::any_sweep),
    ("open_customer", 6, customers::any_open),
    ("deposit", 4, customers::any_deposit),
    ("withdraw_customer", 6, customers::any_withdrawal),
    ("close_customer", 2, customers::any_close),
    // Genesis.
    ("initialize", 1, others::initialize),
    ("grow_beacons", 1, others::grow_beacons),
    ("seat_oracle", 1, others::seat_oracle),
    ("seal_genesis", 1, others::seal_genesis),
    // Providers.
    ("register_provider", 6, providers::any_registration),
    ("stake", 4, providers::any_stake),
    ("begin_unstake", 3, providers::any_unstaking),
    ("withdraw", 6, providers::any_withdrawal),
    ("set_operator", 1, providers::any_rotation),
    ("set_terms", 1, providers::any_terms),
    ("propose_authority", 1, providers::any_succession),
    ("accept_authority", 2, providers::any_takeover),
    ("close_provider", 1, providers::any_close),
    // Nodes.
    ("register_node", 5, nodes::any_registration),
    ("set_ask", 1, nodes::any_ask),
    ("drain", 1, nodes::any_drain),
    ("relock_node", 6, judged::any_refill),
    ("retire", 3, nodes::any_retirement),
    ("close_node", 2, nodes::any_close),
    // Oracles.
    ("open_beacon", 12, oracles::any_opening),
    ("latch_beacon", 40, oracles::any_latch),
    ("sign_report", 16, oracles::any_signature),
    ("apply_audit", 14, oracles::any_audit),
    ("apply_downgrade", 3, judged::any_downgrade),
    ("stake_oracle", 4, oracles::any_oracle_stake),
    ("begin_oracle_unstake", 1, oracles::any_oracle_unstaking),
    ("withdraw_oracle", 1, oracles::any_oracle_withdrawal),
    ("apply_oracle_leaf", 10, oracles::any_oracle_leaf),
    ("claim_reward", 8, oracles::any_reward),
    ("close_oracle", 4, oracles::any_oracle_close),
    // Governance.
    ("lock_votes", 8, votes::any_lock),
    ("extend_lock", 1, votes::any_extension),
    ("unlock_votes", 1, votes::any_unlocking),
    ("propose", 5, votes::any_proposal),
    ("vote", 24, votes::any_vote),
    ("close_vote", 3, votes::any_vote_closing),
    ("close_proposal", 3, votes::any_proposal_closing),
    ("execute_params", 8, votes::any_params),
    ("activate_params", 6, votes::any_activation),
    ("execute_guardian", 4, votes::any_guardian),
    ("execute_transfer", 6, votes::any_transfer),
    ("execute_overturn_ruling", 6, votes::any_overturning),
    ("execute_add_oracle", 8, seats::any_seating),
    ("execute_remove_oracle", 8, seats::any_unseating),
    ("propose_upgrade", 1, upgrades::any_offer),
    ("execute_upgrade", 4, upgrades::any_installation),
    ("return_buffer", 4, upgrades::any_return),
    ("pause", 1, votes::any_pause),
    ("unpause", 1, votes::any_unpause),
    ("sweep_surplus", 1, votes::any_surplus),
    // Fraud.
    ("open_case", 5, fraud::any_accusation),
    ("prove_entry", 14, fraud::any_entry),
    ("prove_link", 3, fraud::any_link),
    ("prove_double_commit", 3, fraud::any_double),
    ("execute_slash", 5, fraud::any_execution),
    ("close_case", 3, fraud::any_close),
    ("open_slash_case", 8, judged::any_charge),
    ("execute_slash_case", 6, judged::any_execution),
    ("close_slash_case", 2, judged::any_close),
    ("execute_overturn_slash", 4, votes::any_slash_overturning),
    ("slash_oracle", 12, fraud::any_oracles_slash),
];
