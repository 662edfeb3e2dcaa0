//! kill -9 of an agent while a job runs: the job dies with it, and the next agent tells it as failed. The agent is a
//! process of its own, this program started again, so this test brings its own `main`.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{job_of, processes_with, Market};
use millrace_wire::messages::JobPhase;
use tokio::signal::unix::{signal, SignalKind};

/// Marks the job's processes on the host.
const MARK: &str = "7361";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    let job = job_of(&format!("sleep {MARK} & sleep {MARK}"));
    match std::env::args().collect::<Vec<_>>().as_slice() {
        [_, role, dir] if role == "serve" => {
            let market = Market::new(Path::new(dir), &job);
            runtime.block_on(async {
                let mut terminate = signal(SignalKind::terminate()).expect("signals can be heard");
                let stop = async move {
                    terminate.recv().await;
                };
                market.serve(|port| println!("{port}"), stop).await.expect("the agent serves");
            });
        }
        // What nextest asks of a test program before it runs it.
        arguments if arguments.iter().any(|argument| argument == "--list") => {
            if !arguments.iter().any(|argument| argument == "--ignored") {
                println!("a_killed_agent_takes_its_job_with_it: test");
            }
        }
        _ => {
            runtime.block_on(a_killed_agent_takes_its_job_with_it(&job));
            println!("test a_killed_agent_takes_its_job_with_it ... ok");
        }
    }
}

/// An agent in a process of its own; killed when dropped.
struct Served {
    process: Child,
    port: u16,
}

impl Served {
    fn start(dir: &Path) -> Self {
        let this = std::env::current_exe().expect("this program has a path");
        let mut process = Command::new(this).arg("serve").arg(dir).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("it says its port");
        Self { process, port: line.trim().parse().unwrap_or_else(|_| panic!("not a port: {line:?}")) }
    }
}

impl Served {
    /// Stops it as a service manager does, and returns whether it said that all was well.
    fn stop(mut self) -> bool {
        let pid = i32::try_from(self.process.id()).expect("a process number");
        // SAFETY: two numbers; the process is this test's own child, not yet waited for.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        self.process.wait().expect("it ends").success()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // SIGKILL: the agent has no chance to do anything about it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn a_killed_agent_takes_its_job_with_it(job: &millrace_jobs::InputBundle) {
    let dir = tempfile::tempdir().expect("a folder");
    let market = Market::new(dir.path(), job);
    let first = Served::start(dir.path());
    let asker = market.asker(first.port);
    asker.until(|answer| answer.phase == JobPhase::AwaitingInputs).await;
    asker.put(job.bytes()).await.expect("the inputs are taken");
    let give_up_at = Instant::now() + Duration::from_secs(20);
    while processes_with(MARK) < 2 {
        assert!(Instant::now() < give_up_at, "the job never ran");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(first);
    let give_up_at = Instant::now() + Duration::from_secs(3);
    while processes_with(MARK) > 0 {
        assert!(Instant::now() < give_up_at, "the job outlived its agent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let second = Served::start(dir.path());
    let asker = market.asker(second.port);
    let told = asker.until(|_| true).await;
    assert_eq!(told.phase, JobPhase::NodeFailed);
    assert!(told.detail.contains("the agent stopped while the job ran"), "{}", told.detail);
    asker.put(job.bytes()).await.expect("taken, and without effect");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(processes_with(MARK), 0, "a job whose lease has failed ran again");
    assert!(second.stop(), "SIGTERM is an orderly end");
}
