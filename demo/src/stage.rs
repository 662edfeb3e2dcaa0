//! The stage of the demo: its folder, its keys, its running daemons, and the command line as each person uses it.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use millrace_client::{keys, Pubkey, Signer};
use serde_json::Value;

use crate::process::{free_port, json, Daemon};
use crate::secrets::KEY_FILE_END;
use crate::STOPPED;

/// What the build left where; the Makefile says it by environment.
pub struct Built {
    /// The program.
    pub program: PathBuf,
    /// The local network's binary.
    pub localnet: PathBuf,
    /// Folder of job environments.
    pub environments: PathBuf,
    /// Folder of the host's binaries.
    pub binaries: PathBuf,
}

impl Built {
    /// Reads the environment, and says what to run when it is not set.
    pub fn find() -> Result<Self> {
        let path = |name: &str| {
            let value = std::env::var_os(name)
                .with_context(|| format!("{name} is not set; start with `make demo` or `make chaos`"))?;
            let path = PathBuf::from(value);
            path.exists()
                .then_some(path.clone())
                .with_context(|| format!("{} is missing; start with `make demo` or `make chaos`", path.display()))
        };
        let python = path("MILLRACE_PYTHON_ENV")?;
        let own = std::env::current_exe()?;
        Ok(Self {
            program: path("MILLRACE_PROGRAM_SO")?,
            localnet: path("MILLRACE_LOCALNET")?,
            environments: python.parent().context("the Python environment has no folder")?.to_owned(),
            binaries: own.parent().context("this binary has no folder")?.to_owned(),
        })
    }

    /// One of the host's binaries.
    pub fn binary(&self, name: &str) -> Command {
        Command::new(self.binaries.join(name))
    }
}

/// The stage.
pub struct Stage {
    /// Folder of this run.
    pub dir: PathBuf,
    /// What was built.
    pub built: Built,
    /// RPC of the local network, once it is up.
    pub url: String,
    addresses: BTreeMap<String, Pubkey>,
    daemons: Vec<Daemon>,
    began: Instant,
    step: usize,
    steps: usize,
}

