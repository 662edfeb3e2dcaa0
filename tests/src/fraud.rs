//! Commits to accuse, signatures to forge, and the instructions of a case.

use millrace::instructions::{OpenCaseArgs, ProveEntryArgs, ProveLinkArgs};
use millrace::state::{Beacons, FraudCase, Provider};
use millrace_core::merkle::{leaf_node, root_from_path, Tree, TreeNode, EMPTY};
use millrace_core::proof::{
    leaf_index, matrix, next_seed, pack_leaf, seed_0, super_leaf, tree_depth, Commit, EntryProof, Leaf, LinkProof,
    Opening, Query, Task, CELLS_PER_LEAF,
};
use solana_transaction::Transaction;

use crate::{ix, pda, Instruction, Keypair, NodeSpec, Pubkey, Receipt, Seller, Signer, World, MILL};

/// A commit of any size of which one leaf a round is known: nothing else is computed, so n = 65,536 takes no time.
///
/// Each round's tree is the leaf that holds one entry, with [`EMPTY`] for every sibling.
pub struct SparseRun {
    /// What an operator would sign.
    pub commit: Commit,
    rounds: Vec<SparseRound>,
    super_tree: Tree,
}

struct SparseRound {
    query: Query,
    seed: [u8; 32],
    root: TreeNode,
    leaf: Leaf,
}

/// Whether a [`SparseRun`] commits what the rules give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// The right entry.
    Right,
    /// The right entry plus one.
    Wrong,
}

impl SparseRun {
    /// A run of `task` that commits, in round r, the entry at row and column `lines[r]`, or at (r, r) beyond the list.
    pub fn new(task: &Task, lines: &[(u32, u32)], value: Value) -> Self {
        Self::with_seed_0(task, seed_0(task), lines, value)
    }

    /// As [`SparseRun::new`], from a first seed that may be false.
    pub fn with_seed_0(task: &Task, seed: [u8; 32], lines: &[(u32, u32)], value: Value) -> Self {
        Self::with_seeds(task, lines, value, |round, follows| if round == 0 { seed } else { follows })
    }

    /// A run with right entries in which the seed of round `false_round` does not follow.
    pub fn with_false_seed(task: &Task, false_round: u32) -> Self {
        let seeds = |round, follows| if round == false_round { [8; 32] } else { follows };
        Self::with_seeds(task, &[], Value::Right, seeds)
    }

    fn with_seeds(task: &Task, lines: &[(u32, u32)], value: Value, seeds: impl Fn(u32, [u8; 32]) -> [u8; 32]) -> Self {
        let mut rounds = vec![];
        let mut follows = seed_0(task);
        for round in 0..task.rounds {
            let seed = seeds(round, follows);
            let (row, col) = lines.get(round as usize).copied().unwrap_or((round, round));
            let right = matrix::entry(&seed, task.n, row, col);
            let mut cells = [0; CELLS_PER_LEAF];
            cells[col as usize % CELLS_PER_LEAF] = if value == Value::Right { right } else { right + 1 };
            let leaf = pack_leaf(&cells);
            let path = vec![EMPTY; tree_depth(task.n) as usize];
            let root = root_from_path(leaf_node(&[&leaf]), leaf_index(task.n, row, col), &path);
            rounds.push(SparseRound { query: Query { round, row, col }, seed, root, leaf });
            follows = next_seed(&seed, &root);
        }
        let super_tree = Tree::new(rounds.iter().map(|round| super_leaf(&round.seed, &round.root)).collect());
        Self { commit: task.commit(super_tree.root()), rounds, super_tree }
    }

    /// Proof of the entry that round `round` commits, encoded.
    pub fn entry_proof(&self, round: u32) -> Vec<u8> {
        let SparseRound { query, seed, leaf, .. } = &self.rounds[round as usize];
        let path = vec![EMPTY; tree_depth(self.commit.n) as usize];
        let super_path = self.super_tree.path(u64::from(round));
        let Query { round, row, col } = *query;
        EntryProof { round, row, col, leaf, path: &path, seed, super_path: &super_path }.to_bytes()
    }

    /// Opening of the link into round `round`, encoded.
    pub fn link_proof(&self, round: u32) -> Vec<u8> {
        let path = |round: u32| self.super_tree.path(u64::from(round));
        let to = &self.rounds[round as usize];
        let to_path = path(round);
        let to = Opening { seed: &to.seed, root: &to.root, super_path: &to_path };
        let Some(before) = round.checked_sub(1) else { return LinkProof::First(to).to_bytes() };
        let from = &self.rounds[before as usize];
        let from_path = path(before);
        let from = Opening { seed: &from.seed, root: &from.root, super_path: &from_path };
        LinkProof::Next { round: before, from, to }.to_bytes()
    }
}

