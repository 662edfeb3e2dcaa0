//! Millrace: an open market for GPU time.
//!
//! Providers stake and are measured, customers escrow and post jobs, oracles report one Merkle root an epoch, and
//! this program pays by the proven second, burns a part of each fee, and slashes on evidence it recomputes itself.

use anchor_lang::prelude::*;
#[cfg(target_os = "solana")]
use solana_compiler_builtins as _;

pub mod claims;
pub mod constants;
mod create;
pub mod errors;
pub mod events;
pub mod instructions;
pub mod loader;
#[cfg(not(feature = "no-entrypoint"))]
mod security;
pub mod state;
pub mod token;

use instructions::*;

declare_id!("Gd64twpn3aFjXe2YVKmQSiFvBGiVPGkRgWGyGiHfMcmm");

/// The instructions. Each is one file under `instructions/`.
#[program]
pub mod millrace {
    use super::*;

    // Leases. The hot path comes first: each instruction above costs a few units of dispatch.

    /// Pays a lease for newly proven seconds, and ends it on a final leaf. Anyone with a leaf and its path.
    pub fn settle_lease(ctx: Context<SettleLease>, args: SettleLeaseArgs) -> Result<()> {
        SettleLease::handle(ctx, args)
    }

    /// Accepts the result of an ended lease: its holdback is paid out at once. Signed by the customer's authority.
    pub fn accept_result(ctx: Context<CloseLease>) -> Result<()> {
        CloseLease::accept(ctx)
    }

    /// Pays out the holdback of an ended lease after the dispute window, and closes it. Anyone.
    pub fn close_lease(ctx: Context<CloseLease>) -> Result<()> {
        CloseLease::handle(ctx)
    }

    /// Asks a lease to stop. Signed by the customer's authority.
    pub fn stop_lease(ctx: Context<StopLease>) -> Result<()> {
        StopLease::handle(ctx)
    }

    /// Ends a lease the oracles fell silent about. Signed by either side.
    pub fn exit_lease(ctx: Context<ExitLease>) -> Result<()> {
        ExitLease::handle(ctx)
    }

    /// Ends a lease on seconds both sides agree on. Signed by both.
    pub fn settle_mutual(ctx: Context<SettleMutual>, secs: u64) -> Result<()> {
        SettleMutual::handle(ctx, secs)
    }

    /// Ends a lease whose job was cancelled short of nodes. Anyone.
    pub fn unwind_lease(ctx: Context<UnwindLease>) -> Result<()> {
        UnwindLease::handle(ctx)
    }

    // Guaranteed leases and their bonds

    /// Puts a stand-by in the place of a node that failed. Anyone, within the dispute window.
    pub fn fail_over(ctx: Context<FailOver>) -> Result<()> {
        FailOver::handle(ctx)
    }

    /// Claims what a member lost by another's failure out of that one's bond. Anyone, within the dispute window.
    pub fn claim_unkept(ctx: Context<ClaimUnkept>) -> Result<()> {
        ClaimUnkept::handle(ctx)
    }

    /// Claims the customer's compensation out of a failed lease's bond. Anyone, after the dispute window.
    pub fn claim_compensation(ctx: Context<ClaimCompensation>) -> Result<()> {
        ClaimCompensation::handle(ctx)
    }

    /// Pays a claim that has matured. Anyone.
    pub fn pay_claim(ctx: Context<PayClaim>) -> Result<()> {
        PayClaim::handle(ctx)
    }

    // Jobs

    /// Offers work and reserves the most it can cost. Signed by the customer's authority.
    pub fn post_job(ctx: Context<PostJob>, args: PostJobArgs) -> Result<()> {
        PostJob::handle(ctx, args)
    }

    /// Offers a node for a job. Signed by the provider's operator.
    pub fn place_bid(ctx: Context<PlaceBid>, args: PlaceBidArgs) -> Result<()> {
        PlaceBid::handle(ctx, args)
    }

    /// Offers several nodes of one site for a job, all or none. Signed by the provider's operator.
    pub fn place_site_bid(ctx: Context<PlaceSiteBid>, args: PlaceBidArgs) -> Result<()> {
        PlaceSiteBid::handle(ctx, args)
    }

