//! What the agent exposes: all that its tables declare from the start, all that dashboard and alerts ask for, and the
//! truth about what it does.

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::{job_of, Market};
use millrace_agent::metrics::{gpu, CATALOG};
use millrace_client::{keys, Pubkey};
use millrace_daemon::common::COMMON;
use millrace_daemon::testing::{check_queries, check_table, Exposed, Process};
use millrace_daemon::{Endpoint, MetricsListen};
use millrace_wire::messages::JobPhase;

/// Scrapes until a series is at least so much.
async fn at_least(url: &str, name: &str, labels: &[(&str, &str)], least: f64) -> Exposed {
    let give_up_at = Instant::now() + Duration::from_secs(40);
    loop {
        let exposed = Exposed::scrape(url).await;
        let value = exposed.value(name, labels);
        if value.is_some_and(|value| value >= least) {
            return exposed;
        }
        assert!(Instant::now() < give_up_at, "{name} {labels:?} is {value:?}, not at least {least}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_daemon_exposes_what_its_tables_its_dashboard_and_its_alerts_name() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("operator.json");
    keys::create(&key).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-agent"));
    // Nothing answers at that RPC: all is there before the chain is.
    command.args(["run", "--log-json", "--rpc-url", "http://127.0.0.1:1/?api-key=SECRET", "--listen", "127.0.0.1:0"]);
    command.args(["--authority", &Pubkey::new_from_array([7; 32]).to_string(), "--metrics-listen", "127.0.0.1:0"]);
    command.arg("--keypair").arg(&key).arg("--data-dir").arg(dir.path().join("data"));
    let agent = Process::start(command);
    let asked = [("method", "account"), ("outcome", "unreachable")];
    let exposed = at_least(&agent.metrics_url, "millrace_rpc_requests_total", &asked, 1.0).await;
    let catalogs = [COMMON, CATALOG, gpu::CATALOG];
    assert_eq!(exposed.check(&catalogs), Ok(()));
    let exposed = exposed.with_devices(&catalogs);
    check_queries(&exposed, "deploy/grafana/agent.json", &["millrace", "millrace-agent"]);
    let text = reqwest::get(&agent.metrics_url).await.unwrap().text().await.unwrap();
    assert!(!text.contains("SECRET"), "an access key is among the metrics");
}

#[test]
fn the_tables_of_the_documentation_are_current() {
    // One after the other: with UPDATE_METRICS=1 they are written.
    check_table("Agent", CATALOG);
    check_table("GPUs", gpu::CATALOG);
}

#[tokio::test]
async fn what_an_agent_does_is_counted() {
    // Beyond its limit of 8 MiB of disk.
    let bundle = job_of("head -c 20000000 /dev/zero > big; sleep 30");
    let dir = tempfile::tempdir().unwrap();
    let market = Market::new(dir.path(), &bundle);
    let metrics = Endpoint::open(MetricsListen::local(0), &[COMMON, CATALOG, gpu::CATALOG]).await.unwrap();
    let url = format!("http://{}/metrics", metrics.as_ref().unwrap().address().unwrap());
    let (ready, port) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = Market { chain: market.chain.clone(), ..Market::new(dir.path(), &bundle) };
    let agent = tokio::spawn(async move {
        served.serve_with(metrics, |port| ready.send(port).unwrap(), async move { drop(stopped.await) }).await
    });
    let asker = market.asker(port.await.unwrap());
    asker.until(|answer| answer.phase == JobPhase::AwaitingInputs).await;
    at_least(&url, "millrace_agent_leases_won_total", &[], 1.0).await;
    at_least(&url, "millrace_agent_leases", &[("phase", "awaiting_inputs")], 1.0).await;
    asker.put(bundle.bytes()).await.unwrap();
    asker.until(|answer| answer.phase == JobPhase::LimitExceeded).await;
    at_least(&url, "millrace_agent_jobs_started_total", &[], 1.0).await;
    at_least(&url, "millrace_agent_jobs_ended_total", &[("phase", "limit_exceeded")], 1.0).await;
    at_least(&url, "millrace_agent_sandbox_limits_total", &[("limit", "disk")], 1.0).await;
    at_least(&url, "millrace_agent_leases", &[("phase", "limit_exceeded")], 1.0).await;
    at_least(&url, "millrace_agent_nodes", &[("state", "leased")], 1.0).await;

    // Somebody settles: seven seconds at ten base units.
    market.change_lease(|lease| (lease.paid_secs, lease.gross_amount) = (7, 70));
    let exposed = at_least(&url, "millrace_agent_paid_seconds_total", &[], 7.0).await;
    assert_eq!(exposed.value("millrace_agent_paid_seconds_total", &[]), Some(7.0));
    assert_eq!(exposed.value("millrace_agent_earned_base_units_total", &[]), Some(70.0));

    let status = [("route", "/v1/leases/{lease}/status"), ("status", "2xx")];
    at_least(&url, "millrace_http_requests_total", &status, 2.0).await;
    at_least(&url, "millrace_journal_write_seconds_count", &[], 3.0).await;
    at_least(&url, "millrace_database_bytes", &[("database", "agent")], 1.0).await;
    at_least(&url, "millrace_view_timestamp_seconds", &[], 1.7e9).await;
    drop(stop);
    agent.await.unwrap().unwrap();
    assert!(reqwest::get(&url).await.is_err(), "the metrics outlive the daemon");
}
