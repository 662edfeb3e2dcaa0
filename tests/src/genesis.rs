//! A market's beginning, with parameters of seconds.

use std::rc::Rc;

use millrace::constants::ENDPOINT_LEN;
use millrace::instructions::{InitializeArgs, SeatOracleArgs};
use millrace::state::{Beacons, DurationBounds, Params, Span};
use millrace_core::money::MILL;

use crate::keys::oracle_key;
use crate::{ix, pda, Signer, TokenStandard, World};

/// Seconds of an epoch here.
pub const EPOCH_SECS: i64 = 60;

/// What a world begins with.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// The mint's program.
    pub standard: TokenStandard,
    /// The parameters.
    pub params: Params,
    /// Their bounds.
    pub bounds: DurationBounds,
    /// Weight of each seat.
    pub weights: Vec<u64>,
    /// The program, when it is another than the built one.
    pub program: Option<Rc<[u8]>>,
}

impl Default for Genesis {
    fn default() -> Self {
        Self {
            standard: TokenStandard::Token,
            params: local_params(),
            bounds: local_bounds(),
            weights: vec![1; 3],
            program: None,
        }
    }
}

/// Parameters of minutes, so that a test outlives every window.
pub fn local_params() -> Params {
    Params {
        fee_bps: 500,
        oracle_share_bps: 3_000,
        treasury_share_bps: 2_000,
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
        stake_base_amount: 100 * MILL,
        stake_per_1000_gops_amount: 10 * MILL,
        flip_penalty_amount: 5 * MILL,
        reliability_half_fee_amount: MILL,
        case_deposit_lamports: 100_000_000,
        downgrade_fee_amount: 100_000,
        dispute_bond_amount: 1_000_000,
        oracle_stake_amount: 0,
        proposal_deposit_amount: 10 * MILL,
        reward_period_epochs: 8,
        epoch_secs: EPOCH_SECS,
        unbonding_secs: 61_440,
        dispute_window_secs: 600,
        award_window_secs: 600,
        audit_valid_secs: 86_400,
        oracle_outage_secs: 900,
        jail_secs: 86_400,
        case_window_secs: 600,
        stop_notice_secs: 30,
        max_lease_secs: 7_200,
        appeal_window_secs: 600,
        dispute_vote_secs: 600,
        voting_secs: 1_200,
        timelock_secs: 600,
        grace_secs: 3_600,
        max_lock_secs: 86_400,
        reserved: [0; 64],
    }
}

/// Bounds that allow seconds.
pub fn local_bounds() -> DurationBounds {
    let span = Span { min_secs: 0, max_secs: 30 * 86_400 };
    DurationBounds {
        epoch: Span { min_secs: 1, ..span },
        unbonding: span,
        dispute_window: span,
        award_window: span,
        audit_valid: span,
        oracle_outage: span,
        jail: span,
        case_window: span,
        stop_notice: span,
        max_lease: span,
        appeal_window: span,
        dispute_vote: span,
        voting: span,
        timelock: span,
        grace: span,
        max_lock: span,
    }
}

/// An endpoint as the program stores it.
///
/// # Panics
/// When `url` is longer than 96 bytes.
pub fn endpoint(url: &str) -> [u8; ENDPOINT_LEN] {
    let mut bytes = [0; ENDPOINT_LEN];
    bytes[..url.len()].copy_from_slice(url.as_bytes());
    bytes
}

impl World {
    /// A sealed market with three oracles of equal weight, an SPL Token mint and [`local_params`].
    pub fn new() -> Self {
        Self::at(Genesis::default())
    }

    /// A sealed market.
    pub fn at(genesis: Genesis) -> Self {
        let mut world = Self::unsealed(&genesis);
        for (seat, weight) in genesis.weights.iter().enumerate() {
            world.seat(seat, *weight);
        }
        let seal = ix::seal_genesis(&world.deployer.pubkey());
        let deployer = world.deployer.insecure_clone();
        world.must(&[seal], &[&deployer]);
        world
    }

    /// A market with its accounts at full size, but no seats and not sealed.
    pub fn unsealed(genesis: &Genesis) -> Self {
        let mut world = match &genesis.program {
            Some(program) => Self::bare_with(genesis.standard, program),
            None => Self::bare(genesis.standard),
        };
        let deployer = world.deployer.insecure_clone();
        let args = InitializeArgs { params: genesis.params, bounds: genesis.bounds };
        world.must(&[ix::initialize(&world, args)], &[&deployer]);
        while world.svm.get_account(&pda::beacons()).map_or(0, |account| account.data.len()) < Beacons::SPACE {
            world.must(&[ix::grow_beacons(&deployer.pubkey())], &[&deployer]);
        }
        world
    }

    fn seat(&mut self, seat: usize, weight: u64) {
        let oracle = oracle_key(&format!("oracle {seat}"));
        self.fund(&oracle.pubkey());
        let args = SeatOracleArgs {
            oracle_authority: oracle.pubkey(),
            weight,
            endpoint: endpoint(&format!("http://127.0.0.1:{}", 9_100 + seat)),
        };
        let deployer = self.deployer.insecure_clone();
        let seating = ix::seat_oracle(self, args);
        self.must(&[seating], &[&deployer]);
        self.oracles.push(oracle);
    }

    /// The epoch under way.
    ///
    /// # Panics
    /// When the market is not initialised.
    pub fn epoch(&self) -> u64 {
        self.config().epoch_at(self.now()).expect("the clock is after genesis")
    }

    /// Lets time pass until the next epoch begins.
    pub fn warp_to_next_epoch(&mut self) {
        self.warp_epochs(1);
    }

    /// Lets time pass until the `epochs`-th epoch from here begins.
    pub fn warp_epochs(&mut self, epochs: u64) {
        let config = self.config();
        let target = self.epoch() + epochs;
        let starts_at =
            millrace_core::epoch::epoch_starts_at(config.base_epoch, config.base_at, config.params.epoch_secs, target);
        self.warp_to(starts_at.expect("the epoch is in range"));
    }

    /// What instructions name of the market.
    pub fn market(&self) -> millrace_client::ix::Market {
        millrace_client::ix::Market {
            mint: self.mint,
            token_program: self.standard.id(),
            treasury: self.treasury,
            oracle_pool: self.oracle_pool,
        }
    }

    /// The config account.
    pub fn config(&self) -> Box<millrace::state::Config> {
        self.read(&pda::config())
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
