//! A hostile job tries to get out, to see what it must not, and to use more than it may. For real: each test runs
//! its attack in bubblewrap on this machine.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millrace_agent::sandbox::{Cgroups, Environment, Limit, Outcome, Privilege, Sandbox, Spec, MAX_LOG_BYTES};
use millrace_jobs::Limits;

const LIMITS: Limits = Limits { memory_mib: 128, disk_mib: 16, pids: 16, max_secs: 20 };

/// Every way this machine can make a sandbox: with cgroups where it has them, with the watchdog always.
fn sandboxes(name: &str) -> Vec<(&'static str, Sandbox)> {
    let mut all = sandboxes_of_this_user(name);
    all.push(("rootless", Sandbox::new(Privilege::Rootless, None).unwrap()));
    all
}

/// The same but for a plain user's, who cannot reach a Python in root's home.
fn sandboxes_of_this_user(name: &str) -> Vec<(&'static str, Sandbox)> {
    let mut all = vec![("watchdog", Sandbox::new(Privilege::of_this_process(), None).unwrap())];
    let cgroups = Cgroups::find(&format!("millrace-test-{name}-{}", std::process::id()));
    if let Some(cgroups) = cgroups {
        all.push(("cgroups", Sandbox::new(Privilege::of_this_process(), Some(cgroups)).unwrap()));
    }
    all
}

struct Ran {
    outcome: Outcome,
    log: String,
    took: Duration,
    work: PathBuf,
    _folder: tempfile::TempDir,
}

impl Ran {
    fn wrote(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.work.join(name)).ok()
    }
}

fn spec(folder: &Path, command: &[&str], limits: Limits) -> Spec {
    let work_dir = folder.join("work");
    std::fs::create_dir(&work_dir).unwrap();
    Spec {
        id: "run".into(),
        command: command.iter().map(|word| word.to_string()).collect(),
        environment: Environment::system(),
        work_dir,
        log_path: folder.join("log"),
        limits,
        deadline: Duration::from_secs(limits.max_secs),
    }
}

/// A new folder that a plain user may enter too.
fn folder_for_all() -> tempfile::TempDir {
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    tempfile::Builder::new().permissions(open).tempdir().unwrap()
}

fn run_in(sandbox: &Sandbox, environment: Environment, command: &[&str], limits: Limits) -> Ran {
    let folder = folder_for_all();
    let spec = Spec { environment, ..spec(folder.path(), command, limits) };
    let (work, log_path) = (spec.work_dir.clone(), spec.log_path.clone());
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outcome = runtime.block_on(async { sandbox.start(spec).unwrap().wait().await });
    let log = String::from_utf8_lossy(&std::fs::read(log_path).unwrap()).into_owned();
    Ran { outcome, log, took: started.elapsed(), work, _folder: folder }
}

fn sh(sandbox: &Sandbox, script: &str) -> Ran {
    run_in(sandbox, Environment::system(), &["sh", "-c", script], LIMITS)
}

/// A Python environment as a provider makes one. Its interpreter may lie outside /usr.
fn python() -> (tempfile::TempDir, Environment) {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(folder.path().join("py"))
        .output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let environment = Environment::load(folder.path(), "py", &[]).unwrap();
    (folder, environment)
}

#[test]
fn a_job_runs_writes_its_outputs_and_reports_its_exit_code() {
    for (how, sandbox) in sandboxes("runs") {
        let ran = sh(&sandbox, "echo out; echo err >&2; echo 1 > model.json; exit 7");
        assert_eq!(ran.outcome, Outcome::Exited(7), "{how}: {}", ran.log);
        assert!(ran.log.contains("out\n") && ran.log.contains("err\n"), "{how}: {}", ran.log);
        assert_eq!(ran.wrote("model.json").as_deref(), Some("1\n"), "{how}");
        assert_eq!(sh(&sandbox, "kill -SEGV $$").outcome, Outcome::Exited(139), "{how}");
    }
}

#[test]
fn an_agent_that_is_nice_itself_runs_jobs_too() {
    // Of this thread, and so of what it starts.
    assert_eq!(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) }, 0);
    for (how, sandbox) in sandboxes("nice") {
        let ran = sh(&sandbox, "nice");
        assert_eq!((ran.outcome, &*ran.log), (Outcome::Exited(0), "15\n"), "{how}");
    }
}

