//! Customers: each posts one piece of work after the other, by the commands a person would type, and does not give up
//! until it has the result. Their commands are killed too.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use millrace_demo::answers::number;
use millrace_demo::stage::Stage;
use millrace_demo::STOPPED;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Most a customer pays, MILL a second.
const MAX_PER_SEC: &str = "0.05";
/// Longest a job may run, seconds.
const MAX_SECS: u64 = 90;
/// A piece of work not done by then, with all the times it was posted anew, is lost.
const WORK_WITHIN: Duration = Duration::from_secs(400);
/// Longest until the last jobs are closed: the local network's dispute window is 30 s.
const CLOSED_WITHIN: Duration = Duration::from_secs(120);
/// Part of the work that is posted with a stand-by.
const GUARANTEED: f64 = 0.35;
/// Longest one command may take.
const COMMAND_WITHIN: Duration = Duration::from_secs(180);

/// What all customers saw so far.
#[derive(Default)]
pub struct Counts {
    /// Pieces of work begun.
    pub jobs: AtomicU64,
    /// Pieces of work whose right result is at home.
    pub completed: AtomicU64,
    /// Times a piece of work was posted anew, because its node failed or nobody bid.
    pub again: AtomicU64,
    /// Customers' commands killed.
    pub killed: AtomicU64,
    /// Customers' commands that failed and were given again.
    pub failed: AtomicU64,
    /// Pieces of work given up.
    pub lost: AtomicU64,
}

/// A customer at work.
pub struct Customer<'a> {
    stage: &'a Stage,
    urls: &'a [String],
    who: String,
    counts: &'a Counts,
    rng: StdRng,
}

/// How a command ended.
enum End {
    Said(Value),
    Failed(String),
    Killed,
}

impl<'a> Customer<'a> {
    /// The customer `who` with the RPCs at `urls`. What work it has is made of `seed`.
    pub fn new(stage: &'a Stage, urls: &'a [String], who: &str, counts: &'a Counts, seed: u64) -> Self {
        Self { stage, urls, who: who.into(), counts, rng: StdRng::seed_from_u64(seed) }
    }

    /// Works until `is_over`, and ends what it began.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn work(&mut self, is_over: &AtomicBool) -> Result<()> {
        for number in 0.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            self.counts.jobs.fetch_add(1, Ordering::Relaxed);
            let folder = self.stage.dir.join("work").join(format!("{}-{number}", self.who));
            if self.has_done(&folder)? {
                self.counts.completed.fetch_add(1, Ordering::Relaxed);
            } else {
                self.note(&format!("{} is lost", folder.display()));
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.close_all();
        Ok(())
    }

