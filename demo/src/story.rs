//! The story: a market is founded, machines are measured, one lies and burns, a job is bought and paid, and a vote
//! changes what the next one pays.
//!
//! Each step is done by the command a person would type, and read back from the chain.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use millrace_client::pda;
use serde_json::Value;

use millrace_demo::answers::{mill, number, text};
use millrace_demo::process::{self, free_port};
use millrace_demo::stage::Stage;
use millrace_demo::{secrets, STOPPED};

use crate::{failover, vote};

/// The honest providers and what they ask, MILL a second. The third asks more than the customer pays.
const PROVIDERS: [(&str, &str); 3] = [("ada", "0.020"), ("ben", "0.015"), ("cho", "0.500")];
/// The dishonest one, and the share of the rows it does not compute, percent.
const CHEAT: (&str, &str, u32) = ("mallory", "0.010", 20);
/// The most the customer pays, MILL a second.
const MAX_PER_SEC: &str = "0.05";
/// What each node claims to have for a job, MiB: little, since four of them fill theirs on one machine.
const MEMORY_MIB: &str = "8";
const ORACLES: usize = 3;
const SUPPLY_MILL: &str = "1000000000";

/// What happened, for whoever compares runs.
#[derive(Debug, PartialEq)]
struct Facts {
    winner: String,
    bids: usize,
    exit_code: i64,
    accuracy: String,
    cheat_is_slashed: bool,
}

/// Tells the story in `dir`. With `kill_oracle` (1 to 3) that oracle dies while the job runs.
pub fn tell(dir: &Path, kill_oracle: Option<u8>, stay: bool) -> Result<()> {
    // A machine dies only where no oracle does: one trouble at a time.
    let mut stage = Stage::set(dir, if kill_oracle.is_none() { 15 } else { 14 })?;
    local_network(&mut stage)?;
    let ben = provider(&stage, PROVIDERS[1].0);
    let mint = token(&mut stage)?;
    market(&mut stage, &mint)?;
    let gops = bench(&mut stage)?;
    stakes(&mut stage, gops)?;
    let verdict = watcher(&stage);
    measured(&mut stage)?;
    let slashed = cheat_caught(&mut stage, verdict)?;
    let old_fee_bps = vote::fee_bps(&stage)?;
    let proposal = vote::cast(&mut stage)?;
    let job = paid_job(&mut stage, kill_oracle)?;
    vote::require_fee(&job, old_fee_bps)?;
    let accuracy = result(&mut stage, &job)?;
    settled(&mut stage, &job)?;
    vote::carried_out(&mut stage, proposal)?;
    let second = second_job(&mut stage)?;
    vote::require_fee(&second, vote::NEW_FEE_BPS)?;
    if kill_oracle.is_none() {
        let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        failover::play(
            &mut stage,
            &failover::Cast {
                oracles: &(1..=ORACLES).map(oracle_name).collect::<Vec<_>>(),
                agents: &names(PROVIDERS.map(|(who, _)| who).into()),
                victim: PROVIDERS[1].0,
                victim_account: ben.clone(),
            },
        )?;
    }
    books(&mut stage)?;
    let (keys, files) = secrets::require_none_written(&stage.dir)?;
    stage.tell(format!("no secret of {keys} keys in {files} files this run wrote"));

    let facts = Facts {
        winner: job["provider"].as_str().unwrap_or_default().to_owned(),
        bids: job["bids"].as_array().map_or(0, Vec::len),
        exit_code: job["exit_code"].as_i64().unwrap_or(-1),
        accuracy,
        cheat_is_slashed: slashed,
    };
    ensure!(
        facts.winner == ben && facts.bids == 2 && facts.exit_code == 0 && facts.cheat_is_slashed,
        "the story ended otherwise than it must: {facts:?}, and {} is at {ben}",
        PROVIDERS[1].0
    );
    println!(
        "\nAll of it true, in {:.1} s. Keys, logs and results: {}",
        stage.elapsed().as_secs_f64(),
        stage.dir.display()
    );
    if stay {
        println!("The network stays up at {}; Ctrl-C ends it.", stage.url);
        while !STOPPED.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(200));
        }
    }
    Ok(())
}

