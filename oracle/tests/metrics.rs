//! What the oracle exposes: all that its table declares from the start, all that dashboard and alerts ask for, and the
//! truth about what it does.

mod common;

use std::process::Command;
use std::sync::{Arc, Mutex};

use common::*;
use millrace_client::keys;
use millrace_daemon::common::COMMON;
use millrace_daemon::testing::{check_queries, check_table, Exposed, Process};
use millrace_daemon::{Endpoint, Listeners, MetricsListen};
use millrace_oracle::metrics::CATALOG;
use millrace_oracle::Daemon;
use millrace_wire::messages::JobPhase;
use millrace_wire::SignedClient;

#[tokio::test]
async fn the_daemon_exposes_what_its_table_its_dashboard_and_its_alerts_name() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("oracle.json");
    keys::create(&key).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-oracle"));
    // Nothing answers at that RPC: all is there before the chain is.
    command.args(["--log-json", "--rpc-url", "http://127.0.0.1:1/?api-key=SECRET", "--listen", "127.0.0.1:0"]);
    command.args(["--metrics-listen", "127.0.0.1:0", "--keypair"]).arg(&key);
    command.arg("--data-dir").arg(dir.path().join("data"));
    let oracle = Process::start(command);
    let exposed = wait_for("a question to the RPC", 20, || async {
        let exposed = Exposed::scrape(&oracle.metrics_url).await;
        let asked = [("method", "account"), ("outcome", "unreachable")];
        (exposed.value("millrace_rpc_requests_total", &asked)? > 0.0).then_some(exposed)
    })
    .await;
    let catalogs = [COMMON, CATALOG];
    assert_eq!(exposed.check(&catalogs), Ok(()));
    let exposed = exposed.with_devices(&catalogs);
    check_queries(&exposed, "deploy/grafana/oracle.json", &["millrace", "millrace-oracle"]);
    let text = reqwest::get(&oracle.metrics_url).await.unwrap().text().await.unwrap();
    assert!(!text.contains("SECRET"), "an access key is among the metrics");
}

#[test]
fn the_tables_of_the_documentation_are_current() {
    // One after the other: with UPDATE_METRICS=1 they are written.
    check_table("Both daemons", COMMON);
    check_table("Oracle", CATALOG);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_oracle_does_is_counted() {
    let (listener, address) = listener();
    let chain = ToyChain::new(2, &[(seat(0), address)]);
    let said: Said = Arc::new(Mutex::new((JobPhase::Running, 0)));
    register(&chain, &agent(said.clone()).await, cpu_node());
    open_lease(&chain, 600);
    let dir = tempfile::tempdir().unwrap();
    let metrics = Endpoint::open(MetricsListen::local(0), &[COMMON, CATALOG]).await.unwrap();
    let url = format!("http://{}/metrics", metrics.as_ref().unwrap().address().unwrap());
    let daemon = Daemon::open(settings(dir.path(), address), chain.clone(), oracle_key(0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let http = tokio::net::TcpListener::from_std(listener).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(daemon.run(Listeners { http, metrics }, async move { drop(stopped.await) }));

    let at_least = |name: &'static str, labels: &'static [(&'static str, &'static str)], least: f64| {
        let url = &url;
        async move {
            wait_for(name, 40, || async { (Exposed::scrape(url).await.value(name, labels)? >= least).then_some(()) })
                .await;
        }
    };
    at_least("millrace_oracle_report_signatures_total", &[("outcome", "landed")], 2.0).await;
    at_least("millrace_oracle_report_accepted_epoch", &[], 1.0).await;
    at_least("millrace_oracle_reports_chosen_total", &[("proposer", "own"), ("rank", "0")], 2.0).await;
    at_least("millrace_oracle_ballot_leaves", &[("kind", "lease")], 1.0).await;
    at_least("millrace_oracle_lease_polls_total", &[("outcome", "answered")], 3.0).await;
    at_least("millrace_oracle_lease_poll_seconds_count", &[], 3.0).await;
    at_least("millrace_oracle_leases", &[("state", "running")], 1.0).await;
    at_least("millrace_oracle_beacons_total", &[("action", "open"), ("outcome", "landed")], 1.0).await;
    at_least("millrace_oracle_seat_weight", &[], 1.0).await;
    at_least("millrace_outbox_submissions_total", &[("outcome", "landed")], 3.0).await;
    at_least("millrace_journal_write_seconds_count", &[], 3.0).await;
    at_least("millrace_database_bytes", &[("database", "journal")], 1.0).await;
    at_least("millrace_data_free_bytes", &[], 1.0).await;
    at_least("millrace_view_timestamp_seconds", &[], 1.7e9).await;

    // Two requests that are answered, one that nobody signed.
    let anyone = SignedClient::unsigned(std::time::Duration::from_secs(5)).unwrap();
    let health = format!("http://{address}/v1/health");
    anyone.get::<serde_json::Value>(&health).await.unwrap();
    assert_eq!(anyone.get_bytes(&format!("http://{address}/v1/nowhere")).await.unwrap_err().status(), Some(404));
    assert_eq!(anyone.get_bytes(&format!("http://{address}/v1/proposals/0")).await.unwrap_err().status(), Some(401));
    let http = "millrace_http_requests_total";
    at_least(http, &[("route", "/v1/health"), ("status", "2xx")], 1.0).await;
    at_least(http, &[("route", "none"), ("status", "4xx")], 1.0).await;
    at_least("millrace_http_request_seconds_count", &[("route", "/v1/proposals/{epoch}")], 1.0).await;
    at_least("millrace_http_refused_total", &[("reason", "signature")], 1.0).await;

    *said.lock().unwrap() = (JobPhase::Exited, 3);
    at_least("millrace_oracle_lease_endings_total", &[("status", "job_failed")], 1.0).await;
    at_least("millrace_oracle_leases", &[("state", "ended")], 1.0).await;
    drop(stop);
    running.await.unwrap().unwrap();
    assert!(reqwest::get(&url).await.is_err(), "the metrics outlive the daemon");
}
