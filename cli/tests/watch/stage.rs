//! A market on a local network: the program itself, founded by the command line, with the test as its oracles, its
//! providers and its operators.

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millrace::state::{Beacons, Config};
use millrace_client::{fetch, ix, keys, pda, Instruction, Keypair, Outbox, Pubkey, RpcChain, Signer};
use serde_json::Value;

/// Seconds of an epoch: beacons, a proof and the reports of three oracles fit on a busy machine.
const EPOCH_SECS: &str = "6";
/// What everybody has at the start.
const LAMPORTS: u64 = 100_000_000_000;

pub struct Stage {
    dir: tempfile::TempDir,
    network: Child,
    url: String,
    pub chain: RpcChain,
    outbox: Outbox,
}

impl Stage {
    /// A network with the program on it, and a key with lamports for each of `names`. The founder may upgrade.
    pub fn start(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = |name: &str| keys::create(dir.path().join(format!("{name}.json"))).unwrap().pubkey();
        let addresses: Vec<(&str, Pubkey)> = names.iter().map(|name| (*name, key(name))).collect();
        let founder = addresses.iter().find(|(name, _)| *name == "founder").unwrap().1;
        let [rpc_port, ws_port] = free_ports();
        let mut command = Command::new(localnet());
        command.args(["--rpc-port", &rpc_port, "--ws-port", &ws_port, "--with-parent"]);
        command.arg("--program").arg(format!("{}={}", millrace::ID, program().display()));
        command.args(["--upgrade-authority", &founder.to_string()]);
        for (_, address) in &addresses {
            command.args(["--fund", &format!("{address}={LAMPORTS}")]);
        }
        let mut network = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(network.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.contains("rpc_url"), "the local network did not start: {ready}");
        let url = format!("http://127.0.0.1:{rpc_port}");
        let chain = RpcChain::new(std::slice::from_ref(&url)).unwrap();
        let outbox = Outbox::open(dir.path().join("outbox.sqlite")).unwrap();
        Self { dir, network, url, chain, outbox }
    }

    /// Founds the market with oracles of these names at these addresses.
    pub fn found(&self, oracles: &[(&str, String)]) {
        let minted = self.millrace("founder", &["genesis", "mint", "--supply", "1000000"]);
        let mint = minted["mint"].as_str().unwrap();
        let mut init = vec!["genesis", "init", "--profile", "local", "--epoch-secs", EPOCH_SECS, "--mint", mint];
        let seats: Vec<String> = oracles.iter().map(|(name, url)| format!("{}={url}", self.address(name))).collect();
        seats.iter().for_each(|seat| init.extend(["--oracle", seat]));
        self.millrace("founder", &init);
    }

    /// Makes `name` a provider with `stake` MILL whose operator has the key of `operator`, and one node. Returns the node.
    pub fn provider(&self, name: &str, operator: &str, stake: &str) -> Pubkey {
        self.millrace("founder", &["transfer", &self.address(name).to_string(), "1000"]);
        let operator = self.address(operator).to_string();
        self.millrace(name, &["provider", "register", "--operator", &operator, "--endpoint", "http://127.0.0.1:1"]);
        self.millrace(name, &["provider", "stake", stake]);
        self.millrace(name, &["node", "register", "--class", "cpu", "--gops", "10", "--ask-per-sec", "0.01"]);
        pda::node(&pda::provider(&self.address(name)), 0)
    }

    pub fn key(&self, name: &str) -> Keypair {
        keys::load(self.dir.path().join(format!("{name}.json"))).unwrap()
    }

    pub fn address(&self, name: &str) -> Pubkey {
        self.key(name).pubkey()
    }

    /// `millrace` as `who` types it, printing JSON.
    pub fn command(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
        command.args(["--url", &self.url, "--yes", "--output", "json", "--keypair"]);
        command.arg(self.dir.path().join(format!("{who}.json"))).args(arguments);
        command
            .env("HOME", self.dir.path())
            .env("MILLRACE_CONFIG", self.dir.path().join("config.toml"))
            .env("XDG_STATE_HOME", self.dir.path().join(format!("{who}-state")))
            .env_remove("MILLRACE_URL");
        command
    }

    /// Runs it to its end and reads what it prints.
    pub fn millrace(&self, who: &str, arguments: &[&str]) -> Value {
        let output = self.command(who, arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`millrace {}` failed: {said}", arguments.join(" "));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub async fn submit(&self, label: &str, instruction: Instruction, signer: &str) {
        let key = self.key(signer);
        self.outbox.submit(&self.chain, label, &[instruction], &key, &[]).await.unwrap();
    }

    pub async fn config(&self) -> Config {
        fetch(&self.chain, &pda::config()).await.unwrap().unwrap()
    }

    pub async fn now(&self) -> i64 {
        use millrace_client::Chain;
        self.chain.unix_timestamp().await.unwrap()
    }

    pub async fn epoch(&self) -> u64 {
        self.config().await.epoch_at(self.now().await).unwrap()
    }

    /// Waits for the start of an epoch after `epoch` and has its beacon latched, as the oracles do.
    pub async fn epoch_after(&self, epoch: u64) -> (u64, [u8; 32]) {
        let next = wait_for("the next epoch", 30, || async {
            let now = self.epoch().await;
            (now > epoch).then_some(now)
        })
        .await;
        self.submit(&format!("open beacon {next}"), ix::open_beacon(next), "founder").await;
        let latch = || async {
            let key = self.key("founder");
            let latch = [ix::latch_beacon(next)];
            let _ = self.outbox.submit(&self.chain, &format!("latch beacon {next}"), &latch, &key, &[]).await;
            let beacons: Beacons = fetch(&self.chain, &pda::beacons()).await.unwrap().unwrap();
            beacons.latched(next).map(|beacon| beacon.hash)
        };
        (next, wait_for("the beacon", 20, latch).await)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.network.kill();
        let _ = self.network.wait();
    }
}

/// A process that ends with the test.
pub struct Running(Child);

impl Running {
    pub fn start(mut command: Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks `probe` until it has an answer.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, secs: u64, probe: impl Fn() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(secs);
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {secs} s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The local network's binary, built if it is not there yet.
fn localnet() -> PathBuf {
    if let Some(path) = std::env::var_os("MILLRACE_LOCALNET") {
        return path.into();
    }
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../localnet/build");
    let built = Command::new(build).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "localnet/build failed");
    String::from_utf8(built.stdout).unwrap().trim().into()
}

/// The program, as `make program` builds it.
fn program() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/deploy/millrace.so");
    let path = std::env::var_os("MILLRACE_PROGRAM_SO").map_or_else(built, PathBuf::from);
    assert!(path.exists(), "{} is missing: build the program with `make program` first", path.display());
    path
}

/// Ports nobody listens on: both are held until both are known.
fn free_ports() -> [String; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port().to_string())
}