fn oracle_name(number: usize) -> String {
    format!("oracle-{number}")
}

fn operator(provider: &str) -> String {
    format!("{provider}-operator")
}

/// Address of the provider account of `who`.
fn provider(stage: &Stage, who: &str) -> String {
    pda::provider(&stage.address(who)).to_string()
}

fn everyone_who_sells() -> impl Iterator<Item = (&'static str, &'static str)> {
    PROVIDERS.into_iter().chain([(CHEAT.0, CHEAT.1)])
}

fn local_network(stage: &mut Stage) -> Result<()> {
    stage.announce("A local Solana network, with the program deployed");
    for who in ["founder", "customer", "watcher"].into_iter().chain(vote::HOLDERS.map(|(who, ..)| who)) {
        stage.key(who)?;
    }
    for number in 1..=ORACLES {
        stage.key(&oracle_name(number))?;
    }
    for (who, _) in everyone_who_sells() {
        stage.key(who)?;
        stage.key(&operator(who))?;
    }
    stage.start_network()?;
    stage.tell(format!("{}  program {}", stage.url, millrace::ID));
    Ok(())
}

fn token(stage: &mut Stage) -> Result<String> {
    stage.announce("The MILL token: its whole supply minted once, the right to mint more given up");
    let minted = stage.millrace("founder", &["genesis", "mint", "--supply", SUPPLY_MILL])?;
    let mint = text(&minted, "mint")?.to_owned();
    stage.tell(format!("mint {mint}  supply {}", mill(number(&minted, "supply")?)));
    Ok(mint)
}

fn market(stage: &mut Stage, mint: &str) -> Result<()> {
    stage.announce("The market: parameters, three oracle seats, genesis sealed");
    let ports: Vec<u16> = (0..ORACLES).map(|_| free_port()).collect::<Result<_>>()?;
    let seats: Vec<String> = ports
        .iter()
        .enumerate()
        .map(|(place, port)| format!("{}=https://127.0.0.1:{port}", stage.address(&oracle_name(place + 1))))
        .collect();
    let mut arguments = vec!["genesis", "init", "--profile", "local", "--mint", mint];
    seats.iter().for_each(|seat| arguments.extend(["--oracle", seat]));
    let opened = stage.millrace("founder", &arguments)?;
    stage.tell(format!(
        "an epoch is {} s, deployment {}",
        number(&opened, "epoch_secs")?,
        text(&opened, "deployment_id")?
    ));
    for (place, port) in ports.iter().enumerate() {
        let name = oracle_name(place + 1);
        let listen = format!("127.0.0.1:{port}");
        let command = stage.oracle(&name, std::slice::from_ref(&stage.url), &listen, "[limits]\ntransfer_mib = 4\n")?;
        stage.start(&name, command)?;
    }
    let providers: Vec<String> = everyone_who_sells().map(|(who, _)| stage.address(who).to_string()).collect();
    for to in &providers {
        stage.millrace("founder", &["transfer", to, "10000"])?;
    }
    let customer = stage.address("customer").to_string();
    stage.millrace("founder", &["transfer", &customer, "1000"])?;
    Ok(())
}

/// Nodes claim a quarter of what is measured now, with the chain and the oracles running, so that a busy machine of
/// two cores that runs four providers at once stays honest.
fn bench(stage: &mut Stage) -> Result<u64> {
    stage.announce("What this machine can do, measured");
    let mut command = stage.built.binary("millrace-agent");
    command.arg("bench");
    let measured = process::json(command)?;
    let gops = number(&measured, "gops")?;
    let claimed = (gops / 4).max(1);
    stage.tell(format!("{gops} gops; each node claims {claimed}"));
    Ok(claimed)
}