    /// Closes the jobs that had to wait because others may claim from the bond of a node that failed.
    fn close_all(&mut self) {
        let began = Instant::now();
        while began.elapsed() < CLOSED_WITHIN && !STOPPED.load(Ordering::Relaxed) {
            let End::Said(jobs) = self.type_in(&["job", "list"].map(String::from)) else { continue };
            let open: Vec<u64> = jobs.as_array().into_iter().flatten().filter_map(|job| job["id"].as_u64()).collect();
            if open.is_empty() {
                return;
            }
            for id in open {
                self.type_in(&["job".into(), "close".into(), id.to_string()]);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Sees one piece of work through.
    fn has_done(&mut self, folder: &Path) -> Result<bool> {
        let wanted = self.prepare(folder)?;
        let tier = if self.rng.random_bool(GUARANTEED) { "guaranteed" } else { "spot" };
        let (began, mut posted, mut id) = (Instant::now(), 0, None);
        while began.elapsed() < WORK_WITHIN && !STOPPED.load(Ordering::Relaxed) {
            let out = folder.join(format!("results-{posted}"));
            let Some(open) = id else {
                if posted > 0 {
                    self.counts.again.fetch_add(1, Ordering::Relaxed);
                }
                id = self.post(folder, tier);
                posted += u32::from(id.is_some());
                continue;
            };
            let arguments = ["job", "follow", &open.to_string(), "--out", &out.display().to_string()].map(String::from);
            match self.type_in(&arguments) {
                End::Said(outcome) => {
                    self.note(&format!("job {open}: {} for {}", outcome["state"], outcome["gross_amount"]));
                    id = None;
                }
                End::Killed => {}
                End::Failed(reason) => {
                    self.note(&format!("job {open}: {reason}"));
                    id = self.clear_up(open);
                }
            }
            // Whatever became of the command: the result is checked against the chain before it is written.
            if id.is_none() && std::fs::read_to_string(out.join("sum.txt")).is_ok_and(|sum| sum.trim() == wanted) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes a manifest and an input no other work has. Returns the result it must have.
    fn prepare(&mut self, folder: &Path) -> Result<String> {
        std::fs::create_dir_all(folder)?;
        let input: Vec<u8> = (0..1_000).map(|_| self.rng.random_range(b'a'..=b'z')).collect();
        std::fs::write(folder.join("input.txt"), &input)?;
        let secs = self.rng.random_range(3..25);
        let manifest = format!(
            "[job]\ncommand = [\"sh\", \"-c\", \"sleep {secs}; sha256sum < input.txt | cut -c1-64 > sum.txt\"]\n\
             environment = \"python-sklearn\"\nfiles = [\"input.txt\"]\noutputs = [\"sum.txt\"]\n\n\
             [limits]\nmemory_mib = 64\ndisk_mib = 4\npids = 16\nmax_secs = {MAX_SECS}\n"
        );
        std::fs::write(folder.join("millrace.toml"), manifest)?;
        Ok(hex::encode(Sha256::digest(&input)))
    }

    /// Posts the work. `None` when it is not known to be posted.
    fn post(&mut self, folder: &Path, tier: &str) -> Option<u64> {
        let manifest = folder.join("millrace.toml").display().to_string();
        let order = ["job", "post", &manifest, "--class", "cpu", "--objective", "price", "--max-per-sec", MAX_PER_SEC];
        let arguments: Vec<String> =
            order.into_iter().chain(["--bidding-secs", "10", "--tier", tier]).map(String::from).collect();
        match self.type_in(&arguments) {
            End::Said(posted) => number(&posted, "id").ok(),
            // It may have been posted all the same.
            End::Killed => self.open_job(),
            End::Failed(reason) => {
                self.note(&format!("not posted: {reason}"));
                self.open_job()
            }
        }
    }

    /// The job that is open, by what the chain says.
    fn open_job(&mut self) -> Option<u64> {
        let list = ["job", "list"].map(String::from);
        for _ in 0..30 {
            if let End::Said(jobs) = self.type_in(&list) {
                return jobs.as_array()?.last().and_then(|job| job["id"].as_u64());
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        None
    }

    /// After a command failed: ends what nobody serves, and returns the job if it is to be followed on.
    fn clear_up(&mut self, id: u64) -> Option<u64> {
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(500));
        let End::Said(jobs) = self.type_in(&["job", "list"].map(String::from)) else { return Some(id) };
        let job = jobs.as_array().and_then(|jobs| jobs.iter().find(|job| job["id"] == id));
        let end = match job.map(|job| job["state"].as_str().unwrap_or_default().to_owned()) {
            // Closed: the command failed after its last step.
            None => return None,
            Some(state) if state == "ended" || state == "cancelled" => "close",
            // Bidding is over, and it was followed already: nobody bid, or nobody can be awarded.
            Some(state) if state == "to be awarded" => "cancel",
            Some(_) => return Some(id),
        };
        self.type_in(&["job".into(), end.into(), id.to_string()]);
        Some(id)
    }

    /// Runs `millrace` with `arguments`, and kills it now and then.
    fn type_in(&mut self, arguments: &[String]) -> End {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = self.stage.command_at(self.urls, &self.who, &arguments);
        command.args(["--output", "json"]);
        let kill_after = self.rng.random_bool(0.15).then(|| Duration::from_millis(self.rng.random_range(20..15_000)));
        match run(command, kill_after) {
            Ok(end) => {
                if matches!(end, End::Killed) {
                    self.counts.killed.fetch_add(1, Ordering::Relaxed);
                }
                end
            }
            Err(error) => End::Failed(format!("{error:#}")),
        }
    }

    fn note(&self, what: &str) {
        let path = self.stage.dir.join(format!("{}.log", self.who));
        if let Ok(mut file) = std::fs::File::options().create(true).append(true).open(path) {
            let secs = self.stage.elapsed().as_secs_f64();
            let _ = std::io::Write::write_all(&mut file, format!("{secs:.1} s: {what}\n").as_bytes());
        }
    }
}

/// Runs `command` to its end, or kills it after `kill_after`.
fn run(mut command: Command, kill_after: Option<Duration>) -> Result<End> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{:?} does not start", command.get_program()))?;
    let began = Instant::now();
    while child.try_wait()?.is_none() {
        let elapsed = began.elapsed();
        if kill_after.is_some_and(|after| elapsed >= after) || STOPPED.load(Ordering::Relaxed) {
            child.kill()?;
            child.wait()?;
            return Ok(End::Killed);
        }
        if elapsed > COMMAND_WITHIN {
            child.kill()?;
            child.wait()?;
            return Ok(End::Failed(format!("no end within {} s", COMMAND_WITHIN.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Ok(End::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(End::Said(serde_json::from_slice(&output.stdout)?))
}
