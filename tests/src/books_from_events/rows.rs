//! What each event changes in the books.

/// Event, the account it has a number of, and its steps:
///
/// - `open PATH KIND`, `close PATH`: an account begins or ends; all its amounts begin at zero. `ensure PATH KIND`: it
///   begins unless it is open.
/// - `link PATH.NAME = FIELD`: the account knows another, for later paths.
/// - `PATH.AMOUNT = SUM`, `+=`, `-=`: a sum of fields of the event.
/// - `PATH{A B}`: each amount is the event's field of that name, with the last word of the path before it or without.
/// - `FIELD? STEP`, `!FIELD? STEP`: only where the field is, or is not, above zero.
///
/// A path is a field of the event that holds an address, or one of the deployment's own accounts, then links. A `?` at
/// its end: only if that account is open.
pub const ROWS: &[(&str, &str, &str)] = &[
    // Genesis
    (
        "Initialized",
        "config",
        "open config Config; open oracles OracleSet; open reports Reports; open beacons Beacons; config{genesis_supply}",
    ),
    ("BeaconsGrown", "beacons", ""),
    ("OracleSeated", "oracles", "open oracle Oracle; oracles{total_weight}"),
    ("GenesisSealed", "config", ""),
    // Providers and nodes
    ("ProviderRegistered", "provider", "open provider Provider"),
    ("Staked", "provider", "provider{stake locked}"),
    ("UnstakeBegun", "provider", "provider{stake locked unbonding}"),
    ("Withdrawn", "provider", "provider{stake unbonding}; provider.earned = 0"),
    ("OperatorSet", "provider", ""),
    ("AuthorityProposed", "provider", ""),
    ("AuthorityAccepted", "provider", ""),
    ("TermsSet", "provider", ""),
    ("ProviderClosed", "provider", "close provider"),
    ("NodeRegistered", "node", "open node Node; node{locked_stake}; provider{stake locked}"),
    ("AskSet", "node", ""),
    ("DrainSet", "node", ""),
    ("NodeRelocked", "node", "node{locked_stake}; provider{stake locked}"),
    ("NodeRetired", "node", "provider{stake locked}"),
    ("NodeClosed", "node", "close node"),
    ("AuditApplied", "node", ""),
    ("DowngradePaid", "node", "node{locked_stake}; provider{stake locked}"),
    // Customers
    ("CustomerOpened", "customer", "open customer Customer"),
    ("Deposited", "customer", "customer{free}; customer.deposited += amount"),
    ("CustomerWithdrawn", "customer", "customer{free}; customer.refunded += amount"),
    (
        "FeesSwept",
        "customer",
        "customer.fee_due -= burn_amount + oracle_amount + treasury_amount; customer.burned += burn_amount;
         customer.oracle_share += oracle_amount; customer.treasury_share += treasury_amount; config{burned_total}",
    ),
    ("CustomerClosed", "customer", "close customer"),
    // Jobs
    ("JobPosted", "job", "open job Job; link job.customer = customer; job{reserve_amount}; customer{free reserved}"),
    ("BidPlaced", "job", "node.bid_bond = bond; provider{bonds locked}"),
    ("BidReleased", "node", "node.bid_bond = 0; provider{bonds locked}"),
    (
        "LeaseAwarded",
        "job",
        "open lease Lease; link lease.job = job; link lease.provider = provider; lease{reserve_amount bond};
         lease.bond_left = bond; job{reserve_amount}; node.bid_bond = 0; job.customer{free reserved};
         provider{bonds lease_bonds locked}",
    ),
    (
        "BidDropped",
        "job",
        "node.bid_bond -= bond; provider{stake bonds locked claims}; forfeited_amount? open claim Claim;
         forfeited_amount? claim.amount = forfeited_amount",
    ),
    ("JobCancelled", "job", "job.reserve_amount = 0; job.customer{free reserved}"),
    ("JobClosed", "job", "customer{free reserved}; close job"),
    // Leases
    (
        "LeaseSettled",
        "lease",
        "lease.gross_amount += net_amount + holdback_amount; lease.fee_amount += fee_amount;
         lease.holdback_amount += holdback_amount; lease{reserve_amount}; lease.job.customer{free reserved fee_due};
         lease.job.customer.holdbacks += holdback_amount; lease.job.customer.paid += net_amount;
         lease.provider{earned}",
    ),
    ("LeaseStopped", "lease", ""),
    ("LeaseExited", "lease", "lease.reserve_amount = 0; lease.job.customer{free reserved}"),
    (
        "LeaseSettledMutually",
        "lease",
        "lease.gross_amount += net_amount + holdback_amount; lease.fee_amount += fee_amount;
         lease.holdback_amount += holdback_amount; lease.reserve_amount = 0; lease.bond_left = 0;
         lease.job.customer{free reserved fee_due}; lease.job.customer.holdbacks += holdback_amount;
         lease.job.customer.paid += net_amount; lease.provider{earned lease_bonds locked}",
    ),
    (
        "LeaseClosed",
        "lease",
        "lease.job.customer{free reserved holdbacks}; lease.job.customer.paid += holdback_amount;
         lease.provider{lease_bonds locked earned}; close lease",
    ),
    (
        "FailedOver",
        "failed",
        "open lease Lease; link lease.job = job; link lease.provider = provider; lease{reserve_amount bond bond_left};
         failed.reserve_amount = 0; stand_by.bond_left = 0",
    ),
    (
        "UnkeptClaimed",
        "failed",
        "failed{bond_left}; provider{stake lease_bonds locked claims}; open claim Claim; claim{amount}",
    ),
    (
        "CompensationClaimed",
        "lease",
        "lease.bond_left = 0; provider{stake lease_bonds locked claims}; open claim Claim; claim{amount}",
    ),
    (
        "ClaimPaid",
        "claim",
        "provider{claims}; beneficiary_kind? beneficiary.earned = beneficiary_balance;
         !beneficiary_kind? beneficiary.free = beneficiary_balance; !beneficiary_kind? beneficiary.received += amount;
         close claim",
    ),
    // Disputes
    ("DisputeOpened", "dispute", "open dispute Dispute; dispute{bond}; customer{free reserved}"),
    ("DisputeVoted", "dispute", "dispute{upheld_weight dismissed_weight}"),
    ("DisputeLapsed", "dispute", ""),
    (
        "DisputeResolved",
        "dispute",
        "lease{holdback_amount bond_left}; lease.job.customer{free reserved holdbacks paid};
         lease.provider{earned stake locked lease_bonds claims}; claim_amount? open claim Claim;
         claim_amount? claim.amount = claim_amount; close dispute",
    ),
    // Oracles
    ("BeaconOpened", "beacons", ""),
    ("BeaconLatched", "beacons", ""),
    ("ReportSigned", "reports", ""),
    ("OracleStaked", "oracle", "oracle{stake}"),
    ("OracleUnstakeBegun", "oracle", "oracle{stake unbonding_amount}"),
    ("OracleWithdrawn", "oracle", "oracle{stake unbonding_amount}"),
    ("OracleLeafApplied", "oracle", "oracles{closed_pot_amount closed_claimed_amount}"),
    (
        "RewardClaimed",
        "oracle",
        "oracle{rewarded_total}; oracles{closed_pot_amount closed_claimed_amount rewarded_total}",
    ),
    ("OracleSlashed", "oracle", "oracle{stake unbonding_amount slashed_total}; config{burned_total}"),
    ("OracleClosed", "oracle", "close oracle"),
    // Fraud and judgement
    ("CaseOpened", "case", "open case FraudCase; case{deposit_lamports}"),
    ("EntryProven", "case", ""),
    ("LinkProven", "case", ""),
    ("DoubleCommitProven", "case", ""),
    (
        "SlashExecuted",
        "case",
        "case.taken_amount += taken_amount; case{unpaid_amount}; case.deposit_lamports -= deposit_lamports;
         provider{stake locked bonds unbonding claims}; provider.slashed_total += taken_amount;
         node?{locked_stake bid_bond}; config{burned_total}",
    ),
    ("CaseClosed", "case", "close case"),
    ("NodeSlashed", "node", "node{locked_stake bid_bond}"),
    (
        "SlashCaseOpened",
        "case",
        "open case SlashCase; case{frozen_amount}; provider{stake locked bonds unbonding claims frozen};
         node{locked_stake bid_bond}",
    ),
    (
        "SlashCaseExecuted",
        "case",
        "case{frozen_amount executed_amount}; provider{frozen slashed_total}; config{burned_total}",
    ),
    ("SlashCaseClosed", "case", "close case"),
    // Governance
    ("VotesLocked", "lock", "ensure lock VoterLock; lock{amount weight}; config{vote_weight_total}"),
    ("VotesUnlocked", "lock", "config{vote_weight_total}; close lock"),
    (
        "ProposalMade",
        "proposal",
        "open proposal Proposal; proposal{deposit_amount total_weight supply_amount}; config{deposits_held}",
    ),
    ("Appealed", "appealed", ""),
    (
        "VoteCast",
        "proposal",
        "open vote Vote; vote{weight}; proposal{yes_weight no_weight voted_amount}",
    ),
    ("VoteClosed", "lock", "close vote"),
    ("ProposalExecuted", "proposal", ""),
    ("ProposalClosed", "proposal", "config{deposits_held}; close proposal"),
    ("ParamsScheduled", "config", ""),
    ("ParamsActivated", "config", ""),
    ("GuardianSet", "config", ""),
    ("PauseSet", "config", ""),
    ("OracleUnseated", "oracles", "oracles{total_weight}"),
    ("SlashOverturned", "case", "case.frozen_amount = 0; provider{stake frozen}"),
    ("RulingOverturned", "dispute", ""),
    ("BufferReturned", "proposal", ""),
    ("SurplusSwept", "owner", ""),
];