#[test]
fn a_python_environment_works_wherever_its_python_lies() {
    let (_folder, environment) = python();
    for (how, sandbox) in sandboxes_of_this_user("python") {
        let code = "import json, sys, multiprocessing; print(sys.prefix != sys.base_prefix, json.dumps([1]))";
        let ran = run_in(&sandbox, environment.clone(), &["python3", "-c", code], LIMITS);
        assert_eq!(ran.outcome, Outcome::Exited(0), "{how}: {}", ran.log);
        assert_eq!(ran.log, "True [1]\n", "{how}");
    }
}

#[test]
fn a_program_that_is_not_there_is_the_jobs_failure_and_a_broken_sandbox_the_nodes() {
    for (how, sandbox) in sandboxes("absent") {
        let ran = run_in(&sandbox, Environment::system(), &["no-such-program"], LIMITS);
        assert_eq!(ran.outcome, Outcome::Exited(127), "{how}: {}", ran.log);
        let nowhere = PathBuf::from("/no/such/environment");
        let broken = Environment { bin_dirs: vec![], binds: vec![(nowhere.clone(), nowhere)] };
        let ran = run_in(&sandbox, broken, &["true"], LIMITS);
        assert!(matches!(ran.outcome, Outcome::SandboxLost { .. }), "{how}: {:?}", ran.outcome);
        assert!(ran.log.contains("/no/such/environment"), "{how}: {}", ran.log);
    }
}

#[test]
fn there_is_no_network_not_even_the_hosts_loopback() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (_folder, environment) = python();
    let code = format!(
        "import socket\nfor to in [('127.0.0.1', {port}), ('1.1.1.1', 53)]:\n  try:\n    socket.create_connection(to, 2)\n    print('connected')\n  except OSError as error:\n    print('refused')\n"
    );
    for (how, sandbox) in sandboxes_of_this_user("network") {
        let ran = run_in(&sandbox, environment.clone(), &["python3", "-c", &code], LIMITS);
        assert_eq!(ran.log, "refused\nrefused\n", "{how}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "a job reached the host");
}

#[test]
fn the_hosts_files_and_keys_cannot_be_read() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&secret, "operator key").unwrap();
    for (how, sandbox) in sandboxes("files") {
        let path = secret.path().display();
        let ran = sh(&sandbox, &format!("cat /etc/shadow /etc/passwd {path} /root/* /home/* /proc/1/environ; ls -A /root /home /var /etc /tmp; true"));
        assert_eq!(ran.outcome, Outcome::Exited(0), "{how}: {}", ran.log);
        assert!(!ran.log.contains("operator key") && !ran.log.contains("root:"), "{how}: {}", ran.log);
        // The agent's own secrets never enter through the environment either.
        let ran = sh(&sandbox, "env; cat /proc/1/environ | tr '\\0' '\\n'");
        assert!(!ran.log.contains("CARGO"), "{how}: {}", ran.log);
    }
}

#[test]
fn nothing_can_be_written_but_the_work_folder_and_tmp() {
    for (how, sandbox) in sandboxes("write") {
        let script =
            "for d in / /usr /usr/bin /dev /etc /proc/sys/kernel; do touch $d/x 2>/dev/null && echo WROTE $d; done; \
                      echo 1 2>/dev/null > /proc/sys/kernel/core_pattern && echo WROTE core_pattern; \
                      echo b 2>/dev/null > /proc/sysrq-trigger && echo WROTE sysrq; \
                      touch /work/x /tmp/x /dev/shm/x && echo ok";
        let ran = sh(&sandbox, script);
        assert!(ran.log.ends_with("ok\n") && !ran.log.contains("WROTE"), "{how}: {}", ran.log);
    }
}

#[test]
fn the_hosts_processes_are_invisible() {
    for (how, sandbox) in sandboxes("processes") {
        let host = std::process::id();
        let ran =
            sh(&sandbox, &format!("ls /proc | grep -c '^[0-9]'; kill -0 {host} 2>/dev/null && echo VISIBLE; true"));
        let count: u32 = ran.log.lines().next().unwrap().parse().unwrap();
        assert!(count < 10 && !ran.log.contains("VISIBLE"), "{how}: {}", ran.log);
    }
}

