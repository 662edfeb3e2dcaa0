//! `millrace doctor`.

use std::fmt;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{bail, Result};
use millrace::state::Config;
use millrace_client::{fetch, keys, pda, Signer};
use millrace_wire::server::unix_now;
use serde::Serialize;

use crate::context::{format_sol, mill, Context};

/// Check everything a provider, customer or watcher needs here, and say how to mend what is missing.
///
/// Ends with a failure when something is wrong that would lose work or money.
#[derive(clap::Args)]
pub struct Args {
    /// Port the agent will listen on.
    #[arg(long, default_value_t = 9100)]
    agent_port: u16,
    /// Free disk a provider should have, GiB.
    #[arg(long, default_value_t = 10)]
    min_disk_gib: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    remedy: Option<String>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Diagnosis(Vec<Check>);

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (place, check) in self.0.iter().enumerate() {
            let mark = match check.verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            let line_end = if place == 0 { "" } else { "\n" };
            write!(f, "{line_end}{mark}  {:<12} {}", check.name, check.found)?;
            if let Some(remedy) = &check.remedy {
                write!(f, "\n{:18} {remedy}", "")?;
            }
        }
        Ok(())
    }
}

fn ok(name: &'static str, found: impl Into<String>) -> Check {
    Check { name, verdict: Verdict::Ok, found: found.into(), remedy: None }
}

fn warn(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check { name, verdict: Verdict::Warn, found: found.into(), remedy: Some(remedy.into()) }
}

fn fail(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check { name, verdict: Verdict::Fail, found: found.into(), remedy: Some(remedy.into()) }
}

pub async fn run(context: &Context, args: Args) -> Result<()> {
    let mut checks = vec![rpc(context).await, clock(context).await, program(context).await, key_file(context)];
    checks.extend(balances(context).await);
    checks.push(sandbox());
    checks.push(port(args.agent_port));
    checks.push(disk(args.min_disk_gib));
    let failures = checks.iter().filter(|check| check.verdict == Verdict::Fail).count();
    context.print(&Diagnosis(checks));
    if failures > 0 {
        bail!("{failures} of the checks failed; each says how to mend it");
    }
    Ok(())
}

async fn rpc(context: &Context) -> Check {
    match context.chain().slot().await {
        Ok(slot) => ok("RPC", format!("{} answers, slot {slot}", context.shown_urls())),
        Err(error) => {
            fail("RPC", error.to_string(), "check --url, or set another with `millrace config set --rpc-url URL`")
        }
    }
}

/// Requests between daemons are refused at more than 30 s apart; half of that is worth a warning.
async fn clock(context: &Context) -> Check {
    let Ok(chain) = context.chain().unix_timestamp().await else {
        return fail("clock", "the chain's clock could not be read", "see RPC above");
    };
    let skew_secs = unix_now() - chain;
    let found = format!("{skew_secs} s ahead of the chain's clock");
    match skew_secs.abs() {
        0..=15 => ok("clock", found),
        16..=30 => warn("clock", found, "let ntp or chrony set this machine's clock"),
        _ => fail(
            "clock",
            found,
            "signed requests are refused at more than 30 s; let ntp or chrony set this machine's clock",
        ),
    }
}

async fn program(context: &Context) -> Check {
    match fetch::<Config>(context.chain(), &pda::config()).await {
        Ok(Some(config)) if config.version == millrace::constants::ACCOUNT_VERSION => ok(
            "program",
            format!(
                "{}, account layout {} as in this client {}",
                millrace::ID,
                config.version,
                env!("CARGO_PKG_VERSION")
            ),
        ),
        Ok(Some(config)) => fail(
            "program",
            format!(
                "accounts have layout {}, this client knows {}",
                config.version,
                millrace::constants::ACCOUNT_VERSION
            ),
            "install the client of the program's release",
        ),
        Ok(None) => fail(
            "program",
            format!("{} is not initialised at this RPC", millrace::ID),
            "check --url; on a new network run `millrace genesis init`",
        ),
        Err(error) => fail("program", error.to_string(), "see RPC above"),
    }
}