fn stakes(stage: &mut Stage, gops: u64) -> Result<()> {
    stage.announce("Four providers stake and register a machine; one of them will cheat");
    for (who, ask_per_sec) in everyone_who_sells() {
        let port = free_port()?;
        let operator = operator(who);
        let address = stage.address(&operator).to_string();
        stage.millrace(
            who,
            &["provider", "register", "--operator", &address, "--endpoint", &format!("https://127.0.0.1:{port}")],
        )?;
        let staked = stage.millrace(who, &["provider", "stake", "500"])?;
        let claimed = gops.to_string();
        let claims = ["--class", "cpu", "--gops", &claimed, "--vram-mib", MEMORY_MIB, "--ask-per-sec", ask_per_sec];
        let node = stage.millrace(who, &[&["node", "register"], &claims[..]].concat())?;
        stage.tell(format!(
            "{who:<8} stakes {}, {} of it behind its node, asks {ask_per_sec} MILL a second",
            mill(number(&staked, "stake")?),
            mill(number(&node, "locked_stake")?)
        ));
        start_agent(stage, who, &operator, port)?;
    }
    Ok(())
}

fn start_agent(stage: &mut Stage, who: &str, operator: &str, port: u16) -> Result<()> {
    let mut command =
        stage.agent((who, operator), std::slice::from_ref(&stage.url), &format!("127.0.0.1:{port}"), "")?;
    if who == CHEAT.0 {
        command = std::process::Command::new(std::env::current_exe()?);
        command.args(["cheating-agent", "--skip-percent", &CHEAT.2.to_string(), "--config"]);
        command.arg(stage.settings_path(who));
    }
    stage.start(who, command)
}

/// Starts the watcher, who believes no oracle; its verdict is awaited later.
fn watcher(stage: &Stage) -> thread::JoinHandle<Result<Value>> {
    let command = stage.json_command("watcher", &["watch", "--until-slashed", "--for-secs", "120"]);
    thread::spawn(move || process::json(command))
}

fn measured(stage: &mut Stage) -> Result<()> {
    stage.announce("The oracles audit the machines: shares, a commit, 512 random entries, a verdict by quorum");
    let nodes = stage.wait("three machines verified", 60, |stage| {
        let nodes = stage.millrace("founder", &["node", "list"])?;
        let verified = nodes
            .as_array()
            .is_some_and(|nodes| nodes.iter().filter(|node| node["state"] == "verified").count() == PROVIDERS.len());
        Ok(verified.then_some(nodes))
    })?;
    for (who, _) in PROVIDERS {
        let provider = provider(stage, who);
        let node = nodes.as_array().and_then(|nodes| nodes.iter().find(|node| node["provider"] == provider.as_str()));
        let node = node.with_context(|| format!("{who} has no node"))?;
        ensure!(node["state"] == "verified", "{who} was not verified, so the cheat was");
        stage.tell(format!(
            "{who:<8} verified at {} of {} gops claimed, {} of {MEMORY_MIB} MiB",
            number(node, "verified_gops")?,
            number(node, "claimed_gops")?,
            number(node, "verified_vram_mib")?
        ));
    }
    Ok(())
}

fn cheat_caught(stage: &mut Stage, verdict: thread::JoinHandle<Result<Value>>) -> Result<bool> {
    stage.announce("A watcher rechecks every commit, and proves the cheat's wrong entries on chain");
    stage.wait("three wrong entries proven", 90, |_| Ok(verdict.is_finished().then_some(())))?;
    let slashed = verdict.join().map_err(|_| anyhow::anyhow!("the watcher panicked"))??;
    let provider = stage.millrace(CHEAT.0, &["provider", "show"])?;
    let node = stage.millrace(CHEAT.0, &["node", "show", "0"])?;
    stage.tell(format!(
        "{} skipped {} % of its rows: {} of 512 opened entries were wrong, {} were recomputed by the program",
        CHEAT.0,
        CHEAT.2,
        number(&slashed, "wrong_entries_opened")?,
        number(&slashed, "entries_proven")?
    ));
    stage.tell(format!(
        "it lost {}: {} burned, {} to the watcher; it is {}, its node {}",
        mill(number(&slashed, "slashed_amount")?),
        mill(number(&slashed, "burned_amount")?),
        mill(number(&slashed, "bounty_amount")?),
        text(&provider, "status")?,
        text(&node, "state")?
    ));
    ensure!(number(&node, "verified_gops")? == 0, "the oracles listed the cheat as measured");
    Ok(provider["status"] == "jailed" && node["state"] == "retired" && number(&provider, "slashed")? > 0)
}