    /// Frees a node whose bid no longer counts, and its bond. Anyone.
    pub fn release_bid(ctx: Context<ReleaseBid>) -> Result<()> {
        ReleaseBid::handle(ctx)
    }

    /// Gives the next place of a job, a position or a stand-by's, to the best bid left. Anyone, after bidding.
    pub fn award(ctx: Context<Award>) -> Result<()> {
        Award::handle(ctx)
    }

    /// Passes over a bid that was not kept; broken by fault, its bond will compensate the customer. Anyone.
    pub fn drop_broken_bid(ctx: Context<DropBrokenBid>) -> Result<()> {
        DropBrokenBid::handle(ctx)
    }

    /// Withdraws a job that was not or cannot be awarded in full: the customer's authority, or anyone after `award_by`.
    pub fn cancel_job(ctx: Context<CancelJob>) -> Result<()> {
        CancelJob::handle(ctx)
    }

    /// Closes a job that is over. Anyone.
    pub fn close_job(ctx: Context<CloseJob>) -> Result<()> {
        CloseJob::handle(ctx)
    }

    // Customers

    /// Burns and pays out the fees a customer owes. Anyone.
    pub fn sweep_fees(ctx: Context<SweepFees>) -> Result<()> {
        SweepFees::handle(ctx)
    }

    /// Opens a customer account and its vault. Signed by its authority.
    pub fn open_customer(ctx: Context<OpenCustomer>) -> Result<()> {
        OpenCustomer::handle(ctx)
    }

    /// Puts `amount` base units into a customer's escrow. Signed by the owner of the source.
    pub fn deposit(ctx: Context<Deposit>, amount: u64) -> Result<()> {
        Deposit::handle(ctx, amount)
    }

    /// Takes `amount` base units of free money out of a customer's escrow. Signed by its authority.
    pub fn withdraw_customer(ctx: Context<WithdrawCustomer>, amount: u64) -> Result<()> {
        WithdrawCustomer::handle(ctx, amount)
    }

    /// Closes an empty customer account and its vault. Signed by its authority.
    pub fn close_customer(ctx: Context<CloseCustomer>) -> Result<()> {
        CloseCustomer::handle(ctx)
    }

    // Genesis

    /// Opens the market, once. Signed by the program's upgrade authority.
    pub fn initialize(ctx: Context<Initialize>, args: InitializeArgs) -> Result<()> {
        Initialize::handle(ctx, args)
    }

    /// Grows the beacon account by one step. Called by anyone.
    pub fn grow_beacons(ctx: Context<GrowBeacons>) -> Result<()> {
        GrowBeacons::handle(ctx)
    }

    /// Adds an oracle seat while genesis is open. Signed by the deployer.
    pub fn seat_oracle(ctx: Context<SeatOracle>, args: SeatOracleArgs) -> Result<()> {
        SeatOracle::handle(ctx, args)
    }

    /// Ends genesis. Signed by the deployer.
    pub fn seal_genesis(ctx: Context<SealGenesis>) -> Result<()> {
        SealGenesis::handle(ctx)
    }

    // Governance

    /// Locks `amount` base units for `lock_secs`, for a say. Signed by the voter.
    pub fn lock_votes(ctx: Context<LockVotes>, amount: u64, lock_secs: i64) -> Result<()> {
        LockVotes::handle(ctx, amount, lock_secs)
    }

    /// Adds `amount` base units to a lock and locks all of it for `lock_secs` anew. Signed by the voter.
    pub fn extend_lock(ctx: Context<ExtendLock>, amount: u64, lock_secs: i64) -> Result<()> {
        ExtendLock::handle(ctx, amount, lock_secs)
    }

    /// Pays a lock out that is over, and closes it. Signed by the voter.
    pub fn unlock_votes(ctx: Context<UnlockVotes>) -> Result<()> {
        UnlockVotes::handle(ctx)
    }

    /// Makes a proposal of any kind but an upgrade. Signed by the proposer.
    pub fn propose(ctx: Context<Propose>, args: ProposeArgs) -> Result<()> {
        Propose::handle(ctx, args)
    }

    /// Proposes the program in a buffer, whose sha256 is `program_hash`. Signed by the buffer's authority.
    pub fn propose_upgrade(ctx: Context<ProposeUpgrade>, program_hash: [u8; 32]) -> Result<()> {
        ProposeUpgrade::handle(ctx, program_hash)
    }

