//! What the oracle counts: the one table of its metrics, and the few that need a thought before they are counted.

use millrace_agreement::{Disagreement, LeafSet};
use millrace_core::leaves::LeaseStatus;
use millrace_daemon::http::{self, Meters, NO_ROUTE};
use millrace_daemon::metric::{Metric, SECONDS};
use millrace_wire::messages::JobPhase;

use crate::daemon::Daemon;
use crate::decide::audit::AuditState;
use crate::view::View;

/// Routes of the API, as `millrace_http_requests_total` names them.
const ROUTES: &[&str] = &[
    "/v1/audits/shares",
    "/v1/audits/commits",
    "/v1/audits/{commit_id}/bundle",
    "/v1/audits/{commit_id}/memory",
    "/v1/audits/{commit_id}/memory/answer",
    "/v1/audits/{commit_id}/statements",
    "/v1/audits/{commit_id}/walks",
    "/v1/ballots/{epoch}",
    "/v1/evidence",
    "/v1/evidence/{commit_id}",
    "/v1/health",
    "/v1/nodes/{node}/link",
    "/v1/nodes/{node}/transfers",
    "/v1/observations/{epoch}/{oracle}",
    "/v1/proposals/{epoch}",
    "/v1/reports/{epoch}",
    NO_ROUTE,
];

/// What a proposal may differ in; `other` is what this table does not know yet.
const FIELDS: &[&str] = &[
    "epoch",
    "empty",
    "date",
    "unknown",
    "status",
    "exit_code",
    "result_root",
    "checkpoint_root",
    "checkpointed_seconds",
    "live_seconds",
    "verdict",
    "super_root",
    "memory",
    "bandwidth",
    "gops",
    "signed",
    "opened",
    "other",
];

millrace_daemon::catalog! {
    /// Of the oracle alone.
    pub static CATALOG;

    SEAT_WEIGHT = Metric::gauge("millrace_oracle_seat_weight", "Weight of this oracle's seat; 0 while it holds none.");
    BEACONS = Metric::counter("millrace_oracle_beacons_total",
        "Beacons this oracle opened or latched; \"by_other\" when another was faster or the moment had passed.")
        .by("action", &["open", "latch"]).by("outcome", &["landed", "by_other", "failed"]);

    ACCEPTED_EPOCH = Metric::gauge("millrace_oracle_report_accepted_epoch",
        "Newest epoch whose report a quorum signed; 0 before the first.");
    ACCEPTED_TIMESTAMP = Metric::gauge("millrace_oracle_report_accepted_timestamp_seconds",
        "When that report reached quorum, Unix time of the chain; 0 before the first.");
    BALLOT_LEAVES = Metric::gauge("millrace_oracle_ballot_leaves",
        "Leaves of this oracle's own report of the last epoch; without any of either kind no report is made.")
        .by("kind", &["lease", "node"]);
    REPORTS_CHOSEN = Metric::counter("millrace_oracle_reports_chosen_total",
        "Reports chosen to be signed: this oracle's own or another's, and places between the first proposer and its seat.")
        .by("proposer", &["own", "other"]).by("rank", &["0", "1", "2", "3_or_more"]);
    DISAGREEMENTS = Metric::counter("millrace_oracle_disagreements_total",
        "What kept this oracle from signing another's proposal, once a proposal and field.").by("field", FIELDS);
    SIGNATURES = Metric::counter("millrace_oracle_report_signatures_total",
        "Signatures of reports sent: landed, there already, after the last moment, or not landed and tried again.")
        .by("outcome", &["landed", "already", "too_late", "failed"]);

    LEASES = Metric::gauge("millrace_oracle_leases",
        "Leases under watch, by what their agent last said; \"ended\" ones are no longer asked about.")
        .by("state", &["unheard", "awaiting_inputs", "standing_by", "running", "ended"]);
    POLLS = Metric::counter("millrace_oracle_lease_polls_total",
        "Questions to agents about their leases: answered in time, answered badly or not at all, too late, or not asked \
         because the provider's account cannot be read.").by("outcome", &["answered", "failed", "late", "no_agent"]);
    POLL_SECONDS = Metric::histogram("millrace_oracle_lease_poll_seconds", SECONDS, "Time agents took to answer in time.");
    RESULTS = Metric::counter("millrace_oracle_results_total",
        "Requests for chunks of the results of jobs said to have succeeded: shown with their proofs, or not, and asked for again.")
        .by("outcome", &["shown", "failed"]);
    ENDINGS = Metric::counter("millrace_oracle_lease_endings_total", "Ends of leases this oracle decided, by status.")
        .by("status", &["completed", "job_failed", "node_failed", "stopped"]);

    SHARES = Metric::counter("millrace_oracle_audit_shares_total", "Shares of nonces handed out, each GPU and epoch once.");
    COMMITS = Metric::counter("millrace_oracle_audit_commits_total",
        "Commits taken; a second one of the same GPU and epoch is kept as evidence of fraud.")
        .by("outcome", &["taken", "second"]);
    AUDITS = Metric::counter("millrace_oracle_audits_total", "Audits judged.")
        .by("verdict", &["passed", "refused", "withheld", "void"]);
    VERIFY_SECONDS = Metric::histogram("millrace_oracle_verify_seconds", SECONDS, "Time one proof took to be checked.")
        .by("proof", &["product", "memory"]);
    WALKS = Metric::counter("millrace_oracle_memory_walks_total", "Proofs of memory whose walks came in time or late.")
        .by("outcome", &["in_time", "late"]);
    LINKS = Metric::counter("millrace_oracle_links_total", "Measurements of nodes' links.")
        .by("outcome", &["measured", "failed"]);

    HTTP_REQUESTS = http::requests(ROUTES);
    HTTP_SECONDS = http::seconds(ROUTES);
}