impl Stage {
    /// An empty stage of `steps` steps in `dir`.
    pub fn set(dir: &Path, steps: usize) -> Result<Self> {
        if dir.exists() {
            // Only what a demo made is removed: a wrong --dir costs nothing.
            if !dir.join(MARK).exists() && dir.read_dir()?.next().is_some() {
                bail!("{} is not a folder of an earlier demo; name an empty or a new one with --dir", dir.display());
            }
            std::fs::remove_dir_all(dir)?;
        }
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join(MARK), "made by millrace-demo, which may remove it\n")?;
        let dir = dir.canonicalize()?;
        Ok(Self {
            dir,
            built: Built::find()?,
            url: String::new(),
            addresses: BTreeMap::new(),
            daemons: Vec::new(),
            began: Instant::now(),
            step: 0,
            steps,
        })
    }

    /// Says what comes next.
    pub fn announce(&mut self, what: &str) {
        self.step += 1;
        println!("[{:>2}/{}] {:>5.1} s  {what}", self.step, self.steps, self.began.elapsed().as_secs_f64());
    }

    /// Says a detail of the present step.
    pub fn tell(&self, detail: impl AsRef<str>) {
        for line in detail.as_ref().lines() {
            println!("                {line}");
        }
    }

    /// Seconds since the curtain rose.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Makes a key for `who`.
    pub fn key(&mut self, who: &str) -> Result<Pubkey> {
        let address = keys::create(self.key_path(who))?.pubkey();
        self.addresses.insert(who.to_owned(), address);
        Ok(address)
    }

    /// Address of `who`.
    pub fn address(&self, who: &str) -> Pubkey {
        self.addresses.get(who).copied().unwrap_or_default()
    }

    /// All addresses.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, &Pubkey)> {
        self.addresses.iter().map(|(who, address)| (who.as_str(), address))
    }

    /// Key file of `who`.
    pub fn key_path(&self, who: &str) -> PathBuf {
        self.dir.join(format!("{who}{KEY_FILE_END}"))
    }

    /// Starts the local network with the program deployed, upgradable by the founder, and 100 SOL in every key made so
    /// far. [`Stage::url`] is known afterwards.
    ///
    /// # Errors
    /// When it is not ready within half a minute.
    pub fn start_network(&mut self) -> Result<()> {
        let (rpc_port, ws_port) = (free_port()?, free_port()?);
        let mut command = Command::new(&self.built.localnet);
        command.args(["--rpc-port", &rpc_port.to_string(), "--ws-port", &ws_port.to_string(), "--with-parent"]);
        command.arg("--program").arg(format!("{}={}", millrace::ID, self.built.program.display()));
        command.args(["--upgrade-authority", &self.address("founder").to_string()]);
        for address in self.addresses.values() {
            command.args(["--fund", &format!("{address}=100000000000")]);
        }
        self.start("localnet", command)?;
        let ready = self.dir.join("localnet.out");
        self.url = self.wait("the network", 30, |_| {
            let said = std::fs::read_to_string(&ready)?;
            let line: Option<Value> = said.lines().next().and_then(|line| serde_json::from_str(line).ok());
            Ok(line.and_then(|line| line["rpc_url"].as_str().map(str::to_owned)))
        })?;
        Ok(())
    }

    /// Where the settings of the daemon `name` are.
    pub fn settings_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.toml"))
    }

    /// The oracle `name`, whose seat has the key of that name, with the RPCs at `urls`. `more` ends its settings.
    ///
    /// # Errors
    /// When the settings cannot be written.
    pub fn oracle(&self, name: &str, urls: &[String], listen: &str, more: &str) -> Result<Command> {
        let settings = format!(
            "keypair = {:?}\nrpc_urls = {:?}\nlisten = {listen:?}\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n{more}",
            self.key_path(name),
            urls,
            self.dir.join(format!("{name}-data"))
        );
        std::fs::write(self.settings_path(name), settings)?;
        let mut command = self.built.binary("millrace-oracle");
        command.arg("--config").arg(self.settings_path(name));
        Ok(command)
    }

    /// The agent of the provider `name`, with the key of `operator` and the RPCs at `urls`. `more` ends its settings.
    ///
    /// # Errors
    /// When the settings cannot be written.
    pub fn agent(&self, (name, operator): (&str, &str), urls: &[String], listen: &str, more: &str) -> Result<Command> {
        let settings = format!(
            "keypair = {:?}\nauthority = \"{}\"\nrpc_urls = {:?}\nlisten = {listen:?}\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {:?}\nenvironments_dir = {:?}\n{more}",
            self.key_path(operator),
            self.address(name),
            urls,
            self.dir.join(format!("{name}-data")),
            self.built.environments,
        );
        std::fs::write(self.settings_path(name), settings)?;
        let mut command = self.built.binary("millrace-agent");
        command.args(["run", "--config"]).arg(self.settings_path(name));
        Ok(command)
    }

    /// `millrace` as `who` types it.
    pub fn command(&self, who: &str, arguments: &[&str]) -> Command {
        self.command_at(std::slice::from_ref(&self.url), who, arguments)
    }

    /// The same, with the RPCs at `urls`.
    pub fn command_at(&self, urls: &[String], who: &str, arguments: &[&str]) -> Command {
        let mut command = self.built.binary("millrace");
        for url in urls {
            command.args(["--url", url]);
        }
        command.args(["--yes", "--keypair"]).arg(self.key_path(who)).args(arguments);
        // Settings, outbox and packed inputs of this run stay in its folder.
        command
            .env("MILLRACE_CONFIG", self.dir.join("config.toml"))
            .env("XDG_STATE_HOME", self.dir.join(format!("{who}-state")));
        command
    }

    /// The same, printing JSON.
    pub fn json_command(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(who, arguments);
        command.args(["--output", "json"]);
        command
    }

    /// Runs `millrace` as `who` and reads what it prints.
    pub fn millrace(&self, who: &str, arguments: &[&str]) -> Result<Value> {
        json(self.json_command(who, arguments))
    }

    /// Starts a daemon that ends with the stage.
    pub fn start(&mut self, name: &str, command: Command) -> Result<()> {
        self.daemons.push(Daemon::start(name, command, &self.dir)?);
        Ok(())
    }

    /// Kills a daemon as a power cut would.
    pub fn kill(&mut self, name: &str) -> Result<()> {
        let place =
            self.daemons.iter().position(|it| it.name == name).with_context(|| format!("{name} does not run"))?;
        self.daemons.remove(place).kill()
    }

    /// Waits until `probe` gives something, at most `secs`. Fails when a daemon ends meanwhile.
    pub fn wait<T>(&mut self, what: &str, secs: u64, mut probe: impl FnMut(&Self) -> Result<Option<T>>) -> Result<T> {
        let began = Instant::now();
        let shows = std::io::stdout().is_terminal();
        loop {
            if STOPPED.load(Ordering::Relaxed) {
                bail!("stopped by Ctrl-C; every process of the demo was ended");
            }
            self.daemons.iter_mut().try_for_each(Daemon::require_alive)?;
            if let Some(found) = probe(self)? {
                if shows {
                    print!("\r\x1b[K");
                }
                return Ok(found);
            }
            if began.elapsed() > Duration::from_secs(secs) {
                bail!("{what}: not within {secs} s; the logs are in {}", self.dir.display());
            }
            if shows {
                print!("\r\x1b[K                {what}, {} s of at most {secs}", began.elapsed().as_secs());
                std::io::stdout().flush()?;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Last started, first stopped: the chain goes last.
        while let Some(daemon) = self.daemons.pop() {
            drop(daemon);
        }
    }
}

const MARK: &str = "MADE-BY-MILLRACE-DEMO";
