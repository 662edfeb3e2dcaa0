//! A network of its own for each daemon, where this machine allows it: namespaces joined by a bridge, whose links can
//! be cut without a word to either end.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};
use millrace_demo::process::{free_port, Daemon};

/// Says that this process runs in a network namespace it made.
const INSIDE: &str = "MILLRACE_CHAOS_INSIDE";
/// The run's own address on the bridge, where the RPC is.
const BRIDGE_ADDRESS: &str = "10.77.0.1";
/// Port of every daemon in its namespace.
const PORT: u16 = 9_000;

/// The network of a run.
pub enum Network {
    /// A namespace for each daemon.
    Namespaces,
    /// All on loopback: links cannot be cut.
    Loopback,
}

/// Where one daemon lives.
pub struct Host {
    /// `host:port` it listens on.
    pub listen: String,
    /// Its end of the link on the bridge, and whoever keeps its namespace.
    link: Option<(String, Daemon, u32)>,
}

impl Network {
    /// Moves this process into network and mount namespaces of its own, by starting it anew; without the right to, all stays on
    /// loopback. Call it first of all.
    ///
    /// # Errors
    /// When the bridge cannot be made.
    pub fn enter() -> Result<Self> {
        if std::env::var_os(INSIDE).is_some() {
            for command in [
                "link set lo up",
                "link add millrace type bridge",
                &format!("addr add {BRIDGE_ADDRESS}/24 dev millrace"),
                "link set millrace up",
            ] {
                ip(command)?;
            }
            return Ok(Self::Namespaces);
        }
        let may =
            Command::new("unshare").args(["--net", "--mount", "ip", "link", "add", "probe", "type", "bridge"]).output();
        if !may.is_ok_and(|output| output.status.success()) {
            return Ok(Self::Loopback);
        }
        let mut again = Command::new("unshare");
        // What is mounted in there is gone with it, however it ends.
        again
            .args(["--net", "--mount"])
            .arg(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .env(INSIDE, "1");
        Err(again.exec()).context("unshare does not start")
    }

    /// Where daemons reach what this process listens on.
    pub fn own_address(&self) -> &'static str {
        match self {
            Self::Namespaces => BRIDGE_ADDRESS,
            Self::Loopback => "127.0.0.1",
        }
    }

    /// A place for the daemon `name`, the `number`th from 0. Notes of its keeper go to `dir`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn host(&self, name: &str, number: usize, dir: &Path) -> Result<Host> {
        if matches!(self, Self::Loopback) {
            return Ok(Host { listen: format!("127.0.0.1:{}", free_port()?), link: None });
        }
        ensure!(number < 240, "{name}: the bridge has room for 240 daemons");
        let (address, link, end) = (format!("10.77.0.{}", number + 10), format!("mr{number}"), format!("me{number}"));
        let mut keeper = Command::new("unshare");
        keeper.args(["--net", "sleep", "infinity"]);
        let keeper = Daemon::start(&format!("{name}-net"), keeper, dir)?;
        let id = keeper.id();
        ip(&format!("link add {link} type veth peer name {end}"))?;
        ip(&format!("link set {link} master millrace up"))?;
        wait_for_namespace(id)?;
        ip(&format!("link set {end} netns {id}"))?;
        for command in
            [format!("addr add {address}/24 dev {end}"), format!("link set {end} up"), "link set lo up".into()]
        {
            run(copied(Command::new("ip").args(command.split(' ')), Some(id)))?;
        }
        Ok(Host { listen: format!("{address}:{PORT}"), link: Some((link, keeper, id)) })
    }
}

impl Host {
    /// `command`, to be run where this host is.
    pub fn place(&self, command: &Command) -> Command {
        match &self.link {
            Some((_, _, id)) => copied(command, Some(*id)),
            None => copied(command, None),
        }
    }

    /// Whether it has a namespace of its own.
    pub fn is_apart(&self) -> bool {
        self.link.is_some()
    }

    /// Cuts the link, or joins it again. Returns whether there is one.
    ///
    /// # Errors
    /// When the link is gone.
    pub fn set_link(&self, is_up: bool) -> Result<bool> {
        let Some((link, ..)) = &self.link else { return Ok(false) };
        ip(&format!("link set {link} {}", if is_up { "up" } else { "down" }))?;
        Ok(true)
    }
}

/// Waits until the keeper has left this process's namespace.
fn wait_for_namespace(id: u32) -> Result<()> {
    let own = std::fs::read_link("/proc/self/ns/net")?;
    for _ in 0..200 {
        if std::fs::read_link(format!("/proc/{id}/ns/net")).is_ok_and(|its| its != own) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    bail!("process {id} got no network namespace within 2 s")
}

/// The same command once more, in the network namespace of process `keeper` where one is given.
fn copied(command: &Command, keeper: Option<u32>) -> Command {
    let mut placed = match keeper {
        Some(id) => {
            let mut nsenter = Command::new("nsenter");
            nsenter.arg(format!("--net=/proc/{id}/ns/net")).arg(command.get_program());
            nsenter
        }
        None => Command::new(command.get_program()),
    };
    placed.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => placed.env(name, value),
            None => placed.env_remove(name),
        };
    }
    placed
}

fn ip(arguments: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(arguments.split(' '));
    run(command)
}

fn run(mut command: Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{:?} does not start", command.get_program()))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
