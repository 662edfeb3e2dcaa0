//! Puts a machine up for sale.

use anchor_lang::prelude::*;
use millrace_core::stake::required_stake;

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, NodeRegistered};
use crate::state::{space, Config, Node, NodeClass, NodeState, Provider};

/// Highest region code: a job names its regions by the bits of 64.
const MAX_REGION: u8 = 63;

/// What a provider claims of a machine.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct RegisterNodeArgs {
    /// A [`NodeClass`].
    pub class: u8,
    /// Region code, 0 to 63.
    pub region: u8,
    /// GPUs in the machine, at least one; exactly one for class CPU.
    pub gpu_count: u16,
    /// A label from the client's catalogue, proven by nothing.
    pub model_id: u32,
    /// Memory of one GPU, MiB.
    pub claimed_vram_mib: u32,
    /// Speed of the whole machine, gops, above zero. The stake covers it and no audit verifies more.
    pub claimed_gops: u64,
    /// Asking price, base units a second, at least the floor the cold key set.
    pub ask_per_sec: u64,
    /// Site within the region, equal for nodes of one place.
    pub site: [u8; 16],
}

/// Called by: the authority, who pays the rent, unless new work is paused. Moves: nothing; locks the stake the claimed
/// speed needs (I3).
#[event_cpi]
#[derive(Accounts)]
pub struct RegisterNode<'info> {
    /// Cold key of the provider; pays the rent.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The deployment: tells the stake a node needs.
    pub config: AccountLoader<'info, Config>,
    /// The provider.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority)]
    pub provider: AccountLoader<'info, Provider>,
    /// The new account, at the provider's next index.
    #[account(
        init, payer = authority, space = space::<Node>(),
        seeds = [NODE_SEED, provider.key().as_ref(), &provider.load()?.next_node_index.to_le_bytes()], bump,
    )]
    pub node: AccountLoader<'info, Node>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl RegisterNode<'_> {
    fn validate(&self, args: &RegisterNodeArgs, now: i64) -> Result<()> {
        let is_cpu = args.class == NodeClass::Cpu as u8;
        let known_class = is_cpu || args.class == NodeClass::Gpu as u8;
        let counted = args.gpu_count > 0 && (!is_cpu || args.gpu_count == 1);
        let is_sane = known_class && counted && args.region <= MAX_REGION && args.claimed_gops > 0;
        require!(is_sane, MillraceError::BadNode);
        self.config.load()?.require_not_paused(now)?;
        let provider = self.provider.load()?;
        require!(args.ask_per_sec >= provider.min_bid_per_sec, MillraceError::BelowPriceFloor);
        provider.require_active(now)
    }

    /// Locks the stake and writes the account.
    pub fn handle(ctx: Context<Self>, args: RegisterNodeArgs) -> Result<()> {
        ctx.accounts.validate(&args, Clock::get()?.unix_timestamp)?;
        let accounts = &ctx.accounts;
        let locked_stake = {
            let params = &accounts.config.load()?.params;
            required_stake(args.claimed_gops, params.stake_base_amount, params.stake_per_1000_gops_amount)
                .ok_or(MillraceError::MathOverflow)?
        };
        let (index, provider_locked, provider_stake) = {
            let mut provider = accounts.provider.load_mut()?;
            let index = provider.add_node(locked_stake)?;
            provider.invariant()?;
            (index, provider.locked, provider.stake)
        };
        let sequence = {
            let mut node = accounts.node.load_init()?;
            node.version = ACCOUNT_VERSION;
            node.bump = ctx.bumps.node;
            node.class = args.class;
            node.state = NodeState::Registered as u8;
            node.region = args.region;
            node.gpu_count = args.gpu_count;
            node.index = index;
            node.model_id = args.model_id;
            node.provider = accounts.provider.key();
            node.site = args.site;
            node.claimed_vram_mib = args.claimed_vram_mib;
            node.claimed_gops = args.claimed_gops;
            node.locked_stake = locked_stake;
            node.stake_required = locked_stake;
            node.ask_per_sec = args.ask_per_sec;
            node.rent_payer = accounts.authority.key();
            next(&mut node.sequence)
        };
        emit(
            &accounts.event_authority,
            &NodeRegistered {
                sequence,
                node: accounts.node.key(),
                provider: accounts.provider.key(),
                index,
                class: args.class,
                claimed_gops: args.claimed_gops,
                ask_per_sec: args.ask_per_sec,
                locked_stake,
                provider_locked,
                provider_stake,
            },
        )
    }
}
