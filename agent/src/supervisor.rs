//! Named tasks under one roof: started in order, stopped in reverse, and none dies unnoticed.

use std::future::Future;
use std::time::Duration;

use anyhow::{anyhow, Context};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Longest a task may take to stop before it is cut off.
const STOP_WITHIN: Duration = Duration::from_secs(10);

type Ended = (&'static str, anyhow::Result<()>);

/// Runs tasks until one ends or a stop is asked for.
#[derive(Default)]
pub struct Supervisor {
    tasks: Vec<(&'static str, CancellationToken, JoinSet<Ended>)>,
}

impl Supervisor {
    /// Starts a task. It returns soon after its token is cancelled; if it returns before, the daemon stops.
    pub fn spawn<F>(&mut self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let work = task(stop.clone());
        let mut set = JoinSet::new();
        set.spawn(async move { (name, work.await) });
        self.tasks.push((name, stop, set));
    }

    /// Waits for `stop` or for the first task to end, then stops the others, the last started first.
    ///
    /// # Errors
    /// What the task that ended first failed with.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let outcome = tokio::select! {
            () = stop => Ok(()),
            error = self.first_end() => Err(error),
        };
        for (name, stop, mut set) in self.tasks.into_iter().rev() {
            stop.cancel();
            match tokio::time::timeout(STOP_WITHIN, set.join_next()).await {
                Ok(None | Some(Ok((_, Ok(()))))) => tracing::debug!(task = name, "stopped"),
                Ok(Some(Ok((_, Err(error))))) => tracing::warn!(task = name, "failed while stopping: {error:#}"),
                Ok(Some(Err(error))) => tracing::warn!(task = name, "panicked while stopping: {error}"),
                Err(_) => tracing::warn!(task = name, "did not stop within {STOP_WITHIN:?} and is cut off"),
            }
        }
        outcome
    }

    async fn first_end(&mut self) -> anyhow::Error {
        loop {
            for (name, _, set) in &mut self.tasks {
                if let Some(ended) = set.try_join_next() {
                    return describe(name, ended);
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn describe(name: &str, ended: Result<Ended, JoinError>) -> anyhow::Error {
    match ended {
        Ok((_, Ok(()))) => anyhow!("the task {name} ended by itself"),
        Ok((_, Err(error))) => error.context(format!("the task {name} failed")),
        Err(error) => anyhow!("the task {name} panicked: {error}"),
    }
}

/// Runs work that waits for a disk or a processor off the async threads.
///
/// # Errors
/// When it panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("work off the async threads panicked")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn the_last_started_stops_first() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut supervisor = Supervisor::default();
        for name in ["first", "second"] {
            let order = order.clone();
            supervisor.spawn(name, |stop| async move {
                stop.cancelled().await;
                order.lock().unwrap().push(name);
                Ok(())
            });
        }
        supervisor.run(async {}).await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["second", "first"]);
    }

    #[tokio::test]
    async fn a_task_that_dies_is_named_and_stops_the_rest() {
        let stopped = Arc::new(Mutex::new(false));
        let seen = stopped.clone();
        let mut supervisor = Supervisor::default();
        supervisor.spawn("healthy", |stop| async move {
            stop.cancelled().await;
            *seen.lock().unwrap() = true;
            Ok(())
        });
        supervisor.spawn("ill", |_| async { Err(anyhow!("the disk is full")) });
        let error = format!("{:#}", supervisor.run(std::future::pending()).await.unwrap_err());
        assert!(error.contains("ill") && error.contains("the disk is full"), "{error}");
        assert!(*stopped.lock().unwrap());
    }
}
