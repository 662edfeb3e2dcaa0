//! What daemons and command line both have to know of a lease.

use millrace::state::{Lease, LeaseRole, Provider};

use crate::ix::{self, Market};
use crate::{Instruction, Pubkey};

/// Whether `lease` stands by and may still take over.
pub fn stands_by(lease: &Lease) -> bool {
    lease.role == LeaseRole::StandBy as u8 && !lease.has_ended() && lease.stop_at == 0
}

/// What closes the lease at `key`, once its dispute window is over: what a failed one owes its customer comes first. `provider` is the
/// lease's. Signed by `caller`, who pays the rent of the claim, if one is opened.
pub fn close(caller: &Pubkey, key: &Pubkey, lease: &Lease, provider: &Provider, market: &Market) -> Vec<Instruction> {
    let compensate =
        (lease.compensation_due(provider) > 0).then(|| ix::claim_compensation(caller, key, lease, provider.next_claim));
    compensate.into_iter().chain([ix::close_lease(caller, key, lease, market)]).collect()
}
