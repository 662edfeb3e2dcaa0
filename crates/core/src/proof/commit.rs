use super::ProofError;
use crate::{
    hash::sha256,
    merkle::{TreeNode, TREE_NODE_LEN},
};

/// Smallest n; below 4,096 for class CPU only.
pub const MIN_N: u32 = 256;
/// Largest n: at n = 65,536 the largest sum is 2³⁰, so int32 never overflows.
pub const MAX_N: u32 = 65_536;
/// Most rounds in a run.
pub const MAX_ROUNDS: u32 = 64;

/// Bytes of an encoded [`Commit`], which is also the message that the operator signs.
pub const COMMIT_LEN: usize = TAG.len() + 32 + 32 + 4 + 8 + 32 + 32 + 4 + 4 + TREE_NODE_LEN;

const TAG: &[u8; 8] = b"MRcommit";

/// Refuses sizes that the protocol does not have.
///
/// # Errors
/// [`ProofError::Size`] unless n is a power of two from [`MIN_N`] to [`MAX_N`], [`ProofError::Rounds`] unless rounds is
/// from 1 to [`MAX_ROUNDS`].
pub const fn check_size(n: u32, rounds: u32) -> Result<(), ProofError> {
    if !n.is_power_of_two() || n < MIN_N || n > MAX_N {
        return Err(ProofError::Size(n));
    }
    if rounds == 0 || rounds > MAX_ROUNDS {
        return Err(ProofError::Rounds(rounds));
    }
    Ok(())
}

/// The work that one GPU is given in one epoch: all that its first seed depends on, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Fixed in `Config`; no other deployment or cluster has it.
    pub deployment_id: [u8; 32],
    /// Address of the `Node` account.
    pub node: [u8; 32],
    /// Which of the node's GPUs, from 0.
    pub gpu_index: u32,
    /// Epoch of the audit.
    pub epoch: u64,
    /// Slot hash latched for that epoch.
    pub beacon: [u8; 32],
    /// See [`super::nonce`].
    pub nonce: [u8; 32],
    /// Rows and columns of the matrices.
    pub n: u32,
    /// Products computed one after the other.
    pub rounds: u32,
}

impl Task {
    /// The commit to the result of this task.
    pub const fn commit(&self, super_root: TreeNode) -> Commit {
        let Task { deployment_id, node, gpu_index, epoch, beacon, nonce, n, rounds } = *self;
        Commit { deployment_id, node, gpu_index, epoch, beacon, nonce, n, rounds, super_root }
    }
}

/// What an operator signs after a run and is held to for the whole fraud window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// As in [`Task`].
    pub deployment_id: [u8; 32],
    /// As in [`Task`].
    pub node: [u8; 32],
    /// As in [`Task`].
    pub gpu_index: u32,
    /// As in [`Task`].
    pub epoch: u64,
    /// As in [`Task`].
    pub beacon: [u8; 32],
    /// As in [`Task`].
    pub nonce: [u8; 32],
    /// As in [`Task`].
    pub n: u32,
    /// As in [`Task`].
    pub rounds: u32,
    /// Root over the `(seed, root)` of all rounds.
    pub super_root: TreeNode,
}

impl Commit {
    /// The work that this commit claims was done.
    pub const fn task(&self) -> Task {
        let Commit { deployment_id, node, gpu_index, epoch, beacon, nonce, n, rounds, super_root: _ } = *self;
        Task { deployment_id, node, gpu_index, epoch, beacon, nonce, n, rounds }
    }

    /// The one encoding: `MRcommit`, then the fields in their order, integers little-endian.
    pub fn to_bytes(&self) -> [u8; COMMIT_LEN] {
        let mut bytes = [0; COMMIT_LEN];
        let mut rest = &mut bytes[..];
        let mut put = |field: &[u8]| {
            let (head, tail) = core::mem::take(&mut rest).split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        };
        put(TAG);
        put(&self.deployment_id);
        put(&self.node);
        put(&self.gpu_index.to_le_bytes());
        put(&self.epoch.to_le_bytes());
        put(&self.beacon);
        put(&self.nonce);
        put(&self.n.to_le_bytes());
        put(&self.rounds.to_le_bytes());
        put(&self.super_root);
        bytes
    }

    /// Reads [`Commit::to_bytes`]. Whoever gets a commit from here has one of an allowed size.
    ///
    /// # Errors
    /// [`ProofError::Length`], [`ProofError::Tag`], and those of [`check_size`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        let bytes: &[u8; COMMIT_LEN] =
            bytes.try_into().map_err(|_| ProofError::Length { expected: COMMIT_LEN, got: bytes.len() })?;
        let mut rest = &bytes[..];
        if take(&mut rest) != *TAG {
            return Err(ProofError::Tag);
        }
        let commit = Self {
            deployment_id: take(&mut rest),
            node: take(&mut rest),
            gpu_index: u32::from_le_bytes(take(&mut rest)),
            epoch: u64::from_le_bytes(take(&mut rest)),
            beacon: take(&mut rest),
            nonce: take(&mut rest),
            n: u32::from_le_bytes(take(&mut rest)),
            rounds: u32::from_le_bytes(take(&mut rest)),
            super_root: take(&mut rest),
        };
        check_size(commit.n, commit.rounds)?;
        Ok(commit)
    }

    /// SHA-256 of the encoding: the identity of the commit and the seed of its `FraudCase`.
    pub fn id(&self) -> [u8; 32] {
        sha256(&[&self.to_bytes()])
    }
}

/// The next N bytes; the caller has checked the length of the whole.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().expect("the length was checked");
    *rest = tail;
    *head
}
