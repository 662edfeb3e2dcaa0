//! What each instruction costs on the real program: within its ceiling, and no more than was committed.

mod table;

use std::collections::BTreeSet;

use millrace_tests::record::instruction_names;
use millrace_tests::{scenarios, TokenStandard};
use table::{Units, CEILINGS, ENTRY_KEY, GUARANTEED_KEY, LIFE_KEY, MAX_GROWTH_PERCENT};

#[test]
fn no_instruction_costs_more_than_its_ceiling_or_what_was_committed() {
    let mut extents = scenarios::everything().extents;
    extents.insert(ENTRY_KEY.into(), scenarios::entry_16384());
    let life = scenarios::life(0, TokenStandard::Token);
    let life_2022 = total(&scenarios::life(0, TokenStandard::Token2022));
    let mut units: Units = extents.iter().map(|(name, extent)| (name.clone(), extent.cu)).collect();
    units.insert(LIFE_KEY.into(), total(&life));
    units.insert(GUARANTEED_KEY.into(), scenarios::life_of_a_guaranteed_job());

    let mut wanted: BTreeSet<&str> = instruction_names().into_iter().collect();
    wanted.extend([LIFE_KEY, GUARANTEED_KEY, ENTRY_KEY]);
    assert_eq!(units.keys().map(String::as_str).collect::<BTreeSet<_>>(), wanted, "each instruction has one row");
    for (name, cu) in &units {
        assert!(*cu > 0, "{name} was never accepted: add it to the scenarios");
    }
    for (name, most, _) in CEILINGS {
        assert!(units[name] <= most, "{name} costs {} units, its ceiling is {most}", units[name]);
    }

    let most = CEILINGS.iter().find(|(name, ..)| *name == LIFE_KEY).expect("the life has a ceiling").1;
    assert!(life_2022 <= most, "the life of a job costs {life_2022} units with Token-2022, its ceiling is {most}");

    if std::env::var_os("UPDATE_COMPUTE_UNITS").is_some() {
        table::write(&units, &extents, &life, life_2022);
    }
    let committed = table::committed();
    let keys = |units: &Units| units.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&units), keys(&committed), "docs/compute-units.json is stale: run with UPDATE_COMPUTE_UNITS=1");
    let shown = table::committed_table();
    for (name, cu) in &units {
        let before = committed[name];
        let most = before + before * MAX_GROWTH_PERCENT / 100;
        assert!(*cu <= most, "{name} grew from {before} to {cu} units, more than {MAX_GROWTH_PERCENT}%");
        let row = table::row_start(name, before);
        assert!(shown.contains(&row), "docs/compute-units.md does not say {row}: run with UPDATE_COMPUTE_UNITS=1");
    }
}

#[test]
fn a_job_costs_the_same_among_ten_thousand() {
    assert_eq!(scenarios::life(10_000, TokenStandard::Token), scenarios::life(1, TokenStandard::Token));
}

fn total(steps: &[(&str, u64)]) -> u64 {
    steps.iter().map(|(_, cu)| cu).sum()
}