    /// Votes with all the weight of a lock. Signed by the voter.
    pub fn vote(ctx: Context<CastVote>, is_yes: bool) -> Result<()> {
        CastVote::handle(ctx, is_yes)
    }

    /// Closes the account of a vote that is over. Anyone.
    pub fn close_vote(ctx: Context<CloseVote>) -> Result<()> {
        CloseVote::handle(ctx)
    }

    /// Closes a proposal that is over and settles its deposit. Anyone.
    pub fn close_proposal(ctx: Context<CloseProposal>) -> Result<()> {
        CloseProposal::handle(ctx)
    }

    /// Carries out a vote on the parameters: they become pending. Anyone.
    pub fn execute_params(ctx: Context<ExecuteParams>) -> Result<()> {
        ExecuteParams::handle(ctx)
    }

    /// Puts pending parameters in force, once their epoch has come. Anyone.
    pub fn activate_params(ctx: Context<ActivateParams>) -> Result<()> {
        ActivateParams::handle(ctx)
    }

    /// Carries out a vote on the guardian. Anyone.
    pub fn execute_guardian(ctx: Context<ExecuteGuardian>) -> Result<()> {
        ExecuteGuardian::handle(ctx)
    }

    /// Carries out a vote that gives `oracle_authority` a seat. Anyone.
    pub fn execute_add_oracle(ctx: Context<ExecuteAddOracle>, oracle_authority: Pubkey) -> Result<()> {
        ExecuteAddOracle::handle(ctx, oracle_authority)
    }

    /// Carries out a vote that takes an oracle's seat. Anyone.
    pub fn execute_remove_oracle(ctx: Context<ExecuteRemoveOracle>) -> Result<()> {
        ExecuteRemoveOracle::handle(ctx)
    }

    /// Carries out a vote that pays out of the treasury. Anyone.
    pub fn execute_transfer(ctx: Context<ExecuteTransfer>) -> Result<()> {
        ExecuteTransfer::handle(ctx)
    }

    /// Carries out a vote that overturns a judged case. Anyone.
    pub fn execute_overturn_slash(ctx: Context<ExecuteOverturnSlash>) -> Result<()> {
        ExecuteOverturnSlash::handle(ctx)
    }

    /// Carries out a vote that overturns the ruling of a dispute. Anyone.
    pub fn execute_overturn_ruling(ctx: Context<ExecuteOverturnRuling>) -> Result<()> {
        ExecuteOverturnRuling::handle(ctx)
    }

    /// Carries out a vote that replaces the program. Anyone.
    pub fn execute_upgrade(ctx: Context<ExecuteUpgrade>) -> Result<()> {
        ExecuteUpgrade::handle(ctx)
    }

    /// Gives the buffer of an upgrade that did not come about back to its proposer. Anyone.
    pub fn return_buffer(ctx: Context<ReturnBuffer>) -> Result<()> {
        ReturnBuffer::handle(ctx)
    }

    /// Refuses new jobs, bids and registrations for `secs`. Signed by the guardian.
    pub fn pause(ctx: Context<Pause>, secs: i64) -> Result<()> {
        Pause::handle(ctx, secs)
    }

    /// Takes new work again. Signed by the guardian.
    pub fn unpause(ctx: Context<Pause>) -> Result<()> {
        Pause::end(ctx)
    }

    /// Sends what strangers left in the vault of a customer, provider or lock to the treasury. Anyone.
    pub fn sweep_surplus(ctx: Context<SweepSurplus>) -> Result<()> {
        SweepSurplus::handle(ctx)
    }

    // Providers

    /// Opens a provider account and its vault. Signed by its cold key.
    pub fn register_provider(ctx: Context<RegisterProvider>, args: RegisterProviderArgs) -> Result<()> {
        RegisterProvider::handle(ctx, args)
    }

    /// Puts `amount` base units behind a provider. Signed by its cold key.
    pub fn stake(ctx: Context<Stake>, amount: u64) -> Result<()> {
        Stake::handle(ctx, amount)
    }

    /// Starts to take `amount` base units of free stake out. Signed by the cold key.
    pub fn begin_unstake(ctx: Context<BeginUnstake>, amount: u64) -> Result<()> {
        BeginUnstake::handle(ctx, amount)
    }