/// The ed25519 precompile.
pub const ED25519_PROGRAM: Pubkey = solana_sdk_ids::ed25519_program::ID;
/// "In this very instruction", among the offsets of an ed25519 instruction.
pub const THIS_INSTRUCTION: u16 = u16::MAX;

/// One signature as an ed25519 instruction describes it.
#[derive(Clone, Copy, Debug)]
pub struct SignatureOffsets {
    /// Where the signature begins, and in which instruction.
    pub signature: (u16, u16),
    /// Where the public key begins, and in which instruction.
    pub key: (u16, u16),
    /// Where the message begins, how long it is, and in which instruction.
    pub message: (u16, u16, u16),
}

impl SignatureOffsets {
    /// What libraries write: key, signature and message one behind the other, all in this instruction.
    pub fn canonical(message_len: usize) -> Self {
        Self {
            key: (16, THIS_INSTRUCTION),
            signature: (48, THIS_INSTRUCTION),
            message: (112, message_len as u16, THIS_INSTRUCTION),
        }
    }

    /// The same, `by` bytes further back.
    pub fn shifted(self, by: u16) -> Self {
        Self {
            key: (self.key.0 + by, self.key.1),
            signature: (self.signature.0 + by, self.signature.1),
            message: (self.message.0 + by, self.message.1, self.message.2),
        }
    }
}

/// An ed25519 instruction with `signatures`, and `body` behind their offsets.
pub fn ed25519_raw(signatures: &[SignatureOffsets], body: &[u8]) -> Instruction {
    let mut data = vec![signatures.len() as u8, 0];
    for SignatureOffsets { signature, key, message } in signatures {
        for field in [signature.0, signature.1, key.0, key.1, message.0, message.1, message.2] {
            data.extend_from_slice(&field.to_le_bytes());
        }
    }
    data.extend_from_slice(body);
    Instruction { program_id: ED25519_PROGRAM, accounts: vec![], data }
}

/// The ed25519 instruction that libraries make: one signature by `signer` over `message`.
pub fn ed25519(signer: &Keypair, message: &[u8]) -> Instruction {
    ed25519_raw(&[SignatureOffsets::canonical(message.len())], &signed_body(signer, message))
}

/// Public key, signature and message, one behind the other.
pub fn signed_body(signer: &Keypair, message: &[u8]) -> Vec<u8> {
    [signer.pubkey().as_ref(), signer.sign_message(message).as_ref(), message].concat()
}

/// Asks for `units` compute units.
pub fn compute_limit(units: u32) -> Instruction {
    /// `ComputeBudgetInstruction::SetComputeUnitLimit`.
    const SET_COMPUTE_UNIT_LIMIT: u8 = 2;
    let data = [&[SET_COMPUTE_UNIT_LIMIT][..], &units.to_le_bytes()].concat();
    Instruction { program_id: solana_sdk_ids::compute_budget::ID, accounts: vec![], data }
}

/// Accuses `commit`, of a node of `provider`. The signature has to come before.
pub fn open_case(opener: &Pubkey, provider: &Pubkey, commit: &Commit, bounty_account: &Pubkey) -> Instruction {
    let args = OpenCaseArgs { commit: commit.to_bytes(), bounty_account: *bounty_account };
    millrace_client::ix::open_case(opener, provider, &Pubkey::new_from_array(commit.node), args)
}

/// Shows a wrong entry.
pub fn prove_entry(prover: &Pubkey, case: &Pubkey, proof: Vec<u8>) -> Instruction {
    millrace_client::ix::prove_entry(prover, case, ProveEntryArgs { proof })
}

/// Shows a false link.
pub fn prove_link(prover: &Pubkey, case: &Pubkey, proof: Vec<u8>) -> Instruction {
    millrace_client::ix::prove_link(prover, case, ProveLinkArgs { proof })
}

/// Executes a case.
pub fn execute_slash(world: &World, case: &Pubkey) -> Instruction {
    execute_slash_with(world, case, &[])
}

/// Executes a case, taking from `others` too, nodes of the same provider.
pub fn execute_slash_with(world: &World, case: &Pubkey, others: &[Pubkey]) -> Instruction {
    let state = world.read::<FraudCase>(case);
    let provider = world.read::<Provider>(&state.provider);
    millrace_client::ix::execute_slash(case, &state, &provider, &world.market(), others)
}

