//! The checker of dashboards and alerts finds what is misspelt. Each daemon's own test runs it on the real ones.

use millrace_daemon::testing::Exposed;

fn exposed() -> Exposed {
    Exposed::parse(
        "# HELP walks_total Walks.\n# TYPE walks_total counter\n\
         walks_total{outcome=\"in_time\"} 3\nwalks_total{outcome=\"late\"} 0\n\n\
         # TYPE walk_seconds histogram\nwalk_seconds_bucket{le=\"0.1\"} 2\nwalk_seconds_bucket{le=\"+Inf\"} 2\n\
         walk_seconds_sum 0.01\nwalk_seconds_count 2\n# TYPE epoch gauge\nepoch 7\nbalance NaN\n",
    )
}

#[test]
fn what_is_exposed_may_be_asked_for() {
    for expression in [
        "epoch",
        "up{job=\"millrace-oracle\"} == 0",
        "sum by (outcome) (rate(walks_total{outcome!=\"late\", job=\"a\"}[$__rate_interval])) > 0",
        "histogram_quantile(0.99, sum by (le) (rate(walk_seconds_bucket[5m]))) > 1 and on (instance) epoch > 2",
        "(time() - epoch) / 2 unless max_over_time(epoch[10m:1m]) < 1e9",
        "walks_total{outcome=~\"in_time|late\", instance=~\"$instance\"}",
    ] {
        assert_eq!(exposed().misses(expression), [""; 0], "{expression}");
    }
}

#[test]
fn what_is_misspelt_is_found_wherever_it_stands() {
    for (expression, wrong) in [
        ("epohc", "no metric epohc"),
        ("sum(rate(walk_total[5m])) > 1", "no metric walk_total"),
        ("epoch > 1 and on (instance) (1 - walks) < 3", "no metric walks"),
        ("histogram_quantile(0.9, rate(walk_seconds_buckets[5m]))", "no metric walk_seconds_buckets"),
        ("topk(1, max_over_time(epohc[1h:1m]))", "no metric epohc"),
        ("rate(walks_total{outcom=\"late\"}[5m])", "no label outcom"),
        ("rate(walks_total{outcome=\"lat\"}[5m])", "no outcome=\"lat\""),
        ("walks_total{outcome=~\"late|in_tme\"}", "no outcome=\"in_tme\""),
        ("up{outcome=\"late\"}", "up has no label outcome"),
        ("rate(walks_total[5m]", "no PromQL"),
        ("epoch >", "no PromQL"),
    ] {
        let misses = exposed().misses(expression);
        assert!(misses.iter().any(|miss| miss.contains(wrong)), "{expression}: {misses:?}");
    }
}

#[test]
fn values_are_read_by_their_labels() {
    assert_eq!(exposed().value("walks_total", &[("outcome", "in_time")]), Some(3.0));
    assert_eq!(exposed().value("walks_total", &[("outcome", "never")]), None);
    assert!(exposed().value("balance", &[]).unwrap().is_nan());
    assert_eq!(exposed().kinds["walk_seconds"], "histogram");
}
