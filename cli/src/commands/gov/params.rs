//! Parameters by name.

use std::fmt;

use anyhow::{bail, Context as _, Result};
use millrace::state::Params;
use serde::Serialize;

use crate::context::Context;
use crate::output::table;

macro_rules! fields {
    ($($field:ident)*) => {
        /// Every parameter by name. The names say the unit: `_bps` are hundredths of a percent, `_secs` seconds, `_amount`
        /// base units of a millionth of a MILL.
        pub fn all(params: &Params) -> Vec<(&'static str, i128)> {
            // The compiler checks that none is missing.
            let Params { $($field,)* padding: _, reserved: _ } = *params;
            vec![$((stringify!($field), i128::from($field))),*]
        }

        /// Sets one parameter.
        fn set_field(params: &mut Params, name: &str, value: &str) -> Result<()> {
            match name {
                $(stringify!($field) => {
                    params.$field = value.parse().with_context(|| format!("{value:?} is no value of {name}; give a whole number"))?;
                })*
                _ => {
                    let names: Vec<_> = all(params).into_iter().map(|(name, _)| name).collect();
                    bail!("there is no parameter {name:?}; there are {}", names.join(", "))
                }
            }
            Ok(())
        }
    };
}

fields! {
    fee_bps oracle_share_bps treasury_share_bps holdback_bps bid_bond_bps bounty_bps quorum_bps bond_bps compensation_bps
    standby_bps withheld_slash_bps capacity_slash_bps max_slash_per_epoch_bps vote_quorum_bps stake_base_amount
    stake_per_1000_gops_amount flip_penalty_amount reliability_half_fee_amount case_deposit_lamports
    downgrade_fee_amount dispute_bond_amount oracle_stake_amount proposal_deposit_amount reward_period_epochs epoch_secs
    unbonding_secs dispute_window_secs award_window_secs audit_valid_secs oracle_outage_secs jail_secs case_window_secs
    stop_notice_secs max_lease_secs appeal_window_secs dispute_vote_secs voting_secs timelock_secs grace_secs max_lock_secs
}

/// A change as people type it: `NAME=VALUE`, with - or _ in the name.
pub fn change(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.replace('-', "_"), value.into())),
        _ => Err(format!("{text:?} is no change; write NAME=VALUE, such as fee_bps=200")),
    }
}

/// `params` with `changes` made.
pub fn changed(params: &Params, changes: &[(String, String)]) -> Result<Params> {
    let mut changed = *params;
    changes.iter().try_for_each(|(name, value)| set_field(&mut changed, name, value))?;
    Ok(changed)
}

/// One parameter that differs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its name.
    pub name: &'static str,
    /// Its value before.
    pub from: i128,
    /// Its value then.
    pub to: i128,
}

/// What differs between two sets.
pub fn difference(from: &Params, to: &Params) -> Vec<Change> {
    let both = all(from).into_iter().zip(all(to));
    both.filter(|(from, to)| from.1 != to.1).map(|((name, from), (_, to))| Change { name, from, to }).collect()
}

#[derive(Serialize)]
struct Shown {
    params: serde_json::Map<String, serde_json::Value>,
    pending: Vec<Change>,
    pending_epoch: Option<u64>,
    epoch: u64,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut rows = table(["parameter", "value"]);
        for (name, value) in &self.params {
            rows.add_row([name.clone(), value.to_string()]);
        }
        write!(f, "{rows}")?;
        if let Some(pending_epoch) = self.pending_epoch {
            write!(f, "\nfrom epoch {pending_epoch}, now is {}:", self.epoch)?;
            for it in &self.pending {
                write!(f, "\n  {} {} -> {}", it.name, it.from, it.to)?;
            }
        }
        Ok(())
    }
}

pub async fn show(context: &Context) -> Result<()> {
    let market = context.market().await?;
    let epoch = market.epoch_at(context.chain().unix_timestamp().await?)?;
    let is_pending = market.pending_epoch > 0;
    context.print(&Shown {
        params: all(&market.params).into_iter().map(|(name, value)| (name.into(), (value as i64).into())).collect(),
        pending: if is_pending { difference(&market.params, &market.pending) } else { vec![] },
        pending_epoch: is_pending.then_some(market.pending_epoch),
        epoch,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;

    #[test]
    fn a_change_is_named_and_typed() {
        let params = Params::zeroed();
        let changes = [change("fee-bps=200").unwrap(), change("voting_secs=60").unwrap()];
        let changed = changed(&params, &changes).unwrap();
        assert_eq!((changed.fee_bps, changed.voting_secs), (200, 60));
        let names: Vec<_> = difference(&params, &changed).into_iter().map(|it| (it.name, it.from, it.to)).collect();
        assert_eq!(names, [("fee_bps", 0, 200), ("voting_secs", 0, 60)]);
    }

    #[test]
    fn what_is_no_parameter_is_answered_with_those_there_are() {
        let params = Params::zeroed();
        let said = changed(&params, &[("fee".into(), "1".into())]).unwrap_err().to_string();
        assert!(said.contains("fee_bps") && said.contains("max_lock_secs"), "{said}");
        assert!(changed(&params, &[("fee_bps".into(), "70000".into())]).is_err());
        assert!(changed(&params, &[("fee_bps".into(), "1.5".into())]).is_err());
        assert!(change("fee_bps").is_err() && change("=1").is_err() && change("fee_bps=").is_err());
    }
}
