//! Judged cases: what the oracles found, and the instructions that follow from it.

use millrace::instructions::{ApplyAuditArgs, OpenSlashCaseArgs};
use millrace::state::{Node, Provider, SlashCase};
use millrace_client::{ix, pda};
use millrace_core::leaves::NodeLeaf;

use crate::fraud::Accusation;
use crate::{Instruction, Pubkey, Receipt, Report, Signer, World};

/// The first leaf known of `report`, as an audit is applied.
pub fn audit_args(report: &Report, leaf: &NodeLeaf) -> ApplyAuditArgs {
    let (index, path) = report.proof(0);
    ApplyAuditArgs { epoch: report.epoch, index, leaf: leaf.to_bytes(), path }
}

impl World {
    /// Charges the node of `leaf`, the first known of `report`; the watcher of `accusation` signs and is paid.
    pub fn charge(&self, accusation: &Accusation, report: &Report, leaf: &NodeLeaf, others: &[Pubkey]) -> Instruction {
        let node = Pubkey::new_from_array(leaf.node);
        let state = self.read::<Node>(&node);
        let number = self.read::<Provider>(&state.provider).next_slash_case;
        let ApplyAuditArgs { epoch, index, leaf, path } = audit_args(report, leaf);
        let args = OpenSlashCaseArgs { epoch, index, leaf, path, bounty_account: accusation.bounty_account };
        ix::open_slash_case(&accusation.watcher.pubkey(), &node, &state, number, args, others)
    }

    /// Has the oracles report `leaf`, and opens a case on it.
    pub fn charged(&mut self, accusation: &Accusation, leaf: &NodeLeaf, others: &[Pubkey]) -> (Pubkey, Receipt) {
        let report = self.report_node(leaf);
        let number = self.read::<Provider>(&accusation.seller.provider).next_slash_case;
        let charge = self.charge(accusation, &report, leaf, others);
        let receipt = self.must(&[charge], &[&accusation.watcher]);
        (pda::slash_case(&accusation.seller.provider, number), receipt)
    }

    /// The execution of a judged case.
    pub fn judged_execution(&self, case: &Pubkey) -> Instruction {
        ix::execute_slash_case(case, &self.read::<SlashCase>(case), &self.market())
    }

    /// Executes a judged case; the deployer pays, who is a stranger to it.
    pub fn execute_judged(&mut self, case: &Pubkey) -> Receipt {
        let payer = self.deployer.insecure_clone();
        self.must(&[self.judged_execution(case)], &[&payer])
    }

    /// The closing of a judged case.
    pub fn judged_closing(&self, case: &Pubkey) -> Instruction {
        ix::close_slash_case(case, &self.read::<SlashCase>(case))
    }
}
