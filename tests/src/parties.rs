//! Sellers and buyers, ready to trade.

use millrace::instructions::{ApplyAuditArgs, RegisterNodeArgs, RegisterProviderArgs};
use millrace::state::NodeClass;
use millrace_core::leaves::{NodeLeaf, Verdict};
use millrace_core::money::MILL;

use crate::genesis::endpoint;
use crate::keys::{customer_key, provider_key};
use crate::{ix, key, pda, Keypair, Pubkey, Signer, World};

/// Tokens every party has in its own account beside what it staked or deposited, base units.
pub const POCKET: u64 = 10_000 * MILL;

/// A provider.
#[derive(Debug)]
pub struct Seller {
    /// Cold key.
    pub authority: Keypair,
    /// Hot key.
    pub operator: Keypair,
    /// Its account.
    pub provider: Pubkey,
    /// The account's vault.
    pub vault: Pubkey,
    /// Token account of the cold key.
    pub tokens: Pubkey,
}

/// A customer.
#[derive(Debug)]
pub struct Buyer {
    /// Its key.
    pub authority: Keypair,
    /// Its account.
    pub customer: Pubkey,
    /// The account's vault.
    pub vault: Pubkey,
    /// Token account of the key.
    pub tokens: Pubkey,
}

/// What a node claims, and what its first audit measures.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// GPU or CPU.
    pub class: NodeClass,
    /// Region code.
    pub region: u8,
    /// Claimed speed, gops; the audit measures the same.
    pub gops: u64,
    /// Claimed memory, MiB; the audit measures the same.
    pub vram_mib: u32,
    /// Measured bandwidth, Mbit/s.
    pub bandwidth_mbps: u32,
    /// Asking price, base units a second.
    pub ask_per_sec: u64,
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self {
            class: NodeClass::Gpu,
            region: 1,
            gops: 10_000,
            vram_mib: 24_576,
            bandwidth_mbps: 1_000,
            ask_per_sec: 100,
        }
    }
}

impl NodeSpec {
    /// What the provider claims.
    pub fn args(&self) -> RegisterNodeArgs {
        RegisterNodeArgs {
            class: self.class as u8,
            region: self.region,
            gpu_count: 1,
            model_id: 7,
            claimed_vram_mib: self.vram_mib,
            claimed_gops: self.gops,
            ask_per_sec: self.ask_per_sec,
            site: [9; 16],
        }
    }

    /// What an audit at `at` finds that confirms every claim.
    pub fn passed(&self, node: &Pubkey, audit_epoch: u64, at: i64) -> NodeLeaf {
        NodeLeaf {
            node: node.to_bytes(),
            audit_epoch,
            super_root: [3; 24],
            verdict: Verdict::Passed,
            gops: self.gops,
            vram_mib: self.vram_mib,
            bandwidth_mbps: self.bandwidth_mbps,
            at,
        }
    }
}

/// What [`World::provider`] registers with.
pub fn provider_args(operator: &Pubkey) -> RegisterProviderArgs {
    RegisterProviderArgs {
        operator: *operator,
        endpoint: endpoint("http://127.0.0.1:9200"),
        max_bonds_amount: 1_000_000 * MILL,
        min_bid_per_sec: 1,
    }
}

impl World {
    /// A provider with `stake_amount` base units at work.
    pub fn provider(&mut self, name: &str, stake_amount: u64) -> Seller {
        let seller = self.unregistered_provider(name, stake_amount);
        let register =
            ix::register_provider(self, &seller.authority.pubkey(), provider_args(&seller.operator.pubkey()));
        self.must(&[register], &[&seller.authority]);
        if stake_amount > 0 {
            self.must(&[ix::stake(self, &seller, stake_amount)], &[&seller.authority]);
        }
        seller
    }

    /// The keys and tokens of a provider to be.
    pub fn unregistered_provider(&mut self, name: &str, stake_amount: u64) -> Seller {
        let (authority, operator) = (provider_key(name), key(&format!("{name} operator")));
        self.fund(&authority.pubkey());
        self.fund(&operator.pubkey());
        let tokens = self.put_tokens(&format!("{name} tokens"), &authority.pubkey(), POCKET + stake_amount);
        let provider = pda::provider(&authority.pubkey());
        Seller { authority, operator, provider, vault: pda::vault(&provider), tokens }
    }

    /// The next node of `seller`, registered.
    pub fn node(&mut self, seller: &Seller, spec: &NodeSpec) -> Pubkey {
        let index = self.read::<millrace::state::Provider>(&seller.provider).next_node_index;
        let node = pda::node(&seller.provider, index);
        let register = ix::register_node(&seller.authority.pubkey(), index, spec.args());
        self.must(&[register], &[&seller.authority]);
        node
    }

    /// The next node of `seller`, with an audit that confirms every claim applied.
    pub fn verified_node(&mut self, seller: &Seller, spec: NodeSpec) -> Pubkey {
        let node = self.node(seller, &spec);
        let leaf = spec.passed(&node, self.epoch(), self.now());
        self.apply(&leaf);
        node
    }

    /// Has the oracles report `leaf` and applies it.
    pub fn apply(&mut self, leaf: &NodeLeaf) {
        let report = self.report_node(leaf);
        let (index, path) = report.proof(0);
        let args = ApplyAuditArgs { epoch: report.epoch, index, leaf: leaf.to_bytes(), path };
        let payer = self.oracles[0].insecure_clone();
        self.must(&[ix::apply_audit(&Pubkey::new_from_array(leaf.node), args)], &[&payer]);
    }

    /// A customer with `deposit_amount` base units free.
    pub fn customer(&mut self, name: &str, deposit_amount: u64) -> Buyer {
        let authority = customer_key(name);
        self.fund(&authority.pubkey());
        let tokens = self.put_tokens(&format!("{name} tokens"), &authority.pubkey(), POCKET + deposit_amount);
        let customer = pda::customer(&authority.pubkey());
        let buyer = Buyer { authority, customer, vault: pda::vault(&customer), tokens };
        self.must(&[ix::open_customer(self, &buyer.authority.pubkey())], &[&buyer.authority]);
        if deposit_amount > 0 {
            self.must(&[ix::deposit(self, &buyer, deposit_amount)], &[&buyer.authority]);
        }
        buyer
    }
}
