//! Every cheat is caught as often as its formula says, and the documentation has all of them.

use millrace_cheats::report::Rate;
use millrace_cheats::{cheats, conditions, interval_95, is_allowed, Condition, Kind};

/// Of the cheats of one kind, those whose count no chance explains.
fn unexplained(kind: Kind) -> Vec<String> {
    let of_kind = cheats().into_iter().filter(|cheat| cheat.kind == kind);
    let counted = of_kind.map(|cheat| {
        let trials = kind.trials_in_tests();
        let detected = cheat.detected(trials, 7, &|| ());
        let is_explained = is_allowed(detected, trials, cheat.expected());
        (is_explained, format!("{}: {detected} of {trials}, expected {:.6}", cheat.name, cheat.expected()))
    });
    counted.filter(|(is_explained, _)| !is_explained).map(|(_, count)| count).collect()
}

#[test]
fn the_verifier_catches_each_cheat_as_often_as_its_formula_says() {
    assert_eq!(unexplained(Kind::Answer), Vec::<String>::new());
    assert_eq!(unexplained(Kind::Run), Vec::<String>::new());
}

#[test]
fn the_oracle_catches_each_cheat_of_the_conversation() {
    assert_eq!(unexplained(Kind::Conversation), Vec::<String>::new());
}

#[test]
fn the_oracles_clock_catches_each_false_claim() {
    assert_eq!(unexplained(Kind::Timed), Vec::<String>::new());
    assert_eq!(unexplained(Kind::Large), Vec::<String>::new());
}

#[test]
fn no_link_and_no_load_makes_an_honest_answer_wrong() {
    let audit = |condition: &Condition| {
        let [outcome] = condition.measure(1, 7, &|| ())[..] else { panic!("one audit was asked for") };
        assert!(outcome.has_passed, "{}", condition.name);
        // The best speed of a processor is a measurement; a card's is a fact.
        let is_known = !condition.name.contains("processor");
        assert!(!is_known || outcome.ratio() < 1.0, "{}: measured faster than it is", condition.name);
    };
    let conditions = conditions();
    std::thread::scope(|scope| {
        conditions.iter().for_each(|condition| drop(scope.spawn(|| audit(condition))));
    });
}

#[test]
fn the_documentation_has_every_cheat_and_condition_once_in_order() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/error-rates.json")).unwrap();
    let rates: Vec<Rate> = serde_json::from_str(&text).unwrap();
    let (cheats, conditions) = (cheats(), conditions());
    let cheat_names = cheats.iter().map(|cheat| cheat.name);
    let honest_names = conditions.iter().filter(|condition| condition.is_honest()).map(|condition| condition.name);
    let written = rates.iter().map(|rate| rate.cheat.as_str());
    assert!(written.eq(cheat_names.chain(honest_names)), "docs/error-rates.json is stale: run make error-rates");
    for (cheat, rate) in cheats.iter().zip(&rates) {
        assert!((rate.expected - cheat.expected()).abs() < 1e-12, "{}", rate.cheat);
        assert!(is_allowed(rate.detected, rate.trials, cheat.expected()), "{}", rate.cheat);
    }
    for rate in &rates {
        let [low, high] = interval_95(rate.detected, rate.trials);
        assert!(
            (rate.interval_95[0] - low).abs() < 1e-6 && (rate.interval_95[1] - high).abs() < 1e-6,
            "{}",
            rate.cheat
        );
    }
}
