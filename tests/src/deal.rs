//! A job between one buyer and one seller, brought to any point of its life.

use millrace::instructions::{PostJobArgs, SettleLeaseArgs};
use millrace::state::{Bid, Customer, Job, NodeClass, Requirements};
use millrace_core::leaves::{LeaseLeaf, LeaseStatus};
use millrace_core::money::MILL;
use millrace_core::score::Objective;

use crate::{ix, pda, Buyer, Instruction, NodeSpec, Pubkey, Receipt, Report, Seller, Signer, World};

/// What [`World::deal`] bids, base units a second.
pub const BID_PER_SEC: u64 = 700;

/// A job anyone's default node can do: a GPU for at most an hour at 1,000 base units a second, bids for a minute.
pub fn job_args() -> PostJobArgs {
    PostJobArgs {
        manifest_hash: [7; 32],
        requirements: Requirements {
            min_gops: 5_000,
            regions: u64::MAX,
            min_vram_mib: 16_384,
            min_bandwidth_mbps: 100,
            min_reliability_bps: 0,
            class: NodeClass::Gpu as u8,
            node_count: 1,
            topology: 0,
            standby_count: 0,
            padding: [0; 2],
        },
        objective: Objective::Price as u8,
        tier: 0,
        max_per_sec: 1_000,
        max_secs: 3_600,
        bidding_secs: 60,
    }
}

/// Everyone and everything in one job.
#[derive(Debug)]
pub struct Deal {
    /// Who works.
    pub seller: Seller,
    /// Who pays.
    pub buyer: Buyer,
    /// The seller's verified node.
    pub node: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Where its lease is, or will be.
    pub lease: Pubkey,
}

impl World {
    /// A staked seller with a verified node, a buyer with 100 MILL free, and no job yet.
    pub fn parties(&mut self) -> Deal {
        let seller = self.provider("seller", 1_000 * MILL);
        let node = self.verified_node(&seller, NodeSpec::default());
        let buyer = self.customer("buyer", 100 * MILL);
        let job = pda::job(&buyer.customer, 0);
        Deal { seller, buyer, node, job, lease: pda::lease(&job, 0) }
    }

    /// [`World::parties`] with the job posted.
    pub fn posted(&mut self) -> Deal {
        let deal = self.parties();
        self.post(&deal.buyer, job_args());
        deal
    }

    /// [`World::posted`] with the seller's bid, and bidding over.
    pub fn bid_for(&mut self) -> Deal {
        let deal = self.posted();
        self.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
        self.end_bidding(&deal.job);
        deal
    }

    /// [`World::bid_for`] with the lease awarded by the buyer.
    pub fn deal(&mut self) -> Deal {
        let deal = self.bid_for();
        self.award(&deal);
        deal
    }

    /// [`World::deal`] with an hour's job completed after `live_secs`.
    pub fn completed(&mut self, live_secs: u64) -> Deal {
        let deal = self.deal();
        self.warp_secs(live_secs as i64);
        self.settle(&deal.lease, live_secs, LeaseStatus::Completed);
        deal
    }

    /// Posts the buyer's next job.
    pub fn post(&mut self, buyer: &Buyer, args: PostJobArgs) -> Pubkey {
        let id = self.read::<Customer>(&buyer.customer).next_job_id;
        self.must(&[ix::post_job(buyer, id, args)], &[&buyer.authority]);
        pda::job(&buyer.customer, id)
    }

    /// Bids.
    pub fn bid(&mut self, seller: &Seller, node: &Pubkey, job: &Pubkey, per_sec: u64) -> Receipt {
        self.must(&[ix::place_bid(seller, node, job, per_sec)], &[&seller.operator])
    }

    /// Lets time pass until bidding for `job` is over.
    pub fn end_bidding(&mut self, job: &Pubkey) {
        let ends_at = self.read::<Job>(job).bidding_ends_at;
        self.warp_to(ends_at);
    }

    /// Awards, paid by the buyer.
    pub fn award(&mut self, deal: &Deal) -> Receipt {
        let payer = &deal.buyer.authority;
        self.must(&[ix::award(&payer.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job)], &[payer])
    }

    /// What the oracles find of `lease` now.
    pub fn lease_leaf(&self, lease: &Pubkey, live_secs: u64, status: LeaseStatus) -> LeaseLeaf {
        let has_result = matches!(status, LeaseStatus::Completed);
        LeaseLeaf {
            lease: lease.to_bytes(),
            live_secs,
            checkpointed_secs: 0,
            lost_secs: 0,
            status,
            exit_code: i32::from(status == LeaseStatus::JobFailed),
            checkpoint_root: [5; 32],
            result_root: if has_result { [6; 32] } else { [0; 32] },
            at: self.now(),
        }
    }

    /// The arguments that settle by `leaf`, the first known of `report`.
    pub fn settle_args(report: &Report, leaf: &LeaseLeaf) -> SettleLeaseArgs {
        let (index, path) = report.proof(0);
        SettleLeaseArgs { epoch: report.epoch, index, leaf: leaf.to_bytes(), path }
    }

    /// Has the oracles find `live_secs` and `status` now, and returns the instruction that settles by it.
    pub fn settlement(&mut self, lease: &Pubkey, live_secs: u64, status: LeaseStatus) -> Instruction {
        let leaf = self.lease_leaf(lease, live_secs, status);
        let report = self.report_lease(&leaf);
        ix::settle_lease(self, lease, Self::settle_args(&report, &leaf))
    }

    /// Settles by what the oracles find now; the deployer sends it, who is a stranger to the deal.
    pub fn settle(&mut self, lease: &Pubkey, live_secs: u64, status: LeaseStatus) -> Receipt {
        let settlement = self.settlement(lease, live_secs, status);
        let deployer = self.deployer.insecure_clone();
        self.must(&[settlement], &[&deployer])
    }

    /// The leaderboard of `job`, best first.
    pub fn bids(&self, job: &Pubkey) -> Vec<Bid> {
        let count = usize::from(self.read::<Job>(job).bid_count);
        let data = self.svm.get_account(job).expect("the job was just read").data;
        let (bids, rest) = data[Job::space(0)..].as_chunks::<{ std::mem::size_of::<Bid>() }>();
        assert!(rest.is_empty(), "the leaderboard is not a whole number of bids");
        bids.iter().take(count).map(|bid| bytemuck::pod_read_unaligned(bid)).collect()
    }

    /// All accounts of one kind, in the order of their addresses.
    pub fn all<T: anchor_lang::ZeroCopy>(&self) -> Vec<(Pubkey, Box<T>)> {
        let accounts = self.svm.get_program_accounts(&millrace::ID).into_iter();
        let of_kind = accounts.filter(|(_, account)| account.data.starts_with(T::DISCRIMINATOR));
        let mut keys: Vec<Pubkey> = of_kind.map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| (key, self.read::<T>(&key))).collect()
    }
}
