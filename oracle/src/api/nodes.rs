//! Nodes and who signs for them, read from the chain at most once an epoch each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use millrace::state::{Node, NodeClass, NodeState, Provider};
use millrace_client::{fetch, Chain, ChainError, Pubkey};

/// Nodes remembered in one epoch.
const MAX_NODES: usize = 4_096;

/// What an audit needs to know of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeInfo {
    /// Whether it is of class GPU.
    pub is_gpu: bool,
    /// Whether it is verified.
    pub is_verified: bool,
    /// Its GPUs; one for class CPU.
    pub gpu_count: u16,
    /// Speed it claims, gops.
    pub claimed_gops: u64,
    /// Its provider.
    provider: Provider,
}

impl NodeInfo {
    /// The key that signs for it in `epoch`.
    pub fn operator_at(&self, epoch: u64) -> [u8; 32] {
        self.provider.operator_at(epoch).to_bytes()
    }
}

/// The nodes read in this epoch.
#[derive(Default)]
pub(crate) struct NodeDirectory {
    known: Mutex<(u64, HashMap<Pubkey, NodeInfo>)>,
}

impl NodeDirectory {
    /// The node, `None` when there is none or it is retired.
    pub async fn find(&self, chain: &dyn Chain, node: &Pubkey, epoch: u64) -> Result<Option<NodeInfo>, ChainError> {
        if let Some(info) = self.known(node, epoch) {
            return Ok(Some(info));
        }
        let Some(account) = fetch::<Node>(chain, node).await? else { return Ok(None) };
        if account.is_retired() {
            return Ok(None);
        }
        let Some(provider) = fetch::<Provider>(chain, &account.provider).await? else { return Ok(None) };
        let is_gpu = account.class == NodeClass::Gpu as u8;
        let gpu_count = account.gpu_count.max(1);
        let is_verified = account.state == NodeState::Verified as u8;
        let info = NodeInfo { is_gpu, is_verified, gpu_count, claimed_gops: account.claimed_gops, provider };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 == epoch && known.1.len() < MAX_NODES {
            known.1.insert(*node, info);
        }
        Ok(Some(info))
    }

    fn known(&self, node: &Pubkey, epoch: u64) -> Option<NodeInfo> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != epoch {
            *known = (epoch, HashMap::new());
        }
        known.1.get(node).copied()
    }
}
