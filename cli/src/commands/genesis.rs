//! `millrace genesis`: done once for a network.

use std::fmt;

use anyhow::{bail, Context as _, Result};
use millrace::constants::MAX_GROWTH;
use millrace::instructions::{InitializeArgs, SeatOracleArgs};
use millrace::state::{Beacons, Config, DurationBounds, OracleSet, Params, Reports, Span};
use millrace_client::ix;
use millrace_client::token::{create_mint, MINT_LEN, TOKEN_ACCOUNT_LEN};
use millrace_client::twin::is_twin;
use millrace_client::{fetch_agreed, pda, Keypair, Pubkey, Signer};
use serde::Serialize;

use crate::context::{mill, Context, Quote};
use crate::spec;

/// Set up a new market: its token and its first state.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make the MILL token: all of it minted to you at once, then the right to mint more given up for good.
    Mint {
        /// Whole supply, in MILL.
        #[arg(long, value_parser = spec::amount, default_value = "1000000000")]
        supply: u64,
    },
    /// Initialise the program with its mint, parameters and oracle seats, then seal genesis.
    ///
    /// Must be signed by the program's upgrade authority, which the seal gives to governance for good: from then on the
    /// program is upgraded by a vote (`millrace gov propose upgrade`). Treasury and oracle pool are accounts of the
    /// program. Can be run again after an interruption.
    Init(InitArgs),
}

#[derive(clap::Args)]
pub struct InitArgs {
    /// The mint: six decimals, no mint or freeze authority.
    #[arg(long, value_parser = spec::address)]
    mint: Pubkey,
    /// An oracle seat as ADDRESS=URL or ADDRESS=URL=WEIGHT; give one for each.
    #[arg(long = "oracle", required = true, value_parser = seat)]
    oracles: Vec<Seat>,
    /// Durations: days on a real network, seconds on a local one.
    #[arg(long, value_enum, default_value_t = Profile::Mainnet)]
    profile: Profile,
    /// Length of an epoch, seconds, where it is not to be the profile's: 600 on mainnet, 4 on a local network.
    #[arg(long)]
    epoch_secs: Option<i64>,
}

