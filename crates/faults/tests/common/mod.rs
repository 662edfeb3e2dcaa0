//! A local network, and three proxies in front of it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use millrace_client::{Keypair, Pubkey, RpcChain, Signer};
use millrace_faults::{FaultProxy, Weather};

/// How long an endpoint may take in these tests; more than an honest one needs on a busy machine.
pub const WITHIN: Duration = Duration::from_secs(1);
/// Milliseconds a slot takes: a blockhash is usable for 7.5 s.
const SLOT_MS: &str = "50";

/// A local network, ended when dropped.
pub struct Network {
    child: Child,
    /// Its own address.
    pub url: String,
    /// A key with lamports.
    pub payer: Keypair,
    /// What is in front of it.
    pub proxies: Vec<FaultProxy>,
}

impl Network {
    pub async fn start() -> Self {
        let payer = Keypair::new();
        let [rpc_port, ws_port] = free_ports();
        let mut child = Command::new(localnet())
            .args(["--rpc-port", &rpc_port, "--ws-port", &ws_port, "--slot-time-ms", SLOT_MS, "--with-parent"])
            .args(["--fund", &format!("{}=1000000000000", payer.pubkey())])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.contains("rpc_url"), "the local network did not start: {ready}");
        let url = format!("http://127.0.0.1:{rpc_port}");
        let mut proxies = Vec::new();
        for _ in 0..3 {
            proxies.push(FaultProxy::start(&url).await.unwrap());
        }
        Self { child, url, payer, proxies }
    }

    /// The network through its three proxies, as a fresh process would see it.
    pub fn through_proxies(&self) -> RpcChain {
        let urls: Vec<String> = self.proxies.iter().map(FaultProxy::url).collect();
        RpcChain::answering_within(&urls, WITHIN).unwrap()
    }

    /// The network itself.
    pub fn honest(&self) -> RpcChain {
        RpcChain::new(std::slice::from_ref(&self.url)).unwrap()
    }

    /// Sets the weather of each proxy.
    pub fn set(&self, weathers: [Weather; 3]) {
        self.proxies.iter().zip(weathers).for_each(|(proxy, weather)| proxy.set(weather));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The local network's binary, built if it is not there yet.
fn localnet() -> String {
    if let Ok(path) = std::env::var("MILLRACE_LOCALNET") {
        return path;
    }
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../localnet/build");
    let built = Command::new(build).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "localnet/build failed");
    String::from_utf8(built.stdout).unwrap().trim().to_owned()
}

/// Ports nobody listens on: both are held until both are known.
fn free_ports() -> [String; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port().to_string())
}

/// A receiver's address.
pub fn receiver(number: u64) -> Pubkey {
    let mut bytes = [77; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Pubkey::new_from_array(bytes)
}