fn paid_job(stage: &mut Stage, kill_oracle: Option<u8>) -> Result<Value> {
    stage.announce(
        "A customer posts a job: train a classifier on 1,797 scanned numerals, for at most 0.05 MILL a second",
    );
    stage.millrace("customer", &["customer", "deposit", "100"])?;
    let manifest = job_folder()?.join("millrace.toml").display().to_string();
    let out = stage.dir.join("results").display().to_string();
    let order = ["job", "run", &manifest, "--class", "cpu", "--objective", "price", "--max-per-sec", MAX_PER_SEC];
    let way = ["--bidding-secs", "5", "--keep-open", "--out", &out];
    let command = stage.json_command("customer", &[&order[..], &way[..]].concat());
    let running = thread::spawn(move || process::json(command));
    if let Some(number) = kill_oracle {
        stage.wait("the job at work", 60, |stage| {
            let jobs = stage.millrace("customer", &["job", "list"])?;
            Ok((jobs[0]["state"] == "awarded" || running.is_finished()).then_some(()))
        })?;
        let name = oracle_name(usize::from(number));
        stage.kill(&name)?;
        stage.tell(format!("{name} was killed while the job runs"));
    }
    stage.wait("the job posted, bid for, run and proven", 120, |_| Ok(running.is_finished().then_some(())))?;
    let job = running.join().map_err(|_| anyhow::anyhow!("the customer's command panicked"))??;
    let bids = job["bids"].as_array().context("the job lists no bids")?;
    for bid in bids {
        let who = PROVIDERS.iter().find(|(who, _)| bid["provider"] == provider(stage, who).as_str());
        stage.tell(format!(
            "{} bids {} a second",
            who.map_or("somebody", |(who, _)| who),
            mill(number(bid, "per_sec")?)
        ));
    }
    stage.tell(format!(
        "the better won: {} proven seconds for {}, and a fee of {}",
        number(&job, "paid_secs")?,
        mill(number(&job, "gross_amount")?),
        mill(number(&job, "fee_amount")?)
    ));
    ensure!(number(&job, "paid_secs")? > 0, "nothing was paid: {job}");
    Ok(job)
}

/// The same work once more, under the new fee.
fn second_job(stage: &mut Stage) -> Result<Value> {
    stage.announce("The customer posts the job once more, and pays the new fee");
    let manifest = job_folder()?.join("millrace.toml").display().to_string();
    let out = stage.dir.join("results-2").display().to_string();
    let order = ["job", "run", &manifest, "--class", "cpu", "--objective", "price", "--max-per-sec", MAX_PER_SEC];
    let command = stage.json_command("customer", &[&order[..], &["--bidding-secs", "5", "--out", &out]].concat());
    let running = thread::spawn(move || process::json(command));
    stage.wait("the job posted, bid for, run and proven", 120, |_| Ok(running.is_finished().then_some(())))?;
    let job = running.join().map_err(|_| anyhow::anyhow!("the customer's command panicked"))??;
    stage.tell(format!(
        "{} proven seconds for {}, and a fee of {}",
        number(&job, "paid_secs")?,
        mill(number(&job, "gross_amount")?),
        mill(number(&job, "fee_amount")?)
    ));
    ensure!(number(&job, "paid_secs")? > 0 && job["exit_code"] == 0, "the second job did not end well: {job}");
    Ok(job)
}

