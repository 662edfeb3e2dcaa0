//! A Guaranteed job of several nodes, each of another seller, with stand-bys.

use millrace::instructions::{PlaceBidArgs, PostJobArgs};
use millrace::state::{Claim, Customer, Job, Lease, Provider, Requirements, Tier, Topology};
use millrace_client::ix as client;
use millrace_core::leaves::{LeaseLeaf, LeaseStatus};
use millrace_core::money::MILL;

use crate::BID_PER_SEC;
use crate::{ix, job_args, pda, Buyer, Instruction, Keypair, NodeSpec, Pubkey, Receipt, Seller, Signer, World};

/// A Guaranteed job for `nodes` and `standbys`.
pub fn guaranteed_args(nodes: u8, standbys: u8) -> PostJobArgs {
    cluster_args(nodes, standbys, Topology::Any)
}

/// A Guaranteed job for `nodes` and `standbys`, close to each other as `topology` says.
pub fn cluster_args(nodes: u8, standbys: u8, topology: Topology) -> PostJobArgs {
    let args = job_args();
    let requirements =
        Requirements { node_count: nodes, standby_count: standbys, topology: topology as u8, ..args.requirements };
    PostJobArgs { tier: Tier::Guaranteed as u8, requirements, ..args }
}

/// Everyone and everything in one such job.
#[derive(Debug)]
pub struct Cluster {
    /// Who works, one node each, in the order of their leases.
    pub sellers: Vec<(Seller, Pubkey)>,
    /// Who pays.
    pub buyer: Buyer,
    /// The job.
    pub job: Pubkey,
}

impl Cluster {
    /// Where the lease `index` is, or will be.
    pub fn lease(&self, index: u8) -> Pubkey {
        pda::lease(&self.job, index)
    }
}

/// Figures of a leaf.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Seconds live.
    pub live_secs: u64,
    /// Of these, kept.
    pub checkpointed_secs: u64,
    /// Of these, lost.
    pub lost_secs: u64,
}

impl World {
    /// `count` sellers with a verified node each.
    pub fn sellers(&mut self, count: u8) -> Vec<(Seller, Pubkey)> {
        let seller = |world: &mut Self, n: u8| {
            let seller = world.provider(&format!("seller {n}"), 1_000 * MILL);
            let node = world.verified_node(&seller, NodeSpec::default());
            (seller, node)
        };
        (0..count).map(|n| seller(self, n)).collect()
    }

    /// A buyer's job for `args`, with a bid of each of its sellers, who would stand by too: the n-th bids
    /// [`BID_PER_SEC`] + n. Bidding is over.
    pub fn cluster_bid_for(&mut self, args: PostJobArgs) -> Cluster {
        let sellers = self.sellers(args.requirements.node_count + args.requirements.standby_count);
        let buyer = self.customer("buyer", 1_000 * MILL);
        let job = self.post(&buyer, args);
        for ((seller, node), per_sec) in sellers.iter().zip(BID_PER_SEC..) {
            let bid = ix::place_bid_of(seller, node, &job, PlaceBidArgs { per_sec, may_stand_by: true });
            self.must(&[bid], &[&seller.operator]);
        }
        self.end_bidding(&job);
        Cluster { sellers, buyer, job }
    }

    /// [`World::cluster_bid_for`] a Guaranteed job, every position and stand-by awarded.
    pub fn cluster(&mut self, nodes: u8, standbys: u8) -> Cluster {
        let cluster = self.cluster_bid_for(guaranteed_args(nodes, standbys));
        (0..nodes + standbys).for_each(|index| {
            self.award_next(&cluster, index);
        });
        cluster
    }

    /// Awards lease `index` of the job to the seller of that number.
    pub fn award_next(&mut self, cluster: &Cluster, index: u8) -> Receipt {
        let (seller, node) = &cluster.sellers[usize::from(index)];
        let payer = &cluster.buyer.authority;
        let award = ix::award_nth(&payer.pubkey(), &cluster.buyer, seller, node, &cluster.job, index);
        self.must(&[award], &[payer])
    }

    /// What the oracles find of a guaranteed lease now.
    pub fn figures_leaf(&self, lease: &Pubkey, figures: Figures, status: LeaseStatus) -> LeaseLeaf {
        let Figures { live_secs, checkpointed_secs, lost_secs } = figures;
        LeaseLeaf { checkpointed_secs, lost_secs, ..self.lease_leaf(lease, live_secs, status) }
    }

    /// The instruction that settles by `leaf`, which the oracles report now.
    pub fn settlement_by(&mut self, leaf: &LeaseLeaf) -> Instruction {
        let report = self.report_lease(leaf);
        ix::settle_lease(self, &Pubkey::new_from_array(leaf.lease), Self::settle_args(&report, leaf))
    }

    /// Settles by `(live, checkpointed, lost)` seconds that the oracles find now.
    pub fn settle_kept(&mut self, lease: &Pubkey, secs: (u64, u64, u64), status: LeaseStatus) -> Receipt {
        let figures = Figures { live_secs: secs.0, checkpointed_secs: secs.1, lost_secs: secs.2 };
        let leaf = self.figures_leaf(lease, figures, status);
        let settle = self.settlement_by(&leaf);
        let deployer = self.deployer.insecure_clone();
        self.must(&[settle], &[&deployer])
    }

    /// Puts the stand-by at `stand_by` in the place of `failed`.
    pub fn fail_over(&self, payer: &Pubkey, failed: &Pubkey, stand_by: &Pubkey) -> Instruction {
        let state = self.read::<Lease>(stand_by);
        let job = self.read::<Job>(&state.job);
        client::fail_over(payer, &job, failed, (stand_by, &state))
    }

    fn next_claim(&self, provider: &Pubkey) -> u32 {
        self.read::<Provider>(provider).next_claim
    }

    /// Claims what `member` lost from the bond of `failed`.
    pub fn claim_unkept(&self, payer: &Pubkey, failed: &Pubkey, member: &Pubkey) -> Instruction {
        let states = (self.read::<Lease>(failed), self.read::<Lease>(member));
        let next_claim = self.next_claim(&states.0.provider);
        client::claim_unkept(payer, (failed, &states.0), (member, &states.1), next_claim)
    }

    /// Claims the customer's compensation from the bond of `failed`.
    pub fn claim_compensation(&self, payer: &Pubkey, failed: &Pubkey) -> Instruction {
        let state = self.read::<Lease>(failed);
        client::claim_compensation(payer, failed, &state, self.next_claim(&state.provider))
    }

    /// Pays a claim.
    pub fn pay_claim(&self, claim: &Pubkey) -> Instruction {
        client::pay_claim(claim, &self.read::<Claim>(claim), &self.market())
    }

    /// Ends `lease` on `secs` seconds, by the buyer and `signer`.
    pub fn settle_mutual(&self, buyer: &Buyer, signer: &Keypair, lease: &Pubkey, secs: u64) -> Instruction {
        let signers = (&buyer.authority.pubkey(), &signer.pubkey());
        client::settle_mutual(signers, lease, &self.read::<Lease>(lease), &self.market(), secs)
    }

    /// Unwinds `lease`.
    pub fn unwind_lease(&self, lease: &Pubkey) -> Instruction {
        client::unwind_lease(lease, &self.read::<Lease>(lease))
    }

    /// A customer's books.
    pub fn customer_of(&self, buyer: &Buyer) -> Box<Customer> {
        self.read::<Customer>(&buyer.customer)
    }

    /// A provider's books.
    pub fn provider_of(&self, seller: &Seller) -> Box<Provider> {
        self.read::<Provider>(&seller.provider)
    }
}
