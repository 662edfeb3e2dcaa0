//! Every refusal, phrased as a fact. Codes are permanent: append, never reorder.

use anchor_lang::prelude::*;

/// What the program answers when it refuses.
#[error_code]
#[derive(PartialEq, Eq, bytemuck::CheckedBitPattern)]
pub enum MillraceError {
    // General
    /// An amount left the range of 64 bits.
    #[msg("An amount left the range of 64 bits")]
    MathOverflow,
    /// The books would not balance. A bug: nothing was changed.
    #[msg("The books would not balance, so nothing was changed; please report this")]
    InvariantBroken,
    /// The signer is not the authority of this account.
    #[msg("The signer is not the authority of this account")]
    WrongAuthority,
    /// The signer is not the operator of this provider.
    #[msg("The signer is not the operator of this provider")]
    WrongOperator,
    /// The account is not the one this instruction's other accounts name.
    #[msg("The account is not the one the other accounts name")]
    WrongAccount,
    /// The amount is zero.
    #[msg("The amount is zero")]
    ZeroAmount,
    /// A parameter lies outside its limits.
    #[msg("A parameter lies outside its limits")]
    ParameterOutOfBounds,
    /// Unbonding would end before a fraud or a fault of the longest lease is judged.
    #[msg("Unbonding is shorter than the fraud window, or than the longest lease and every judgement on it together")]
    UnbondingTooShort,
    /// The chain's clock is before genesis.
    #[msg("The chain's clock is before genesis")]
    ClockBeforeGenesis,
    // Genesis and mint
    /// The signer is not the program's upgrade authority.
    #[msg("The signer is not the program's upgrade authority")]
    NotUpgradeAuthority,
    /// The mint does not have six decimals.
    #[msg("The mint does not have six decimals")]
    WrongDecimals,
    /// The mint can still be minted or frozen by someone.
    #[msg("The mint still has a mint or a freeze authority")]
    MintNotRenounced,
    /// The mint has an extension that is not on the allow list.
    #[msg("The mint has an extension that is not on the allow list")]
    MintExtensionNotAllowed,
    /// The mint is not this market's.
    #[msg("The mint is not this market's MILL mint")]
    WrongMint,
    /// Genesis is sealed.
    #[msg("Genesis is sealed")]
    GenesisSealed,
    /// Genesis cannot be sealed without an oracle seat.
    #[msg("Genesis cannot be sealed without an oracle seat")]
    NoSeats,
    // Providers and nodes
    /// Free stake is smaller than what is to be locked or unstaked.
    #[msg("Free stake is smaller than the amount")]
    NotEnoughStake,
    /// Earnings are smaller than the amount.
    #[msg("Nothing matured or earned covers the amount")]
    NothingToWithdraw,
    /// All unbonding entries are in use.
    #[msg("All eight unbonding entries are in use; withdraw a matured one first")]
    UnbondingFull,
    /// The bond would exceed what the cold key lets the operator lock.
    #[msg("The bond exceeds what the cold key lets the operator lock")]
    BondCapExceeded,
    /// The bid is below the floor the cold key set.
    #[msg("The bid is below the floor the cold key set")]
    BelowPriceFloor,
    /// The provider is jailed.
    #[msg("The provider is jailed")]
    ProviderJailed,
    /// The operator was rotated within the fraud window.
    #[msg("The operator was rotated within the last 1,024 epochs")]
    RotatedTooSoon,
    /// The endpoint is not a URL of at most 96 bytes.
    #[msg("The endpoint is not an http or https URL of at most 96 bytes")]
    BadEndpoint,
    /// The node's class, region or count is unknown.
    #[msg("The node's class, region or GPU count is out of range")]
    BadNode,
    /// The node is retired.
    #[msg("The node is retired")]
    NodeRetired,
    /// The node has a bid or a lease.
    #[msg("The node still has a bid or a lease")]
    NodeBusy,
    /// The node is not verified, or its audit expired, or it drains.
    #[msg("The node is not verified, its audit expired, or it is draining")]
    NodeNotAble,
    /// The fraud window since the retirement is not over.
    #[msg("The fraud window since the node retired is not over")]
    FraudWindowOpen,
    // Oracles
    /// The signer holds no oracle seat.
    #[msg("The signer holds no oracle seat")]
    NotAnOracle,
    /// All 32 seats are taken.
    #[msg("All 32 seats are taken")]
    SeatsFull,
    /// The authority already has a seat.
    #[msg("The authority already has a seat")]
    SeatTaken,
    /// A seat without weight is no seat.
    #[msg("A seat's weight is zero")]
    ZeroWeight,
    /// The report is not for the current or the previous epoch.
    #[msg("The report is not for the current or the previous epoch")]
    WrongEpoch,
    /// The report has no leaves.
    #[msg("The report has no leaves")]
    EmptyReport,
    /// The seat already signed this epoch.
    #[msg("The seat already signed a report for this epoch")]
    AlreadySigned,
    /// The epoch has no accepted root in the ring.
    #[msg("The epoch has no accepted root in the ring")]
    NoAcceptedRoot,
    /// The bytes are not a leaf of this kind.
    #[msg("The bytes are not a leaf of this kind")]
    NotALeaf,
    /// The leaf is of another account.
    #[msg("The leaf is of another account")]
    LeafOfAnother,
    /// The path does not lead from the leaf to the accepted root.
    #[msg("The path does not lead from the leaf to the accepted root")]
    WrongPath,
    /// The leaf is not newer than the last one applied.
    #[msg("The leaf is not newer than the last one applied")]
    StaleLeaf,
    /// The beacon account has not reached its size.
    #[msg("The beacon account has not reached its size; grow it first")]
    BeaconsTooSmall,
    /// The beacon account has its size.
    #[msg("The beacon account already has its size")]
    BeaconsFull,
    /// The beacon of this epoch is already open or latched.
    #[msg("The beacon of this epoch is already open")]
    BeaconOpen,
    /// The beacon of this epoch is not open.
    #[msg("The beacon of this epoch is not open")]
    BeaconNotOpen,
    /// The slot the beacon names has not passed.
    #[msg("The slot the beacon names has not passed")]
    BeaconTooEarly,
    /// The slot the beacon names has left SlotHashes.
    #[msg("The slot the beacon names has left SlotHashes; open the beacon again")]
    BeaconMissed,
    // Customers, jobs and leases
    /// The free balance is smaller than the amount.
    #[msg("The free balance is smaller than the amount")]
    NotEnoughFree,
    /// The objective is unknown.
    #[msg("The objective is unknown")]
    UnknownObjective,
    /// The tier is unknown.
    #[msg("The tier is neither Spot nor Guaranteed")]
    TierNotOpen,
    /// More nodes were asked for than a job may have.
    #[msg("The number of nodes is not 1 to 16, or not what the job takes in one bid")]
    BadNodeCount,
    /// The job's price or duration is out of range.
    #[msg("The job's price, duration or bidding time is out of range")]
    BadJob,
    /// Bidding has closed.
    #[msg("Bidding has closed")]
    BiddingClosed,
    /// Bidding is still open.
    #[msg("Bidding is still open")]
    BiddingOpen,
    /// The job does not take this: awarded or cancelled.
    #[msg("The job is awarded or cancelled")]
    JobNotOpen,
    /// The bid is above the job's maximum.
    #[msg("The bid is above the job's maximum")]
    BidTooHigh,
    /// The board is full of bids that score as much or more.
    #[msg("The leaderboard is full of bids that score as much or more")]
    BidTooLow,
    /// The node does not have what the job requires.
    #[msg("The node does not have what the job requires")]
    RequirementsNotMet,
    /// The bid still stands on the leaderboard.
    #[msg("The bid still stands")]
    BidStands,
    /// The node has no bid on this job.
    #[msg("The node has no bid on this job")]
    NoSuchBid,
    /// The bid at the cursor is of another node.
    #[msg("The bid at the cursor is of another node")]
    NotNextBid,
    /// The node at the cursor can no longer serve.
    #[msg("The node at the cursor can no longer serve; drop its bid")]
    BidBroken,
    /// The node at the cursor can serve.
    #[msg("The node at the cursor can serve; award it")]
    BidNotBroken,
    /// There is no bid left.
    #[msg("There is no bid left")]
    NoBids,
    /// The award is late.
    #[msg("The time to award has passed")]
    AwardLate,
    /// It may still be awarded.
    #[msg("The job may still be awarded")]
    AwardPending,
    /// The lease has ended.
    #[msg("The lease has ended")]
    LeaseEnded,
    /// The lease has not ended.
    #[msg("The lease has not ended")]
    LeaseRunning,
    /// A stop was already asked for.
    #[msg("A stop was already asked for")]
    AlreadyStopped,
    /// The dispute window is open.
    #[msg("The dispute window is still open")]
    DisputeWindowOpen,
    /// The oracles are not silent long enough.
    #[msg("The oracles have not been silent for long enough")]
    OraclesNotSilent,
    /// Leases of this job are still open.
    #[msg("Leases of this job are still open")]
    LeasesOpen,
    /// Fees are due.
    #[msg("Fees are due; sweep them first")]
    FeesDue,
    /// No fees are due.
    #[msg("No fees are due")]
    NoFeesDue,
    // Fraud
    /// The commit does not decode.
    #[msg("The commit does not decode")]
    BadCommit,
    /// The commit is of another deployment.
    #[msg("The commit is of another deployment")]
    WrongDeployment,
    /// The commit's beacon is not the ring's.
    #[msg("The commit's beacon is not the one latched for its epoch, or the epoch is too old")]
    WrongBeacon,
    /// No valid signature by the operator over exactly this commit precedes this instruction.
    #[msg("The instruction before this one is not the operator's ed25519 signature over exactly this commit")]
    BadCommitSignature,
    /// The proof is malformed or leads to another root.
    #[msg("The proof is malformed or does not lead to the committed root")]
    BadProof,
    /// The entry is right.
    #[msg("The entry is right: nothing is proven")]
    EntryCorrect,
    /// The link is right.
    #[msg("The link is right: nothing is proven")]
    LinkCorrect,
    /// The entry shares a row or a column with one already proven.
    #[msg("The entry shares a row or a column with one already proven")]
    SharedLine,
    /// The case is closed to new proofs.
    #[msg("The case is closed to new proofs")]
    CaseClosed,
    /// The case is still open and short of fraud.
    #[msg("The case is still open and short of fraud")]
    CaseOpen,
    /// The case was executed.
    #[msg("The case was executed")]
    CaseExecuted,
    /// The case was not executed.
    #[msg("The case was not executed")]
    CaseNotExecuted,
    // Money and leases, appended
    /// The token program is not the one that owns the token account.
    #[msg("The token program is not the one that owns the token account")]
    WrongTokenProgram,
    /// The leaf is dated after its root was accepted.
    #[msg("The leaf is dated after its root was accepted")]
    LeafTooNew,
    /// The customer still has money, fees or jobs.
    #[msg("The customer still has free or reserved money, holdbacks, fees due, open jobs or claims to come")]
    CustomerNotEmpty,
    // Fraud, appended
    /// The commit is young enough for another case.
    #[msg("Something was proven and the commit is not yet older than 1,024 epochs")]
    CommitInWindow,
    // Providers and nodes, appended
    /// The node is not retired.
    #[msg("The node is not retired; retire it first")]
    NodeNotRetired,
    /// The provider still has stake, earnings, nodes or leases.
    #[msg("The provider still has stake, unbonding, earnings, open node accounts or open leases")]
    ProviderNotEmpty,
    // Guaranteed leases and clusters
    /// The lease is not of this tier.
    #[msg("The lease is not of this tier")]
    WrongTier,
    /// The lease did not end by a failure of its node.
    #[msg("The lease did not end by a failure of its node")]
    NotFailed,
    /// A stand-by took over this position already.
    #[msg("A stand-by took over this position already")]
    AlreadyReplaced,
    /// The lease is not a running stand-by of this job.
    #[msg("The lease is not a running stand-by of this job")]
    NotStandBy,
    /// The stand-by cannot take over: its node is not able.
    #[msg("The stand-by cannot take over: its node is not able")]
    StandByNotAble,
    /// The position has no seconds left.
    #[msg("The position has no seconds left")]
    NothingLeftToDo,
    /// The lease lost no seconds that are not claimed.
    #[msg("The lease lost no seconds that are not claimed")]
    NothingLost,
    /// The lost seconds of this lease were claimed from this bond.
    #[msg("The lost seconds of this lease were claimed from this bond")]
    AlreadyClaimed,
    /// The bid does not suit the topology of the job.
    #[msg("The bid does not suit the topology of the job")]
    WrongTopology,
    /// The claim has not matured.
    #[msg("The claim has not matured")]
    ClaimNotMature,
    /// The lease is in dispute.
    #[msg("The lease is in dispute")]
    LeaseDisputed,
    /// A failed guaranteed lease cannot be accepted; it closes after its dispute window.
    #[msg("A failed guaranteed lease cannot be accepted; it closes after its dispute window")]
    CannotAccept,
    /// The dispute window is over.
    #[msg("The dispute window is over")]
    DisputeWindowOver,
    /// The agreed seconds are fewer than already paid, or more than passed.
    #[msg("The agreed seconds are fewer than already paid, or more than passed")]
    BadMutualEnd,
    /// The leaf's seconds fall behind those applied before, or do not add up.
    #[msg("The leaf's seconds fall behind those applied before, or do not add up")]
    LeafInconsistent,
    /// The customer's compensation comes first.
    #[msg("The customer's compensation out of the bond is not claimed yet; claim it first")]
    CompensationDue,
    /// No compensation is due.
    #[msg("No compensation is due")]
    NoCompensation,
    /// The job is not cancelled.
    #[msg("The job is not cancelled")]
    JobStands,
    // Judged slashing
    /// The finding is no offence.
    #[msg("The finding is no offence")]
    NoOffence,
    /// A case was opened for this audit already.
    #[msg("A case was opened for this audit already")]
    OffenceJudged,
    /// The time to appeal is not over.
    #[msg("The time to appeal is not over")]
    AppealOpen,
    /// The time to appeal is over.
    #[msg("The time to appeal is over")]
    AppealOver,
    /// The case was appealed already.
    #[msg("The case was appealed already")]
    AlreadyAppealed,
    /// The provider lost what it may lose by judgement in this epoch.
    #[msg("The provider lost what it may lose by judgement in this epoch")]
    EpochCapReached,
    /// Governance overturned the case.
    #[msg("Governance overturned the case")]
    CaseOverturned,
    /// A judged case of the provider is open.
    #[msg("A judged case of the provider is open")]
    ProviderUnderJudgement,
    /// The two cases are not of two commits for one node, GPU and epoch.
    #[msg("The two cases are not of two commits for one node, GPU and epoch")]
    NotADoubleCommit,
    /// The node has all the stake it needs.
    #[msg("The node has all the stake it needs")]
    StakeNotShort,
    /// The node has less stake than its claim needs.
    #[msg("The node has less stake than its claim needs")]
    NotEnoughNodeStake,
    /// The proven entry is none of those the leaf's oracles had to check.
    #[msg("The proven entry is none of those the leaf's oracles had to check")]
    NotAQuery,
    /// The oracle did not sign the report.
    #[msg("The oracle did not sign the report")]
    NotASigner,
    /// Nothing is left to slash.
    #[msg("Nothing is left to slash")]
    NothingToSlash,
    /// A part of the penalty lies behind nodes that were not given.
    #[msg("A part of the penalty lies behind other nodes of the provider; give them too")]
    NodesMissing,
    // Keys
    /// No change of the cold key was proposed to this signer.
    #[msg("No change of the cold key was proposed to this signer")]
    NoPendingAuthority,
    // Disputes
    /// The dispute takes no more votes.
    #[msg("The dispute takes no more votes")]
    DisputeClosed,
    /// The dispute is not decided yet.
    #[msg("The dispute is not decided yet")]
    DisputeOpen,
    /// This seat or voter voted already.
    #[msg("This seat or voter voted already")]
    AlreadyVoted,
    /// Nothing is held back and no bond stands behind the lease.
    #[msg("Nothing is held back and no bond stands behind the lease")]
    NothingToDispute,
    // Governance
    /// New work is paused.
    #[msg("New work is paused")]
    Paused,
    /// The guardian may pause for at most 7 days in any 30.
    #[msg("The guardian may pause for at most 7 days in any 30")]
    PausedTooOften,
    /// The signer is not the guardian.
    #[msg("The signer is not the guardian")]
    WrongGuardian,
    /// The lock is shorter than the voting period or than what was locked before.
    #[msg("The lock is shorter than the voting period or than what was locked before")]
    LockTooShort,
    /// The lock is longer than the longest.
    #[msg("The lock is longer than the longest")]
    LockTooLong,
    /// The lock is not over, or a proposal voted on has not ended.
    #[msg("The lock is not over, or a proposal voted on has not ended")]
    LockHeld,
    /// The lock is not older than the proposal.
    #[msg("The lock is not older than the proposal")]
    LockTooYoung,
    /// The voting period is over.
    #[msg("The voting period is over")]
    VotingOver,
    /// The voting period is not over.
    #[msg("The voting period is not over")]
    VotingOpen,
    /// The proposal's payload is not of its kind.
    #[msg("The proposal's payload is not of its kind")]
    BadProposal,
    /// The proposal is of another kind.
    #[msg("The proposal is of another kind")]
    WrongKind,
    /// The proposal did not pass.
    #[msg("The proposal did not pass")]
    NotPassed,
    /// The proposal's timelock is not over.
    #[msg("The proposal's timelock is not over")]
    TimelockRunning,
    /// The time to execute the proposal is over.
    #[msg("The time to execute the proposal is over")]
    GraceOver,
    /// The proposal was executed or has ended.
    #[msg("The proposal was executed or has ended")]
    AlreadyExecuted,
    /// No parameters are pending, or their epoch has not come.
    #[msg("No parameters are pending, or their epoch has not come")]
    NothingPending,
    /// The buffer is not the one the vote was about.
    #[msg("The buffer is not the one the vote was about")]
    BufferChanged,
    /// The proposal may still be executed.
    #[msg("The proposal may still be executed")]
    ProposalNotOver,
    /// The treasury does not hold that much beside the deposits it keeps.
    #[msg("The treasury does not hold that much beside the deposits it keeps")]
    TreasuryTooSmall,
    /// Other parameters are pending.
    #[msg("Other parameters are pending; they come into force first")]
    ParamsPending,
    /// The account is no buffer of the loader under the signer's authority.
    #[msg("The account is no program buffer under the authority that signs")]
    NotABuffer,
    /// The vault holds nothing beyond what its owner's books say.
    #[msg("The vault holds nothing beyond what its owner's books say")]
    NoSurplus,
    // Oracles
    /// The oracle has less stake than a signature needs.
    #[msg("The oracle has less stake than a signature needs")]
    OracleUnderstaked,
    /// The oracle holds a seat; only governance removes it.
    #[msg("The oracle holds a seat; only governance removes it")]
    OracleSeated,
    /// The oracle holds no seat.
    #[msg("The oracle holds no seat")]
    OracleRemoved,
    /// Nothing can be claimed for this period.
    #[msg("Nothing can be claimed for this period")]
    NothingToClaim,
    /// The oracle still has stake, answers for a root in the ring, or may have rewards to claim.
    #[msg("The oracle still has stake, answers for a root in the ring, or may have rewards to claim")]
    OracleNotEmpty,
}
