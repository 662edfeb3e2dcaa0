//! Reports the oracles sign, and the paths that lead into them.

use millrace::instructions::SignReportArgs;
use millrace_core::hash::sha256;
use millrace_core::leaves::{LeaseLeaf, NodeLeaf};
use millrace_core::merkle::{root_from_path, Tree, TreeNode};

use crate::{ix, Signer, World};

/// What one epoch's root stands for.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its epoch.
    pub epoch: u64,
    /// The root.
    pub root: TreeNode,
    /// Leaves under it.
    pub leaves: u32,
    paths: Vec<(u32, Vec<TreeNode>)>,
}

impl Report {
    /// The report of `epoch` over `leaves`, in this order.
    pub fn over(epoch: u64, leaves: &[TreeNode]) -> Self {
        let tree = Tree::new(leaves.to_vec());
        let paths = (0..leaves.len() as u32).map(|index| (index, tree.path(u64::from(index)))).collect();
        Self { epoch, root: tree.root(), leaves: leaves.len() as u32, paths }
    }

    /// A report over 2^`levels` leaves of which only `leaf` is known: the longest paths without the million leaves.
    pub fn deep(epoch: u64, leaf: TreeNode, levels: u32) -> Self {
        let index = 0x000a_5a5a & ((1u32 << levels) - 1);
        let sibling = |level: u32| -> TreeNode {
            let digest = sha256(&[b"sibling", &level.to_le_bytes()]);
            digest[..24].try_into().expect("a digest has 32 bytes")
        };
        let path: Vec<TreeNode> = (0..levels).map(sibling).collect();
        let root = root_from_path(leaf, u64::from(index), &path);
        Self { epoch, root, leaves: 1 << levels, paths: vec![(index, path)] }
    }

    /// Index and path of the `nth` leaf known, as an instruction takes them.
    ///
    /// # Panics
    /// When fewer leaves are known.
    pub fn proof(&self, nth: usize) -> (u32, Vec<u8>) {
        let (index, path) = &self.paths[nth];
        (*index, path.concat())
    }
}

impl World {
    /// Has every oracle sign a report over `leaves` for the current epoch, or the next if one signed this already.
    pub fn report(&mut self, leaves: &[TreeNode]) -> Report {
        let epoch = self.unsigned_epoch();
        let report = Report::over(epoch, leaves);
        self.accept(&report);
        report
    }

    /// As [`World::report`], over one leaf deep in a tree of 2^`levels`.
    pub fn report_deep(&mut self, leaf: TreeNode, levels: u32) -> Report {
        let epoch = self.unsigned_epoch();
        let report = Report::deep(epoch, leaf, levels);
        self.accept(&report);
        report
    }

    /// A report over one lease leaf.
    pub fn report_lease(&mut self, leaf: &LeaseLeaf) -> Report {
        self.report(&[leaf.tree_node()])
    }

    /// A report over one node leaf.
    pub fn report_node(&mut self, leaf: &NodeLeaf) -> Report {
        self.report(&[leaf.tree_node()])
    }

    /// Has every oracle sign `report`.
    pub fn accept(&mut self, report: &Report) {
        for oracle in self.oracles.iter().map(|oracle| oracle.insecure_clone()).collect::<Vec<_>>() {
            self.must(&[ix::sign_report(&oracle.pubkey(), sign_args(report))], &[&oracle]);
        }
    }

    /// The current epoch, after going on to one no oracle has signed.
    pub fn unsigned_epoch(&mut self) -> u64 {
        let epoch = self.epoch();
        let reports = self.read::<millrace::state::Reports>(&crate::pda::reports());
        let is_signed = reports.rows.iter().flatten().any(|row| row.epoch == epoch && row.leaves > 0);
        if is_signed {
            self.warp_to_next_epoch();
        }
        self.epoch()
    }
}

/// What an oracle signs to support `report`.
pub fn sign_args(report: &Report) -> SignReportArgs {
    SignReportArgs {
        epoch: report.epoch,
        root: report.root,
        leaves: report.leaves,
        next_observation_hash: sha256(&[b"observations", &report.epoch.to_le_bytes()]),
    }
}