    /// Pays out earnings and matured stake. Signed by the cold key.
    pub fn withdraw(ctx: Context<Withdraw>) -> Result<()> {
        Withdraw::handle(ctx)
    }

    /// Gives the provider another hot key. Signed by the cold key.
    pub fn set_operator(ctx: Context<SetOperator>, operator: Pubkey) -> Result<()> {
        SetOperator::handle(ctx, operator)
    }

    /// Names another cold key, zeros to take that back. Signed by the cold key.
    pub fn propose_authority(ctx: Context<ProposeAuthority>, pending_authority: Pubkey) -> Result<()> {
        ProposeAuthority::handle(ctx, pending_authority)
    }

    /// Becomes the cold key. Signed by the key that was named.
    pub fn accept_authority(ctx: Context<AcceptAuthority>) -> Result<()> {
        AcceptAuthority::handle(ctx)
    }

    /// Changes caps, price floor and address. Signed by the cold key.
    pub fn set_terms(ctx: Context<SetTerms>, args: SetTermsArgs) -> Result<()> {
        SetTerms::handle(ctx, args)
    }

    /// Closes a provider nothing is owed to. Signed by the cold key.
    pub fn close_provider(ctx: Context<CloseProvider>) -> Result<()> {
        CloseProvider::handle(ctx)
    }

    // Nodes

    /// Puts a machine up for sale. Signed by the cold key.
    pub fn register_node(ctx: Context<RegisterNode>, args: RegisterNodeArgs) -> Result<()> {
        RegisterNode::handle(ctx, args)
    }

    /// Changes the asking price, base units a second. Signed by the hot or the cold key.
    pub fn set_ask(ctx: Context<SetAsk>, ask_per_sec: u64) -> Result<()> {
        SetAsk::handle(ctx, ask_per_sec)
    }

    /// Stops or resumes bidding. Signed by the hot or the cold key.
    pub fn drain(ctx: Context<Drain>, draining: bool) -> Result<()> {
        Drain::handle(ctx, draining)
    }

    /// Fills up the stake of a node that lost some. Signed by the cold key.
    pub fn relock_node(ctx: Context<RelockNode>) -> Result<()> {
        RelockNode::handle(ctx)
    }

    /// Takes a free node off the market. Signed by the cold key.
    pub fn retire(ctx: Context<Retire>) -> Result<()> {
        Retire::handle(ctx)
    }

    /// Closes a retired node's account after the fraud window. Called by anyone.
    pub fn close_node(ctx: Context<CloseNode>) -> Result<()> {
        CloseNode::handle(ctx)
    }

    // Oracles

    /// Names the slot of the current epoch's beacon. Called by anyone.
    pub fn open_beacon(ctx: Context<OpenBeacon>, epoch: u64) -> Result<()> {
        OpenBeacon::handle(ctx, epoch)
    }

    /// Keeps the hash of the slot a beacon named. Called by anyone.
    pub fn latch_beacon(ctx: Context<LatchBeacon>, epoch: u64) -> Result<()> {
        LatchBeacon::handle(ctx, epoch)
    }

    /// Signs the root of the current or previous epoch. Signed by the key of a seat.
    pub fn sign_report(ctx: Context<SignReport>, args: SignReportArgs) -> Result<()> {
        SignReport::handle(ctx, args)
    }

    /// Applies what the oracles measured of a node. Called by anyone.
    pub fn apply_audit(ctx: Context<ApplyAudit>, args: ApplyAuditArgs) -> Result<()> {
        ApplyAudit::handle(ctx, args)
    }

    /// Applies what the oracles measured of another's node, for a fee if it is a downgrade. Called by anyone.
    pub fn apply_downgrade(ctx: Context<ApplyDowngrade>, args: ApplyAuditArgs) -> Result<()> {
        ApplyDowngrade::handle(ctx, args)
    }

    /// Puts `amount` base units behind an oracle. Signed by the owner of the source.
    pub fn stake_oracle(ctx: Context<StakeOracle>, amount: u64) -> Result<()> {
        StakeOracle::handle(ctx, amount)
    }

    /// Starts to take `amount` base units of an oracle's stake out. Signed by its key.
    pub fn begin_oracle_unstake(ctx: Context<BeginOracleUnstake>, amount: u64) -> Result<()> {
        BeginOracleUnstake::handle(ctx, amount)
    }