/// What the API is measured with.
pub const HTTP: Meters = Meters { requests: &HTTP_REQUESTS, seconds: &HTTP_SECONDS };

/// What the chain says.
pub fn seen(daemon: &Daemon, view: &View) {
    millrace_daemon::common::seen(view.epoch, view.epoch_secs());
    let seat = view.seat_of(&daemon.me).and_then(|seat| view.seats.get(usize::from(seat)));
    SEAT_WEIGHT.set(seat.map_or(0, |seat| seat.weight) as f64, &[]);
    let ring = millrace::constants::REPORT_RING as u64;
    let newest = (view.epoch.saturating_sub(ring)..=view.epoch).rev().find_map(|epoch| view.reports.accepted(epoch));
    if let Some(newest) = newest {
        ACCEPTED_EPOCH.set(newest.epoch as f64, &[]);
        ACCEPTED_TIMESTAMP.set(newest.accepted_at as f64, &[]);
    }
}

/// This oracle's own report of the epoch that just ended.
pub fn ballot(own: &LeafSet) {
    BALLOT_LEAVES.set(own.leases().len() as f64, &["lease"]);
    BALLOT_LEAVES.set(own.nodes().len() as f64, &["node"]);
}

/// The proposal of the seat `chosen` is to be signed by the seat `own`; of `seats` the seat `first` proposes first.
pub fn chosen(chosen: u8, own: u8, first: u8, seats: u8) {
    let seats = u16::from(seats.max(1));
    let rank = u16::from(chosen).saturating_add(seats).saturating_sub(u16::from(first) % seats) % seats;
    let rank = ["0", "1", "2"].get(usize::from(rank)).copied().unwrap_or("3_or_more");
    REPORTS_CHOSEN.inc(&[if chosen == own { "own" } else { "other" }, rank]);
}

/// A difference that kept this oracle from signing.
pub fn disagreed(difference: &Disagreement) {
    let field = match difference {
        Disagreement::OtherEpoch(_) => "epoch".to_owned(),
        Disagreement::Empty => "empty".to_owned(),
        Disagreement::Instant { .. } => "date".to_owned(),
        Disagreement::Unknown { .. } => "unknown".to_owned(),
        Disagreement::Differs { field, .. } => field.replace([' ', '-'], "_"),
    };
    DISAGREEMENTS.inc(&[FIELDS.iter().copied().find(|known| *known == field).unwrap_or("other")]);
}

/// A lease ended.
pub fn ended(status: LeaseStatus) {
    ENDINGS.inc(&[match status {
        // An end is final.
        LeaseStatus::Running => return,
        LeaseStatus::Completed => "completed",
        LeaseStatus::JobFailed => "job_failed",
        LeaseStatus::NodeFailed => "node_failed",
        LeaseStatus::Stopped => "stopped",
    }]);
}

/// An audit was judged.
pub fn judged(state: AuditState) {
    if state != AuditState::Pending {
        AUDITS.inc(&[crate::tasks::audits::verdict_name(state)]);
    }
}

/// What is under watch.
pub fn show(daemon: &Daemon) {
    let (mut unheard, mut waiting, mut standing_by, mut running, mut ended) = (0u32, 0u32, 0u32, 0u32, 0u32);
    for watch in daemon.leases().values() {
        let count = match watch.phase() {
            _ if watch.is_decided() => &mut ended,
            None => &mut unheard,
            Some(JobPhase::AwaitingInputs) => &mut waiting,
            Some(JobPhase::StandingBy) => &mut standing_by,
            Some(JobPhase::Running) => &mut running,
            Some(_) => &mut ended,
        };
        *count = count.saturating_add(1);
    }
    for (state, count) in [
        ("unheard", unheard),
        ("awaiting_inputs", waiting),
        ("standing_by", standing_by),
        ("running", running),
        ("ended", ended),
    ] {
        LEASES.set(count.into(), &[state]);
    }
    daemon.outbox.show();
}