impl InitArgs {
    /// The profile's parameters, with the epoch asked for and the durations the program wants it to fit in.
    fn params(&self) -> Result<Params> {
        let mut params = self.profile.params();
        let Some(epoch_secs) = self.epoch_secs else { return Ok(params) };
        let epochs = |count: i64| epoch_secs.checked_mul(count).context("--epoch-secs is out of range");
        params.epoch_secs = epoch_secs;
        params.unbonding_secs = params.unbonding_secs.max(epochs(1_024)?);
        params.oracle_outage_secs = params.oracle_outage_secs.max(epochs(4)?);
        params.case_window_secs = params.case_window_secs.max(epochs(4)?);
        params.check(&self.profile.bounds()).context("an epoch of --epoch-secs is not possible with this profile")?;
        Ok(params)
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Profile {
    Mainnet,
    Local,
}

#[derive(Clone)]
struct Seat {
    authority: Pubkey,
    endpoint: [u8; millrace::constants::ENDPOINT_LEN],
    weight: u64,
}

fn seat(text: &str) -> Result<Seat, String> {
    let mut parts = text.split('=');
    let (Some(key), Some(url)) = (parts.next(), parts.next()) else {
        return Err(format!("{text:?} is not a seat; write ADDRESS=URL or ADDRESS=URL=WEIGHT"));
    };
    let weight = match parts.next() {
        None => 1,
        Some(weight) => weight
            .parse()
            .ok()
            .filter(|weight| *weight > 0)
            .ok_or_else(|| format!("{weight:?} is not a weight; give a whole number above zero"))?,
    };
    Ok(Seat { authority: spec::address(key)?, endpoint: spec::endpoint(url)?, weight })
}

const DAY: i64 = 86_400;

impl Profile {
    fn bounds(self) -> DurationBounds {
        let span = |min_secs, max_secs| Span { min_secs, max_secs };
        match self {
            Self::Mainnet => DurationBounds {
                epoch: span(300, DAY),
                unbonding: span(7 * DAY, 180 * DAY),
                dispute_window: span(3_600, 14 * DAY),
                award_window: span(60, DAY),
                audit_valid: span(3_600, 30 * DAY),
                oracle_outage: span(3_600, 14 * DAY),
                jail: span(DAY, 365 * DAY),
                case_window: span(3_600, 14 * DAY),
                stop_notice: span(0, 3_600),
                max_lease: span(3_600, 60 * DAY),
                appeal_window: span(3_600, 30 * DAY),
                dispute_vote: span(3_600, 14 * DAY),
                voting: span(DAY, 30 * DAY),
                timelock: span(DAY, 30 * DAY),
                grace: span(DAY, 60 * DAY),
                max_lock: span(30 * DAY, 730 * DAY),
            },
            Self::Local => {
                let any = span(1, 30 * DAY);
                DurationBounds {
                    epoch: any,
                    unbonding: any,
                    dispute_window: any,
                    award_window: any,
                    audit_valid: any,
                    oracle_outage: any,
                    jail: any,
                    case_window: any,
                    stop_notice: span(0, DAY),
                    max_lease: any,
                    appeal_window: any,
                    dispute_vote: any,
                    voting: any,
                    timelock: any,
                    grace: any,
                    max_lock: any,
                }
            }
        }
    }

    fn params(self) -> Params {
        let base = Params {
            fee_bps: 300,
            oracle_share_bps: 2_000,
            treasury_share_bps: 3_000,
            holdback_bps: 1_000,
            bid_bond_bps: 500,
            bounty_bps: 500,
            quorum_bps: 6_000,
            bond_bps: 2_000,
            compensation_bps: 5_000,
            standby_bps: 1_000,
            withheld_slash_bps: 2_000,
            capacity_slash_bps: 1_000,
            max_slash_per_epoch_bps: 2_000,
            vote_quorum_bps: 2_000,
            padding: [0; 4],
            stake_base_amount: 100_000_000,
            stake_per_1000_gops_amount: 10_000_000,
            flip_penalty_amount: 1_000_000,
            reliability_half_fee_amount: 1_000_000_000,
            case_deposit_lamports: 10_000_000,
            downgrade_fee_amount: 100_000,
            dispute_bond_amount: 1_000_000,
            oracle_stake_amount: 100_000_000_000,
            proposal_deposit_amount: 1_000_000_000,
            reward_period_epochs: 32,
            epoch_secs: 600,
            unbonding_secs: 45 * DAY,
            dispute_window_secs: 3 * DAY,
            award_window_secs: 600,
            audit_valid_secs: 7 * DAY,
            oracle_outage_secs: DAY,
            jail_secs: 90 * DAY,
            case_window_secs: 2 * DAY,
            stop_notice_secs: 60,
            max_lease_secs: 30 * DAY,
            appeal_window_secs: 3 * DAY,
            dispute_vote_secs: 2 * DAY,
            voting_secs: 5 * DAY,
            timelock_secs: 2 * DAY,
            grace_secs: 14 * DAY,
            max_lock_secs: 730 * DAY,
            reserved: [0; 64],
        };
        match self {
            Self::Mainnet => base,
            Self::Local => Params {
                epoch_secs: 4,
                unbonding_secs: 4_096,
                dispute_window_secs: 30,
                award_window_secs: 30,
                audit_valid_secs: 3_600,
                oracle_outage_secs: 60,
                jail_secs: 3_600,
                case_window_secs: 60,
                stop_notice_secs: 2,
                max_lease_secs: 600,
                appeal_window_secs: 30,
                dispute_vote_secs: 30,
                voting_secs: 12,
                timelock_secs: 4,
                grace_secs: 600,
                max_lock_secs: 3_600,
                oracle_stake_amount: 0,
                reward_period_epochs: 8,
                ..base
            },
        }
    }
}

#[derive(Serialize)]
struct Minted {
    mint: String,
    supply: u64,
    holder: String,
}

impl fmt::Display for Minted {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "mint {}\n{} to {}; nobody can mint or freeze any more", self.mint, mill(self.supply), self.holder)
    }
}

#[derive(Serialize)]
struct Opened {
    program: String,
    mint: String,
    treasury: String,
    oracle_pool: String,
    governance: String,
    deployment_id: String,
    seats: u8,
    epoch_secs: i64,
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows = [
            ("program", self.program.clone()),
            ("mint", self.mint.clone()),
            ("treasury", self.treasury.clone()),
            ("oracle pool", self.oracle_pool.clone()),
            ("governance", self.governance.clone()),
            ("deployment id", self.deployment_id.clone()),
            ("oracle seats", self.seats.to_string()),
            ("epoch", format!("{} s", self.epoch_secs)),
        ];
        write!(f, "{}", crate::output::lines(&rows))
    }
}

pub async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Mint { supply } => mint(context, supply).await,
        Command::Init(args) => init(context, args).await,
    }
}