#[test]
fn a_job_has_no_privileges_and_can_get_none() {
    for (how, sandbox) in sandboxes("privileges") {
        let script = "id -u; grep -E 'Cap(Eff|Bnd)|NoNewPrivs' /proc/self/status; mount -t tmpfs none /tmp 2>/dev/null && echo MOUNTED; \
                      ls -l /proc/self/fd | grep -vE '/dev/null|pipe:|/proc/' | grep -- '->' ; true";
        let ran = sh(&sandbox, script);
        assert!(ran.log.starts_with("65534\n"), "{how}: {}", ran.log);
        assert!(ran.log.contains("CapEff:\t0000000000000000"), "{how}: {}", ran.log);
        assert!(ran.log.contains("NoNewPrivs:\t1"), "{how}: {}", ran.log);
        assert!(!ran.log.contains("MOUNTED"), "{how}: {}", ran.log);
        assert!(!ran.log.contains("->"), "{how}: a descriptor leaked: {}", ran.log);
    }
}

#[test]
fn a_memory_hog_is_killed_for_its_memory() {
    let (_folder, environment) = python();
    let code = "hog = []\nwhile True: hog.append(bytearray(8 << 20))";
    for (how, sandbox) in sandboxes_of_this_user("memory") {
        let ran = run_in(&sandbox, environment.clone(), &["python3", "-c", code], LIMITS);
        assert_eq!(ran.outcome, Outcome::Killed { limit: Limit::Memory }, "{how}: {}", ran.log);
        assert!(ran.took < Duration::from_secs(10), "{how}: {:?}", ran.took);
    }
}

#[test]
fn a_memory_hog_in_many_processes_is_killed_too() {
    let (_folder, environment) = python();
    let code = "import os, time\nfor _ in range(6):\n  if os.fork() == 0:\n    hog = bytearray(os.urandom(1 << 20) * 40)\n    time.sleep(60)\ntime.sleep(60)";
    for (how, sandbox) in sandboxes_of_this_user("memory-many") {
        let ran = run_in(&sandbox, environment.clone(), &["python3", "-c", code], LIMITS);
        assert_eq!(ran.outcome, Outcome::Killed { limit: Limit::Memory }, "{how}: {}", ran.log);
    }
}

#[test]
fn a_fork_bomb_is_killed_and_leaves_nothing_behind() {
    for (how, sandbox) in sandboxes("fork") {
        // 7319 marks its processes on the host.
        let ran = sh(&sandbox, "bomb() { sleep 7319 & bomb & bomb & sleep 7319; }; bomb");
        assert_eq!(ran.outcome, Outcome::Killed { limit: Limit::Pids }, "{how}: {}", ran.log);
        assert!(ran.took < Duration::from_secs(10), "{how}: {:?}", ran.took);
        assert_eq!(processes_with("7319"), 0, "{how}");
    }
}

#[test]
fn a_disk_filler_is_killed_however_it_hides_its_files() {
    for (how, sandbox) in sandboxes("disk") {
        for script in [
            "dd if=/dev/zero of=a bs=1M count=9 2>&1; dd if=/dev/zero of=b bs=1M count=9 2>&1; sleep 60",
            "i=0; while true; do i=$((i+1)); dd if=/dev/zero of=f$i bs=64k count=4 2>/dev/null; done",
            "exec 3>a; rm a; exec 4>b; rm b; dd if=/dev/zero bs=1M count=9 >&3; dd if=/dev/zero bs=1M count=9 >&4; sleep 60",
        ] {
            let ran = sh(&sandbox, script);
            assert_eq!(ran.outcome, Outcome::Killed { limit: Limit::Disk }, "{how}: {script}: {}", ran.log);
        }
        // One file cannot even grow beyond the limit.
        let ran = sh(&sandbox, "dd if=/dev/zero of=a bs=1M count=64; sleep 60");
        assert_eq!(ran.outcome, Outcome::Killed { limit: Limit::Disk }, "{how}: {}", ran.log);
        assert!(ran.work.join("a").metadata().unwrap().len() < 17 << 20, "{how}");
    }
}