/// Closes a case.
pub fn close_case(world: &World, case: &Pubkey) -> Instruction {
    millrace_client::ix::close_case(case, &world.read::<FraudCase>(case))
}

/// A provider with a verified node, and who watches it.
pub struct Accusation {
    /// The provider.
    pub seller: Seller,
    /// The node accused.
    pub node: Pubkey,
    /// Opens cases and proves; a stranger to the market.
    pub watcher: Keypair,
    /// The watcher's token account, for bounties.
    pub bounty_account: Pubkey,
}

impl World {
    /// A provider with 1,000 MILL at stake, 200 of them locked by its verified node, and a watcher.
    pub fn accusation(&mut self) -> Accusation {
        let seller = self.provider("seller", 1_000 * MILL);
        let node = self.verified_node(&seller, NodeSpec::default());
        self.accusation_of(&seller, &node)
    }

    /// A watcher of `node` of `seller`.
    pub fn accusation_of(&mut self, seller: &Seller, node: &Pubkey) -> Accusation {
        let watcher = self.stranger("watcher");
        let bounty_account = self.put_tokens("bounty", &watcher.pubkey(), 0);
        let (authority, operator) = (seller.authority.insecure_clone(), seller.operator.insecure_clone());
        Accusation { seller: Seller { authority, operator, ..*seller }, node: *node, watcher, bounty_account }
    }

    /// The beacon of the current epoch, opened and latched if it was not yet.
    pub fn latched_beacon(&mut self) -> [u8; 32] {
        let epoch = self.epoch();
        let payer = self.deployer.insecure_clone();
        if self.read::<Beacons>(&pda::beacons()).latched(epoch).is_none() {
            self.must(&[ix::open_beacon(epoch)], &[&payer]);
            self.warp_slots(millrace::constants::BEACON_SLOTS_AHEAD + 1);
            self.must(&[ix::latch_beacon(epoch)], &[&payer]);
        }
        self.read::<Beacons>(&pda::beacons()).latched(epoch).expect("the beacon was just latched").hash
    }

    /// What `node` is to compute in this epoch.
    pub fn audit(&mut self, node: &Pubkey, n: u32, rounds: u32) -> Task {
        Task {
            beacon: self.latched_beacon(),
            deployment_id: self.config().deployment_id,
            node: node.to_bytes(),
            gpu_index: 0,
            epoch: self.epoch(),
            nonce: [4; 32],
            n,
            rounds,
        }
    }

    /// Opens the case of a commit that the seller's operator signs.
    pub fn accuse(&mut self, accusation: &Accusation, commit: &Commit) -> Pubkey {
        self.must(&accusation.opening(commit), &[&accusation.watcher]);
        pda::fraud_case(&commit.id())
    }

    /// Proves an entry, with as many compute units as a transaction may have.
    pub fn prove(&mut self, accusation: &Accusation, case: &Pubkey, proof: Vec<u8>) -> Receipt {
        self.must(&accusation.proving(case, proof), &[&accusation.watcher])
    }

    /// Executes a case, taking from `others` too.
    pub fn execute_with(&mut self, case: &Pubkey, others: &[Pubkey]) -> Receipt {
        let payer = self.deployer.insecure_clone();
        self.must(&[execute_slash_with(self, case, others)], &[&payer])
    }

    /// Executes a case; the deployer pays, who is a stranger to it.
    pub fn execute(&mut self, case: &Pubkey) -> Receipt {
        let payer = self.deployer.insecure_clone();
        self.must(&[execute_slash(self, case)], &[&payer])
    }
}

impl Accusation {
    /// The operator's signature over `commit`, and the accusation.
    pub fn opening(&self, commit: &Commit) -> [Instruction; 2] {
        [ed25519(&self.seller.operator, &commit.to_bytes()), self.unsigned_opening(commit)]
    }

    /// The accusation alone.
    pub fn unsigned_opening(&self, commit: &Commit) -> Instruction {
        open_case(&self.watcher.pubkey(), &self.seller.provider, commit, &self.bounty_account)
    }

    /// A proof of an entry, and the compute units for it.
    pub fn proving(&self, case: &Pubkey, proof: Vec<u8>) -> [Instruction; 2] {
        [compute_limit(1_400_000), prove_entry(&self.watcher.pubkey(), case, proof)]
    }
}

/// Bytes of the transaction that carries `instructions` and that `payer` alone signs.
pub fn bytes_of(instructions: &[Instruction], payer: &Keypair) -> usize {
    crate::record::transaction_bytes(&Transaction::new_with_payer(instructions, Some(&payer.pubkey())))
}
