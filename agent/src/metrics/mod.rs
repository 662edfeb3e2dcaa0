//! What the agent counts: the one table of its metrics, and the few that need a thought before they are counted.

pub mod gpu;

use millrace_client::SubmitError;
use millrace_core::leaves::Verdict;
use millrace_daemon::http::{self, Meters, NO_ROUTE};
use millrace_daemon::metric::{Metric, LONG_SECONDS};
use millrace_wire::messages::JobPhase;

use crate::agent::Agent;
use crate::decide::lease::is_final;
use crate::sandbox::{Limit, Outcome};
use crate::view::View;

/// Routes of the API, as `millrace_http_requests_total` names them.
const ROUTES: &[&str] = &[
    "/v1/health",
    "/v1/leases/{lease}/inputs",
    "/v1/leases/{lease}/logs",
    "/v1/leases/{lease}/results",
    "/v1/leases/{lease}/results/chunks",
    "/v1/leases/{lease}/status",
    NO_ROUTE,
];

const PHASES: &[&str] =
    &["awaiting_inputs", "standing_by", "running", "exited", "limit_exceeded", "node_failed", "stopped"];

/// What comes of a transaction.
const SENT: &[&str] = &["landed", "refused", "failed"];

millrace_daemon::catalog! {
    /// Of the agent alone; those of GPUs are in [`gpu::CATALOG`].
    pub static CATALOG;

    NODES = Metric::gauge("millrace_agent_nodes", "Nodes of this machine on chain: all but retired ones, verified ones, leased ones.")
        .by("state", &["registered", "verified", "leased"]);
    LEASES = Metric::gauge("millrace_agent_leases", "Leases this agent serves or served and has not forgotten, by phase.")
        .by("phase", PHASES);
    LEASES_WON = Metric::counter("millrace_agent_leases_won_total", "Leases taken up.");
    TAKEOVERS = Metric::counter("millrace_agent_takeovers_total",
        "Places of failed nodes this machine stood by for and sent to take over.").by("outcome", SENT);
    JOBS_STARTED = Metric::counter("millrace_agent_jobs_started_total", "Jobs begun.");
    JOBS_ENDED = Metric::counter("millrace_agent_jobs_ended_total",
        "Jobs ended, by phase: exited by themselves, beyond a limit of their own, failed by this node, stopped.")
        .by("phase", &["exited", "limit_exceeded", "node_failed", "stopped"]);
    SANDBOX_LIMITS = Metric::counter("millrace_agent_sandbox_limits_total", "Jobs killed for going beyond a limit.")
        .by("limit", &["memory", "pids", "disk", "time"]);
    PAID_SECONDS = Metric::counter("millrace_agent_paid_seconds_total",
        "Seconds of open leases paid since the start, whoever settled them.");
    EARNED = Metric::counter("millrace_agent_earned_base_units_total",
        "Charged to customers for these seconds, base units of MILL; what is held back is in it, the fee is not.");

    BIDS = Metric::counter("millrace_agent_bids_total", "Bids sent.").by("outcome", SENT);
    BIDS_RELEASED = Metric::counter("millrace_agent_bids_released_total",
        "Bids taken back because their job went to another, was withdrawn, or was never awarded.");
    LEAVES = Metric::counter("millrace_agent_leaves_total",
        "Leaves of accepted reports applied on chain: leases settled, failed ones of others where this node stands by among them, findings about nodes.")
        .by("kind", &["lease", "node"]).by("outcome", SENT);

    AUDITS_BEGUN = Metric::counter("millrace_agent_audits_begun_total", "Audits begun, or taken up again after a restart; one a GPU.");
    AUDITS_ENDED = Metric::counter("millrace_agent_audits_ended_total",
        "Audits answered to every oracle that took the commit, or come to nothing.").by("outcome", &["answered", "failed"]);
    VERDICTS = Metric::counter("millrace_agent_audit_verdicts_total", "What accepted reports found of this machine's nodes.")
        .by("verdict", &["passed", "refused", "withheld"]);
    PROVE_SECONDS = Metric::histogram("millrace_agent_audit_prove_seconds", LONG_SECONDS,
        "Time the computation of an audit took.");
    ANSWER_SECONDS = Metric::histogram("millrace_agent_audit_answer_seconds", LONG_SECONDS,
        "Time from seeing the beacon that asks to the answer taken by the last oracle.");

    HTTP_REQUESTS = http::requests(ROUTES);
    HTTP_SECONDS = http::seconds(ROUTES);
}

