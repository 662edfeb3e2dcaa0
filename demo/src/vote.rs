//! Token holders change the fee, and the next job pays the new one.

use anyhow::{ensure, Context, Result};
use serde_json::Value;

use millrace_demo::answers::{mill, number, text};
use millrace_demo::stage::Stage;

/// Who holds tokens, how much of them, MILL, and how they vote.
pub const HOLDERS: [(&str, &str, &str); 3] =
    [("dora", "200000000", "yes"), ("emil", "150000000", "yes"), ("finn", "100000000", "no")];
/// How long they lock what they hold.
const LOCK_FOR: &str = "1h";
/// The fee they vote for, basis points.
pub const NEW_FEE_BPS: u64 = 100;

/// Holders lock, one of them proposes, all of them vote. Returns the number of the proposal.
pub fn cast(stage: &mut Stage) -> Result<u64> {
    let fee_bps = fee_bps(stage)?;
    stage.announce("Token holders lock MILL for a say, and vote on the fee while business goes on");
    for (who, amount, _) in HOLDERS {
        let to = stage.address(who).to_string();
        // What it locks, and its deposit for a proposal.
        stage.millrace("founder", &["transfer", &to, amount])?;
        stage.millrace("founder", &["transfer", &to, "1000"])?;
        let lock = stage.millrace(who, &["gov", "lock", amount, "--for", LOCK_FOR])?;
        stage.tell(format!(
            "{who:<8} locks {}, which weighs {}",
            mill(number(&lock, "amount")?),
            mill(number(&lock, "weight")?)
        ));
    }
    // Only locks older than a proposal count, and the chain's clock has whole seconds.
    let began = stage.elapsed();
    stage.wait("a second of the chain's clock", 10, |stage| {
        Ok((stage.elapsed() - began).as_millis().ge(&1_500).then_some(()))
    })?;
    let change = format!("fee_bps={NEW_FEE_BPS}");
    let proposed = stage.millrace(HOLDERS[0].0, &["gov", "propose", "params", "--set", &change])?;
    let id = number(&proposed, "id")?;
    stage.tell(format!("{} proposes: {}", HOLDERS[0].0, text(&proposed, "what")?));
    for (who, _, vote) in HOLDERS {
        let voted = stage.millrace(who, &["gov", "vote", &id.to_string(), vote])?;
        stage.tell(format!("{who:<8} votes {vote} with {}", mill(number(&voted, "weight")?)));
    }
    ensure!(self::fee_bps(stage)? == fee_bps, "a vote changed the fee before it was over");
    Ok(id)
}

/// The vote is over: it is executed, and the oracles put the new fee in force two epochs later.
pub fn carried_out(stage: &mut Stage, id: u64) -> Result<()> {
    let before = fee_bps(stage)?;
    stage.announce("The vote has passed: anyone executes it, and two epochs later the new fee is in force");
    let id = id.to_string();
    let shown = stage.wait("the end of the vote and of its timelock", 60, |stage| {
        let shown = stage.millrace("watcher", &["gov", "show", &id])?;
        Ok((shown["standing"] == "executable").then_some(shown))
    })?;
    stage.tell(format!(
        "{} for, {} against, of {} that have a say",
        mill(number(&shown, "yes_weight")?),
        mill(number(&shown, "no_weight")?),
        mill(number(&shown, "total_weight")?)
    ));
    stage.millrace("watcher", &["gov", "execute", &id])?;
    let after = stage.wait("the new parameters in force", 60, |stage| {
        let now = fee_bps(stage)?;
        Ok((now != before).then_some(now))
    })?;
    stage.tell(format!("fee_bps was {before} and is {after}, read from the chain"));
    ensure!(after == NEW_FEE_BPS, "the fee is {after} basis points, voted for were {NEW_FEE_BPS}");
    let closed = stage.millrace("watcher", &["gov", "close", &id])?;
    stage.tell(text(&closed, "done")?);
    Ok(())
}

/// The fee in force, basis points.
pub fn fee_bps(stage: &Stage) -> Result<u64> {
    number(&stage.millrace("founder", &["gov", "params"])?["params"], "fee_bps")
}

/// Fails unless `job` was charged `fee_bps` of its price, rounded up once for each settlement.
pub fn require_fee(job: &Value, fee_bps: u64) -> Result<()> {
    let (gross, fee) = (number(job, "gross_amount")?, number(job, "fee_amount")?);
    let exact = gross.checked_mul(fee_bps).context("the price is out of range")?;
    let within = exact..exact + 10_000 * 100;
    ensure!(within.contains(&(fee * 10_000)), "a fee of {fee} on {gross} is not {fee_bps} basis points");
    Ok(())
}