async fn mint(context: &Context, supply: u64) -> Result<()> {
    let holder = context.address()?;
    let rent = context.rent(&[MINT_LEN, TOKEN_ACCOUNT_LEN]).await?;
    context.confirm(&Quote {
        title: "Make a token with a fixed supply".into(),
        rows: vec![("supply", mill(supply)), ("to", holder.to_string()), ("rent", rent)],
    })?;
    let mint = Keypair::new();
    let rent_lamports = context.chain().minimum_balance(MINT_LEN).await?;
    let instructions = create_mint(&holder, &mint.pubkey(), &holder, supply, rent_lamports);
    context.submit_with("mint MILL", &instructions, &[&mint]).await?;
    context.print(&Minted { mint: mint.pubkey().to_string(), supply, holder: holder.to_string() });
    Ok(())
}

/// A program with planted faults must never hold a market.
async fn refuse_twin(context: &Context) -> Result<()> {
    let image = context.chain().account(&pda::program_data()).await?;
    let image = image.with_context(|| format!("no upgradeable program is deployed at {}", millrace::ID))?;
    if is_twin(&image.data) {
        bail!(
            "the program at {} is the twin with planted faults, for tests only; deploy the program itself",
            millrace::ID
        );
    }
    Ok(())
}

async fn init(context: &Context, args: InitArgs) -> Result<()> {
    let payer = context.address()?;
    let chain = context.chain();
    refuse_twin(context).await?;
    let mint_address = args.mint;
    let mint = chain
        .account(&args.mint)
        .await?
        .with_context(|| format!("there is no account at {}; make the mint with `millrace genesis mint`", args.mint))?;
    let token_program = mint.owner;
    let sizes = [
        std::mem::size_of::<Config>(),
        std::mem::size_of::<Beacons>(),
        std::mem::size_of::<Reports>(),
        std::mem::size_of::<OracleSet>(),
        TOKEN_ACCOUNT_LEN,
        TOKEN_ACCOUNT_LEN,
    ];
    context.confirm(&Quote {
        title: format!("Open the market of program {}", millrace::ID),
        rows: vec![
            ("mint", args.mint.to_string()),
            ("oracle seats", args.oracles.len().to_string()),
            ("rent", context.rent(&sizes).await?),
        ],
    })?;
    if fetch_agreed::<Config>(chain, &pda::config()).await?.is_none() {
        let args = InitializeArgs { bounds: args.profile.bounds(), params: args.params()? };
        let initialize = ix::initialize(&payer, &mint_address, &token_program, args);
        context.submit("initialize", &[initialize]).await?;
    }
    grow_beacons(context, &payer).await?;
    let market = context.market().await?;
    if market.genesis_open == 0 {
        bail!("genesis of this market is sealed; it cannot be changed from here");
    }
    for seat in &args.oracles {
        let seats = fetch_agreed::<OracleSet>(chain, &pda::oracles()).await?.context("the oracle set is missing")?;
        if seats.seats().iter().all(|taken| taken.authority != seat.authority) {
            context
                .submit(
                    "seat oracle",
                    &[ix::seat_oracle(
                        &payer,
                        &(&market).into(),
                        SeatOracleArgs {
                            oracle_authority: seat.authority,
                            weight: seat.weight,
                            endpoint: seat.endpoint,
                        },
                    )],
                )
                .await?;
        }
    }
    context.submit("seal genesis", &[ix::seal_genesis(&payer)]).await?;
    context.print(&Opened {
        program: millrace::ID.to_string(),
        mint: args.mint.to_string(),
        treasury: market.treasury.to_string(),
        oracle_pool: market.oracle_pool.to_string(),
        governance: market.governance.to_string(),
        deployment_id: hex::encode(market.deployment_id),
        seats: args.oracles.len() as u8,
        epoch_secs: market.params.epoch_secs,
    });
    Ok(())
}

/// The ring of beacons is larger than an account may be made at once.
async fn grow_beacons(context: &Context, payer: &Pubkey) -> Result<()> {
    let full = 8 + std::mem::size_of::<Beacons>();
    loop {
        let account = context.chain().account(&pda::beacons()).await?.context("the beacons account is missing")?;
        if account.data.len() >= full {
            return Ok(());
        }
        let steps = (full - account.data.len()).div_ceil(MAX_GROWTH).min(5);
        // Each instruction of a transaction may grow the account by MAX_GROWTH.
        let instructions: Vec<_> = (0..steps).map(|_| ix::grow_beacons(payer)).collect();
        context.submit("grow beacons", &instructions).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_profiles_are_within_their_own_bounds() {
        for profile in [Profile::Mainnet, Profile::Local] {
            profile.bounds().check().unwrap();
            profile.params().check(&profile.bounds()).unwrap();
            let with = |epoch_secs| InitArgs { mint: Pubkey::default(), oracles: vec![], profile, epoch_secs }.params();
            assert_eq!(with(Some(1_200)).unwrap().epoch_secs, 1_200);
            assert!(with(Some(0)).is_err() && with(Some(i64::MAX)).is_err());
        }
    }
}
