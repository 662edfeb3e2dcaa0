//! Named tasks under one roof: started in order, stopped in reverse, and none dies unnoticed.

use std::future::Future;
use std::time::Duration;

use anyhow::{anyhow, Context};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest a task may take to stop before it is cut off.
const STOP_WITHIN: Duration = Duration::from_secs(10);

struct Task {
    name: &'static str,
    stop: CancellationToken,
    handle: JoinHandle<anyhow::Result<()>>,
}

/// Runs tasks until one fails or a stop is asked for.
#[derive(Default)]
pub struct Supervisor {
    tasks: Vec<Task>,
}

impl Supervisor {
    /// Starts a task. It should return soon after its token is cancelled; if it returns before, the daemon stops.
    pub fn spawn<F>(&mut self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let handle = tokio::spawn(task(stop.clone()));
        self.tasks.push(Task { name, stop, handle });
    }

    /// Waits for `stop` or for the first task to end, then stops the others, the last started first.
    ///
    /// # Errors
    /// What the task that ended first failed with.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::pin!(stop);
        let outcome = loop {
            tokio::select! {
                () = &mut stop => break Ok(()),
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    let Some(ended) = self.tasks.iter().position(|task| task.handle.is_finished()) else { continue };
                    let task = self.tasks.remove(ended);
                    break match task.handle.await {
                        Ok(Ok(())) => Err(anyhow!("the task {} ended by itself", task.name)),
                        Ok(Err(error)) => Err(error).with_context(|| format!("the task {} failed", task.name)),
                        Err(error) => Err(anyhow!("the task {} panicked: {error}", task.name)),
                    };
                }
            }
        };
        for task in self.tasks.into_iter().rev() {
            tracing::info!(task = task.name, "stopping");
            task.stop.cancel();
            let abort = task.handle.abort_handle();
            match tokio::time::timeout(STOP_WITHIN, task.handle).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => tracing::warn!(task = task.name, "failed while stopping: {error:#}"),
                Ok(Err(error)) => tracing::warn!(task = task.name, "panicked while stopping: {error}"),
                Err(_) => {
                    tracing::warn!(task = task.name, "did not stop in {STOP_WITHIN:?} and is cut off");
                    abort.abort();
                }
            }
        }
        outcome
    }
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
    async fn a_task_that_fails_panics_or_ends_stops_the_daemon() {
        for (how, expected) in [(0, "gone wrong"), (1, "panicked"), (2, "ended by itself")] {
            let mut supervisor = Supervisor::default();
            supervisor.spawn("other", |stop| async move {
                stop.cancelled().await;
                Ok(())
            });
            supervisor.spawn("ill", move |_| async move {
                match how {
                    0 => Err(anyhow!("gone wrong")),
                    1 => panic!("on purpose"),
                    _ => Ok(()),
                }
            });
            let error = supervisor.run(std::future::pending()).await.unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{error:#}");
            assert!(format!("{error:#}").contains("ill"), "{error:#}");
        }
    }
}
