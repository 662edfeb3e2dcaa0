//! Named tasks under one roof: started in order, stopped in reverse, and none dies unnoticed.

use std::future::Future;
use std::time::Duration;

use anyhow::{anyhow, Context};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Longest a task may take to stop before it is cut off.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Time between two looks at whether a task has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

struct Task {
    name: &'static str,
    stop: CancellationToken,
    /// Holds one: dropping it cuts the task off.
    set: JoinSet<anyhow::Result<()>>,
}

/// Runs tasks until one ends or a stop is asked for.
#[derive(Default)]
pub struct Supervisor {
    tasks: Vec<Task>,
}

impl Supervisor {
    /// Starts a task. It returns soon after its token is cancelled; if it returns before, the daemon stops.
    pub fn spawn<F>(&mut self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let mut set = JoinSet::new();
        set.spawn(task(stop.clone()));
        self.tasks.push(Task { name, stop, set });
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
        for Task { name, stop, mut set } in self.tasks.into_iter().rev() {
            stop.cancel();
            match tokio::time::timeout(STOP_WITHIN, set.join_next()).await {
                Ok(None | Some(Ok(Ok(())))) => tracing::debug!(task = name, "stopped"),
                Ok(Some(Ok(Err(error)))) => tracing::warn!(task = name, "failed while stopping: {error:#}"),
                Ok(Some(Err(error))) => tracing::warn!(task = name, "panicked while stopping: {error}"),
                Err(_) => tracing::warn!(task = name, "did not stop within {STOP_WITHIN:?} and is cut off"),
            }
        }
        outcome
    }

    async fn first_end(&mut self) -> anyhow::Error {
        loop {
            for Task { name, set, .. } in &mut self.tasks {
                if let Some(ended) = set.try_join_next() {
                    return describe(name, ended);
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn describe(name: &str, ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("the task {name} ended by itself"),
        Ok(Err(error)) => error.context(format!("the task {name} failed")),
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
    async fn tasks_stop_in_reverse_order() {
        let stopped = Arc::new(Mutex::new(Vec::new()));
        let mut supervisor = Supervisor::default();
        for name in ["first", "second", "third"] {
            let stopped = stopped.clone();
            supervisor.spawn(name, |stop| async move {
                stop.cancelled().await;
                stopped.lock().unwrap().push(name);
                Ok(())
            });
        }
        supervisor.run(async {}).await.unwrap();
        assert_eq!(*stopped.lock().unwrap(), ["third", "second", "first"]);
    }

    #[tokio::test]
    async fn a_task_that_fails_panics_or_ends_is_named_and_stops_the_rest() {
        for (how, expected) in [(0, "the disk is full"), (1, "panicked"), (2, "ended by itself")] {
            let stopped = Arc::new(Mutex::new(false));
            let seen = stopped.clone();
            let mut supervisor = Supervisor::default();
            supervisor.spawn("healthy", |stop| async move {
                stop.cancelled().await;
                *seen.lock().unwrap() = true;
                Ok(())
            });
            supervisor.spawn("ill", move |_| async move {
                match how {
                    0 => Err(anyhow!("the disk is full")),
                    1 => panic!("on purpose"),
                    _ => Ok(()),
                }
            });
            let error = format!("{:#}", supervisor.run(std::future::pending()).await.unwrap_err());
            assert!(error.contains("ill") && error.contains(expected), "{error}");
            assert!(*stopped.lock().unwrap());
        }
    }
}
