//! What daemons wrote to their logs, and when.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

/// What an oracle says when the chain has a report.
const ACCEPTED: &str = "report accepted";
/// What an agent says of the leaf it applies.
const FAILED: &str = "status=NodeFailed";
/// What an agent names the transaction by which it takes over.
const TAKES_OVER: &str = "fail over ";

/// The lines of the logs of `names` in `dir` that contain `what`, with their times.
///
/// # Errors
/// When a log cannot be read.
pub fn lines(dir: &Path, names: &[String], what: &str) -> Result<Vec<(SystemTime, String)>> {
    let mut found = Vec::new();
    for name in names {
        let log = std::fs::read_to_string(dir.join(format!("{name}.log")))?;
        for line in log.lines().filter(|line| line.contains(what)) {
            let (at, rest) = line.trim_start().split_once(' ').context("a line of a log without a time")?;
            let at = humantime::parse_rfc3339(at).context("a line of a log without a time")?;
            found.push((at, rest.to_owned()));
        }
    }
    Ok(found)
}

/// How long after the first oracle's word that a report with the failure of a node was accepted the lease of its stand-by was
/// there, for every lease that was taken over, shortest first.
///
/// # Errors
/// When a log cannot be read.
pub fn takeovers(dir: &Path, oracles: &[String], agents: &[String]) -> Result<Vec<Duration>> {
    let (accepted, failed) = (lines(dir, oracles, ACCEPTED)?, lines(dir, agents, FAILED)?);
    let mut delays = Vec::new();
    for (at, line) in lines(dir, agents, TAKES_OVER)?.iter().filter(|(_, line)| line.contains("landed")) {
        let lease = word_after(line, TAKES_OVER).context("a takeover of nothing")?;
        let of_lease = format!("lease={lease}");
        let epoch =
            failed.iter().filter(|(_, line)| line.contains(&of_lease)).find_map(|(_, it)| word_after(it, "epoch="));
        // Its customer settled it: when, no log says.
        let Some(epoch) = epoch else { continue };
        let in_epoch = accepted.iter().filter(|(_, line)| word_after(line, "epoch=") == Some(epoch));
        let since =
            in_epoch.map(|(at, _)| *at).min().with_context(|| format!("no report of epoch {epoch} was accepted"))?;
        delays.push(at.duration_since(since).unwrap_or_default());
    }
    delays.sort_unstable();
    Ok(delays)
}

/// What stands between `before` and the next space or quote.
fn word_after<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    rest.split([' ', '"']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_takeover_is_timed_from_the_report_that_had_the_failure() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("o1.log", "2026-11-30T12:00:00.000000Z  INFO report accepted epoch=6 leaves=2\n");
        write("o2.log", "2026-11-30T12:00:05.500000Z  INFO report accepted epoch=7 leaves=2\n2026-11-30T12:00:09.000000Z  INFO report accepted epoch=8 leaves=2\n");
        write(
            "a.log",
            "2026-11-30T12:00:06.000000Z  INFO settling lease=AbC epoch=7 live_secs=3 status=NodeFailed\n\
             2026-11-30T12:00:07.000000Z  INFO landed label=\"fail over AbC\" signature=x\n",
        );
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let took = takeovers(dir.path(), &names(&["o1", "o2"]), &names(&["a"])).unwrap();
        assert_eq!(took, [Duration::from_millis(1_500)]);
    }
}