fn key_file(context: &Context) -> Check {
    let path = &context.keypair_path;
    if !path.exists() {
        return fail(
            "key file",
            format!("there is none at {}", path.display()),
            format!("make one with `millrace keygen {}`", path.display()),
        );
    }
    match keys::load(path) {
        Ok(keypair) => {
            let mode = path.metadata().map_or(0, |meta| meta.permissions().mode() & 0o777);
            ok("key file", format!("{} for {}, mode {mode:o}", path.display(), keypair.pubkey()))
        }
        Err(error) => fail("key file", error.to_string(), format!("chmod 600 {}", path.display())),
    }
}

async fn balances(context: &Context) -> Vec<Check> {
    let Ok(address) = context.address() else { return Vec::new() };
    let lamports = match context.chain().account(&address).await {
        Ok(account) => account.map_or(0, |account| account.lamports),
        Err(error) => return vec![fail("SOL", error.to_string(), "see RPC above")],
    };
    let sol = format_sol(lamports);
    let mut checks = vec![if lamports < 50_000_000 {
        warn("SOL", format!("{sol} for rent and fees"), format!("send at least 0.05 SOL to {address}"))
    } else {
        ok("SOL", sol)
    }];
    if let Ok(market) = context.market().await {
        checks.push(match context.wallet_balance(&market, &address).await {
            Ok(0) => warn("MILL", "none in the wallet", "needed to stake or to buy; not to watch"),
            Ok(amount) => ok("MILL", mill(amount)),
            Err(error) => fail("MILL", error.to_string(), "see RPC above"),
        });
    }
    checks
}

/// Starts a real sandbox, as the agent does.
fn sandbox() -> Check {
    let trial = Command::new("bwrap")
        .args([
            "--unshare-all",
            "--ro-bind",
            "/usr",
            "/usr",
            "--symlink",
            "usr/lib",
            "/lib",
            "--symlink",
            "usr/lib64",
            "/lib64",
        ])
        .args(["--symlink", "usr/bin", "/bin", "--proc", "/proc", "--dev", "/dev", "/bin/true"])
        .output();
    match trial {
        Ok(output) if output.status.success() => ok("sandbox", "bubblewrap starts a process without network"),
        Ok(output) => fail(
            "sandbox",
            format!("bubblewrap fails: {}", String::from_utf8_lossy(&output.stderr).trim()),
            "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1) or run the agent as root",
        ),
        Err(_) => warn("sandbox", "bubblewrap is not installed", "a provider needs it: apt-get install bubblewrap"),
    }
}

fn port(port: u16) -> Check {
    match TcpListener::bind(("0.0.0.0", port)) {
        Ok(_) => ok("port", format!("{port} is free for the agent")),
        Err(error) => warn(
            "port",
            format!("{port} cannot be listened on: {error}"),
            "is an agent running already? else give it another port, and tell `doctor --agent-port`",
        ),
    }
}

/// Free disk by `df`, which knows quotas and reserved blocks.
fn disk(min_gib: u64) -> Check {
    let folder = std::env::var_os("HOME").filter(|home| Path::new(home).exists()).unwrap_or_else(|| "/".into());
    let output = Command::new("df").args(["--output=avail", "-k"]).arg(&folder).output();
    let free_kib = output
        .ok()
        .and_then(|output| String::from_utf8_lossy(&output.stdout).lines().nth(1)?.trim().parse::<u64>().ok());
    match free_kib {
        Some(kib) if kib >> 20 >= min_gib => ok("disk", format!("{} GiB free", kib >> 20)),
        Some(kib) => warn(
            "disk",
            format!("{:.1} GiB free", kib as f64 / (1 << 20) as f64),
            format!("a provider should have {min_gib} GiB"),
        ),
        None => warn("disk", "free space could not be read", "is `df` installed?"),
    }
}
