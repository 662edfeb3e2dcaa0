//! What is not counted where it happens but looked at now and then: disk, balance, what is under way.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_client::{Chain, Pubkey};
use tokio_util::sync::CancellationToken;

use crate::common::{DATABASE_BYTES, DATA_FREE, PAYER_LAMPORTS};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Time between two questions about the balance.
const BALANCE_EVERY: Duration = Duration::from_secs(60);

/// Longest the chain may take to tell the balance.
const BALANCE_WITHIN: Duration = Duration::from_secs(10);

/// What is looked at.
pub struct Gauges {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// The key that pays fees.
    pub payer: Pubkey,
    /// Where the databases lie.
    pub data_dir: PathBuf,
    /// File names of the databases, without `.db`.
    pub databases: &'static [&'static str],
}

impl Gauges {
    /// Looks until stopped; `show` sets what else the daemon has.
    ///
    /// # Errors
    /// None: what cannot be read keeps its last value.
    pub async fn run(self, show: impl Fn() + Send, stop: CancellationToken) -> anyhow::Result<()> {
        PAYER_LAMPORTS.set(f64::NAN, &[]);
        let mut asked: Option<Instant> = None;
        loop {
            show();
            self.disk();
            if asked.is_none_or(|asked| asked.elapsed() >= BALANCE_EVERY) {
                asked = Some(Instant::now());
                or_stop(&stop, self.balance()).await;
            }
            or_stop(&stop, tokio::time::sleep(LOOK_EVERY)).await;
            if stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    fn disk(&self) {
        if let Some(free) = free_bytes(&self.data_dir) {
            DATA_FREE.set(free as f64, &[]);
        }
        for database in self.databases {
            let size = |ending: &str| {
                std::fs::metadata(self.data_dir.join(format!("{database}{ending}"))).map_or(0, |file| file.len())
            };
            DATABASE_BYTES.set(size(".db").saturating_add(size(".db-wal")) as f64, &[database]);
        }
    }

    async fn balance(&self) {
        let read = tokio::time::timeout(BALANCE_WITHIN, self.chain.account(&self.payer));
        match read.await {
            Ok(Ok(account)) => PAYER_LAMPORTS.set(account.map_or(0, |account| account.lamports) as f64, &[]),
            Ok(Err(error)) => tracing::debug!("the balance cannot be read: {error}"),
            Err(_) => tracing::debug!("the balance was not told within {BALANCE_WITHIN:?}"),
        }
    }
}

async fn or_stop(stop: &CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Free bytes of the file system `path` lies on, for whom is not root; `None` when it cannot be told.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_known() {
        assert!(free_bytes(Path::new("/")).is_some_and(|bytes| bytes > 0));
        assert_eq!(free_bytes(Path::new("/nowhere/at/all")), None);
    }
}