/// While the lease is open its seconds can be checked; then the customer accepts, and the fee is swept.
fn settled(stage: &mut Stage, job: &Value) -> Result<()> {
    stage.announce("The customer accepts: what was held back is paid, the fee is split and a part of it burned");
    let ledger = stage.millrace("founder", &["ledger"])?;
    let open = ledger["invariants"].as_array().and_then(|all| all.iter().find(|it| it["name"] == "I5"));
    stage.tell(format!("before: {}", open.and_then(|it| it["evidence"].as_str()).context("the ledger has no I5")?));
    let id = number(job, "id")?.to_string();
    stage.millrace("customer", &["job", "accept", &id])?;
    stage.millrace("customer", &["job", "close", &id])?;
    let books = stage.millrace("customer", &["customer", "show"])?;
    stage.tell(format!(
        "paid {}, burned {} of the fee",
        mill(number(&books, "paid")?),
        mill(number(&books, "burned")?)
    ));
    ensure!(number(&books, "paid")? == number(job, "gross_amount")?, "paid is not what the seconds cost: {books}");
    ensure!(number(&books, "burned")? > 0 && number(&books, "reserved")? == 0, "the job is not settled: {books}");
    Ok(())
}

fn job_folder() -> Result<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("job");
    ensure!(folder.exists(), "{} is missing; run the demo from its checkout", folder.display());
    Ok(folder)
}

fn result(stage: &mut Stage, job: &Value) -> Result<String> {
    stage.announce("The result, as downloaded and checked against what the oracles reported");
    let file = stage.dir.join("results").join("accuracy.json");
    let said = std::fs::read_to_string(&file)
        .with_context(|| format!("{} did not arrive; the job says {job}", file.display()))?;
    let result: Value = serde_json::from_str(&said)?;
    let accuracy = result["accuracy"].as_f64().context("no accuracy in the result")?;
    stage.tell(format!(
        "accuracy {:.2} % on {} scans it had not seen  ({})",
        accuracy * 100.0,
        number(&result, "tested")?,
        file.display()
    ));
    if !(0.9..1.0).contains(&accuracy) {
        bail!("an accuracy of {accuracy} is not what this training gives");
    }
    Ok(format!("{accuracy:.6}"))
}

fn books(stage: &mut Stage) -> Result<()> {
    stage.announce("The books: every base unit, read from the chain");
    let ledger = stage.millrace("founder", &["ledger"])?;
    let shown = stage.command("founder", &["ledger"]).output()?;
    let mut shown_text = String::from_utf8_lossy(&shown.stdout).into_owned();
    for (address, name) in names(stage, &ledger) {
        shown_text = shown_text.replace(&address, &format!("{name:<width$}", width = address.len()));
    }
    stage.tell(shown_text);
    let broken: Vec<&Value> =
        ledger["invariants"].as_array().into_iter().flatten().filter(|it| it["holds"] != true).collect();
    ensure!(broken.is_empty() && shown.status.success(), "invariants do not hold: {broken:?}");
    Ok(())
}

/// Who is behind the addresses of the ledger.
fn names(stage: &Stage, ledger: &Value) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for (who, address) in stage.addresses() {
        names.push((pda::provider(address).to_string(), who.to_owned()));
        names.push((pda::customer(address).to_string(), who.to_owned()));
    }
    for holding in ledger["holdings"].as_array().into_iter().flatten() {
        let (account, owner) = (holding["account"].as_str().unwrap_or(""), holding["owner"].as_str().unwrap_or(""));
        let of_whom = stage.addresses().find(|(_, address)| {
            let own = [**address, pda::provider(address), pda::customer(address), pda::lock(address)];
            own.iter().any(|key| key.to_string() == owner)
        });
        if let Some((who, _)) = of_whom {
            names.push((account.to_owned(), who.to_owned()));
        }
    }
    names
}
