//! The act in which a machine dies: its stand-by takes over, and the customer is compensated out of its bond.

use std::thread;

use anyhow::{ensure, Context, Result};
use millrace_demo::answers::{mill, number, text};
use millrace_demo::stage::Stage;
use millrace_demo::{logs, process};
use serde_json::Value;

/// What the job writes in the end.
const SAID: &str = "counted to ten";

/// The most that may pass between an accepted report and the stand-by's lease, seconds.
const TAKEN_OVER_WITHIN_SECS: f64 = 10.0;

/// Who is in it: names of the oracles, of the agents, and of the provider that is to die, with its account.
pub struct Cast<'a> {
    /// The oracles.
    pub oracles: &'a [String],
    /// The providers.
    pub agents: &'a [String],
    /// The cheapest of them, which wins the job.
    pub victim: &'a str,
    /// Its provider account.
    pub victim_account: String,
}

/// Kills the machine at work and sees the job through.
pub fn play(stage: &mut Stage, cast: &Cast) -> Result<()> {
    stage.announce("A guaranteed job: a bond behind the machine, and another that stands by; then the machine dies");
    let folder = stage.dir.join("counting");
    std::fs::create_dir_all(&folder)?;
    let manifest = format!(
        "[job]\ncommand = [\"sh\", \"-c\", \"for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.6; done; echo {SAID} > said.txt\"]\n\
         environment = \"python-sklearn\"\nfiles = []\noutputs = [\"said.txt\"]\n\n\
         [limits]\nmemory_mib = 64\ndisk_mib = 4\npids = 16\nmax_secs = 120\n"
    );
    std::fs::write(folder.join("millrace.toml"), manifest)?;
    let path = folder.join("millrace.toml").display().to_string();
    let out = stage.dir.join("results-3").display().to_string();
    let order = ["job", "run", &path, "--class", "cpu", "--objective", "price", "--max-per-sec", "0.05"];
    let way = ["--tier", "guaranteed", "--bidding-secs", "5", "--out", &out];
    let command = stage.json_command("customer", &[&order[..], &way[..]].concat());
    let running = thread::spawn(move || process::json(command));
    let id = stage.wait("the job at work", 90, |stage| at_work(stage, running.is_finished()))?;
    stage.kill(cast.victim)?;
    stage.tell(format!("{} was killed while it counted", cast.victim));
    stage.wait("its stand-by found, and done counting", 180, |_| Ok(running.is_finished().then_some(())))?;
    let job = running.join().map_err(|_| anyhow::anyhow!("the customer's command panicked"))??;
    ensure!(job["exit_code"] == 0 && job["state"] == "completed", "the job did not end well: {job}");
    ensure!(job["provider"] != cast.victim_account.as_str(), "the dead machine did the work: {job}");
    ensure!(job["failed_nodes"].as_array().is_some_and(|nodes| nodes.len() == 1), "nobody was replaced: {job}");
    let said = std::fs::read_to_string(stage.dir.join("results-3/said.txt"))?;
    ensure!(said.trim() == SAID, "the result is {said:?}");
    let delays = logs::takeovers(&stage.dir, cast.oracles, cast.agents)?;
    let delay = delays.last().context("no agent says that it took over")?.as_secs_f64();
    stage.tell(format!("its place was taken over {delay:.1} s after the report that it had failed was accepted"));
    ensure!(delay < TAKEN_OVER_WITHIN_SECS, "{delay:.1} s is more than {TAKEN_OVER_WITHIN_SECS} s");
    stage.tell(format!(
        "{} for {} s of work, {} of it to the stand-by while it waited; the dead machine's seconds are not paid",
        mill(number(&job, "gross_amount")?),
        number(&job, "paid_secs")?,
        mill(number(&job, "standby_gross_amount")?)
    ));
    compensated(stage, id, cast)
}

/// The number of the job, once its machine counts.
fn at_work(stage: &Stage, has_ended: bool) -> Result<Option<u64>> {
    let jobs = stage.millrace("customer", &["job", "list"])?;
    let Some(id) = jobs[0]["id"].as_u64() else { return Ok(None) };
    ensure!(!has_ended, "the job ended before its machine could be killed: {jobs}");
    let Ok(log) = stage.command("customer", &["job", "logs", &id.to_string()]).output() else { return Ok(None) };
    Ok(String::from_utf8_lossy(&log.stdout).contains('2').then_some(id))
}

/// When nobody can claim from the dead machine's bond any more, the customer has its part of it.
fn compensated(stage: &mut Stage, id: u64, cast: &Cast) -> Result<()> {
    let id = id.to_string();
    stage.wait("the time in which others may claim from its bond", 60, |stage| {
        let closed = process::json(stage.json_command("customer", &["job", "close", &id]));
        match closed {
            Ok(_) => Ok(Some(())),
            Err(error) if format!("{error:#}").contains("cannot be closed yet") => Ok(None),
            Err(error) => Err(error),
        }
    })?;
    let provider: Value = stage.millrace(cast.victim, &["provider", "show"])?;
    stage.tell(format!(
        "{} owes the customer {} out of its bond; the claim is paid when it has matured",
        cast.victim,
        mill(number(&provider, "claims")?)
    ));
    ensure!(number(&provider, "claims")? > 0, "the customer was not compensated: {provider}");
    ensure!(text(&provider, "status")? == "active", "to fail a lease is no offence: {provider}");
    Ok(())
}