#[test]
fn a_job_cannot_fill_the_hosts_memory_through_tmp() {
    for (how, sandbox) in sandboxes("tmp") {
        let ran = sh(&sandbox, "dd if=/dev/zero of=/tmp/a bs=1M count=15 2>&1 | tail -1; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cp /tmp/a /tmp/$i || exit 9; done");
        let stopped = matches!(ran.outcome, Outcome::Exited(9) | Outcome::Killed { limit: Limit::Memory });
        assert!(stopped, "{how}: {:?} {}", ran.outcome, ran.log);
    }
}

#[test]
fn an_endless_loop_is_killed_at_its_deadline_with_its_children() {
    let limits = Limits { max_secs: 1, ..LIMITS };
    for (how, sandbox) in sandboxes("loop") {
        let script = "(trap '' TERM INT HUP; setsid sleep 7321) & trap '' TERM; while true; do :; done";
        let ran = run_in(&sandbox, Environment::system(), &["sh", "-c", script], limits);
        assert_eq!(ran.outcome, Outcome::Killed { limit: Limit::Time }, "{how}");
        assert!(ran.took >= Duration::from_secs(1) && ran.took < Duration::from_secs(4), "{how}: {:?}", ran.took);
        assert_eq!(processes_with("7321"), 0, "{how}");
    }
}

#[test]
fn a_job_that_prints_without_end_fills_no_disk_and_is_not_blocked() {
    for (how, sandbox) in sandboxes("print") {
        let ran = sh(&sandbox, "dd if=/dev/zero bs=1M count=12 2>/dev/null; exit 3");
        assert_eq!(ran.outcome, Outcome::Exited(3), "{how}");
        assert!(ran.log.len() < MAX_LOG_BYTES + 100, "{how}");
    }
}

#[test]
fn a_stop_ends_the_run_and_every_process_of_it() {
    for (how, sandbox) in sandboxes("stop") {
        let folder = folder_for_all();
        let spec = spec(folder.path(), &["sh", "-c", "sleep 7323 & sleep 7323"], LIMITS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let outcome = runtime.block_on(async {
            let mut running = sandbox.start(spec).unwrap();
            while processes_with("7323") == 0 && running.outcome().is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(running.outcome(), None, "{how}");
            running.stop();
            running.wait().await
        });
        assert_eq!(outcome, Outcome::Stopped, "{how}");
        assert_eq!(processes_with("7323"), 0, "{how}");
    }
}

#[test]
fn the_check_of_a_working_sandbox_passes_and_cleans_up() {
    for (how, sandbox) in sandboxes("check") {
        let folder = folder_for_all();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(sandbox.check(folder.path())).unwrap_or_else(|error| panic!("{how}: {error}"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{how}");
    }
}

/// Processes on this host with `word` among their arguments.
fn processes_with(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let command_lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    command_lines.filter(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())).count()
}

#[test]
fn a_machine_without_room_fails_the_job_and_not_its_customer() {
    for (how, sandbox) in sandboxes("room") {
        let sandbox = sandbox.keeping_free(u64::MAX >> 20);
        for script in ["sleep 20", "exit 1"] {
            let ran = sh(&sandbox, script);
            let Outcome::SandboxLost { reason } = &ran.outcome else { panic!("{how}: {script}: {:?}", ran.outcome) };
            assert!(reason.contains("disk"), "{how}: {reason}");
        }
        assert_eq!(sh(&sandbox.keeping_free(0), "exit 1").outcome, Outcome::Exited(1), "{how}");
    }
}

#[test]
fn a_run_stopped_while_it_starts_leaves_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for (how, sandbox) in sandboxes("early-stop") {
        // Right after the start is the moment at which a process inside is there and does not know yet whom to die with.
        for run in 0..60 {
            let folder = folder_for_all();
            let spec = spec(folder.path(), &["sleep", "30"], LIMITS);
            runtime.block_on(async {
                let mut running = sandbox.start(spec).unwrap();
                running.stop();
                let outcome = tokio::time::timeout(Duration::from_secs(10), running.wait()).await;
                assert_eq!(outcome.ok(), Some(Outcome::Stopped), "{how}, run {run}");
            });
        }
    }
}
