//! The RPC endpoints of a run: the local network behind proxies that fall ill.

use anyhow::{Context, Result};
use millrace_faults::{FaultProxy, Weather};
use tokio::runtime::Runtime;

/// The proxies, and what runs them.
pub struct Rpcs {
    urls: Vec<String>,
    proxies: Vec<FaultProxy>,
    _runtime: Runtime,
}

impl Rpcs {
    /// `count` proxies on `address` in front of the RPC at `real_url`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(real_url: &str, address: &str, count: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let address = address.parse()?;
        let start = |_| runtime.block_on(FaultProxy::start_on(address, real_url));
        let proxies: Vec<FaultProxy> = (0..count).map(start).collect::<std::io::Result<_>>()?;
        Ok(Self { urls: proxies.iter().map(FaultProxy::url).collect(), proxies, _runtime: runtime })
    }

    /// Where they are.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Sets the weather of one.
    ///
    /// # Errors
    /// When there is no such proxy.
    pub fn set(&self, number: usize, weather: Weather) -> Result<()> {
        self.proxies.get(number).context("the plan names no RPC")?.set(weather);
        Ok(())
    }
}