/// What the API is measured with.
pub const HTTP: Meters = Meters { requests: &HTTP_REQUESTS, seconds: &HTTP_SECONDS };

/// How a submission ended.
pub fn sent<T>(outcome: &Result<T, SubmitError>) -> &'static str {
    match outcome {
        Ok(_) => "landed",
        Err(SubmitError::Program { .. }) => "refused",
        Err(_) => "failed",
    }
}

/// What the chain says now and said before.
pub fn seen(view: &View, last: Option<&View>) {
    millrace_daemon::common::seen(view.epoch, view.epoch_secs());
    let count = |is_so: fn(&millrace::state::Node) -> bool| view.nodes.iter().filter(|(_, node)| is_so(node)).count();
    NODES.set(count(|node| !node.is_retired()) as f64, &["registered"]);
    NODES.set(count(|node| node.state == millrace::state::NodeState::Verified as u8) as f64, &["verified"]);
    NODES.set(count(|node| node.lease != Default::default()) as f64, &["leased"]);
    let Some(last) = last else { return };
    for (key, lease) in &view.leases {
        // A lease that was not there yet, or another at the same address, begins at zero.
        let before = last.leases.get(key).filter(|before| before.started_at == lease.started_at);
        let (secs, gross) = before.map_or((0, 0), |before| (before.paid_secs, before.gross_amount));
        PAID_SECONDS.add(lease.paid_secs.saturating_sub(secs), &[]);
        EARNED.add(lease.gross_amount.saturating_sub(gross), &[]);
    }
}

/// A lease went from one phase to another.
pub fn moved(from: Option<JobPhase>, to: JobPhase) {
    if from == Some(to) {
        return;
    }
    if to == JobPhase::Running {
        JOBS_STARTED.inc(&[]);
    }
    // A stop that turns out to be the node's failure is one end.
    if is_final(to) && from.is_none_or(|from| !is_final(from)) {
        JOBS_ENDED.inc(&[phase_name(to)]);
    }
}

/// A run ended.
pub fn ran(outcome: &Outcome) {
    if let Outcome::Killed { limit } = outcome {
        SANDBOX_LIMITS.inc(&[match limit {
            Limit::Memory => "memory",
            Limit::Pids => "pids",
            Limit::Disk => "disk",
            Limit::Time => "time",
        }]);
    }
}

/// A finding of the oracles was applied, or was tried to be.
pub fn found(verdict: Verdict) {
    VERDICTS.inc(&[match verdict {
        Verdict::Passed => "passed",
        Verdict::Refused => "refused",
        Verdict::Withheld => "withheld",
    }]);
}

/// What the agent has.
pub fn show(agent: &Agent) {
    let leases = agent.leases();
    for phase in PHASES {
        let count = leases.iter().filter(|(_, record)| phase_name(record.phase) == *phase).count();
        LEASES.set(count as f64, &[phase]);
    }
    agent.outbox.show();
}

fn phase_name(phase: JobPhase) -> &'static str {
    match phase {
        JobPhase::AwaitingInputs => "awaiting_inputs",
        JobPhase::StandingBy => "standing_by",
        JobPhase::Running => "running",
        JobPhase::Exited => "exited",
        JobPhase::LimitExceeded => "limit_exceeded",
        JobPhase::NodeFailed => "node_failed",
        JobPhase::Stopped => "stopped",
    }
}