    /// Pays out an oracle's unbonded stake. Signed by its key.
    pub fn withdraw_oracle(ctx: Context<WithdrawOracle>) -> Result<()> {
        WithdrawOracle::handle(ctx)
    }

    /// Counts the observations an oracle opened. Called by anyone.
    pub fn apply_oracle_leaf(ctx: Context<ApplyOracleLeaf>, args: ApplyOracleLeafArgs) -> Result<()> {
        ApplyOracleLeaf::handle(ctx, args)
    }

    /// Pays an oracle its share of the pool for the period just closed. Called by anyone.
    pub fn claim_reward(ctx: Context<ClaimReward>) -> Result<()> {
        ClaimReward::handle(ctx)
    }

    /// Closes a removed oracle nothing is owed to. Called by anyone.
    pub fn close_oracle(ctx: Context<CloseOracle>) -> Result<()> {
        CloseOracle::handle(ctx)
    }

    // Disputes

    /// Calls the result of an ended lease wrong. Signed by the customer's authority.
    pub fn open_dispute(ctx: Context<OpenDispute>, evidence_hash: [u8; 32]) -> Result<()> {
        OpenDispute::handle(ctx, evidence_hash)
    }

    /// Votes for the customer (`uphold`) or for the provider. Signed by the key of a seat.
    pub fn vote_dispute(ctx: Context<VoteDispute>, uphold: bool) -> Result<()> {
        VoteDispute::handle(ctx, uphold)
    }

    /// Ends a vote that found no quorum in time. Anyone.
    pub fn lapse_dispute(ctx: Context<LapseDispute>) -> Result<()> {
        LapseDispute::handle(ctx)
    }

    /// Carries a ruling out once the time to appeal is over. Anyone.
    pub fn resolve_dispute(ctx: Context<ResolveDispute>) -> Result<()> {
        ResolveDispute::handle(ctx)
    }

    // Fraud

    /// Accuses a commit signed by an operator. The ed25519 instruction with that signature comes right before.
    pub fn open_case(ctx: Context<OpenCase>, args: OpenCaseArgs) -> Result<()> {
        OpenCase::handle(ctx, args)
    }

    /// Recomputes one committed entry and counts it when it is wrong.
    pub fn prove_entry(ctx: Context<ProveEntry>, args: ProveEntryArgs) -> Result<()> {
        ProveEntry::handle(ctx, args)
    }

    /// Recomputes one committed seed: a false one is fraud.
    pub fn prove_link(ctx: Context<ProveLink>, args: ProveLinkArgs) -> Result<()> {
        ProveLink::handle(ctx, args)
    }

    /// Shows that two accused commits are of one node, GPU and epoch: fraud.
    pub fn prove_double_commit(ctx: Context<ProveDoubleCommit>) -> Result<()> {
        ProveDoubleCommit::handle(ctx)
    }

    /// Takes the stake a case costs, and burns it but for the bounty.
    pub fn execute_slash(ctx: Context<ExecuteSlash>) -> Result<()> {
        ExecuteSlash::handle(ctx)
    }

    /// Closes an executed case.
    pub fn close_case(ctx: Context<CloseCase>) -> Result<()> {
        CloseCase::handle(ctx)
    }

    /// Takes the stake of an oracle that passed a wrong entry it had to check. Called by anyone.
    pub fn slash_oracle(ctx: Context<SlashOracle>, args: SlashOracleArgs) -> Result<()> {
        SlashOracle::handle(ctx, args)
    }

    // Judged slashing

    /// Charges a node with what the oracles found, and freezes the penalty. Called by anyone.
    pub fn open_slash_case(ctx: Context<OpenSlashCase>, args: OpenSlashCaseArgs) -> Result<()> {
        OpenSlashCase::handle(ctx, args)
    }

    /// Executes a judged case after the time to appeal, within the epoch's cap. Called by anyone.
    pub fn execute_slash_case(ctx: Context<ExecuteSlashCase>) -> Result<()> {
        ExecuteSlashCase::handle(ctx)
    }

    /// Closes a judged case that is executed or overturned. Called by anyone.
    pub fn close_slash_case(ctx: Context<CloseSlashCase>) -> Result<()> {
        CloseSlashCase::handle(ctx)
    }
}
