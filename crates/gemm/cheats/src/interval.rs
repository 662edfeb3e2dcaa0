//! Exact binomial intervals.

/// `P(X ∈ range)` of `X ~ Binomial(trials, p)`: the terms `C(trials, i)·pⁱ·(1 − p)^(trials − i)`, summed.
fn probability(range: std::ops::RangeInclusive<u32>, trials: u32, p: f64) -> f64 {
    // At the ends the logarithms below are infinite.
    if p <= 0.0 || p >= 1.0 {
        let certain = if p <= 0.0 { 0 } else { trials };
        return f64::from(u8::from(range.contains(&certain)));
    }
    let (ln_p, ln_q) = (p.ln(), (-p).ln_1p());
    let mut ln_term = f64::from(trials) * ln_q;
    let mut sum = 0.0;
    for i in 0..=trials {
        if range.contains(&i) {
            sum += ln_term.exp();
        }
        ln_term += (f64::from(trials - i) / f64::from(i + 1)).ln() + ln_p - ln_q;
    }
    sum
}

/// The 95% interval of Clopper and Pearson (Biometrika 26, 1934) for the probability behind `hits` of `trials`: at its
/// ends, what was seen or more extreme has a probability of 2.5%.
pub fn interval_95(hits: u32, trials: u32) -> [f64; 2] {
    // The p at which a rising function of it reaches 2.5%.
    let solve = |rising: &dyn Fn(f64) -> f64| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if rising(middle) < 0.025 {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    };
    let low = if hits == 0 { 0.0 } else { solve(&|p| probability(hits..=trials, trials, p)) };
    let high = if hits == trials { 1.0 } else { 1.0 - solve(&|q| probability(0..=hits, trials, 1.0 - q)) };
    [low, high]
}

/// Whether `hits` of `trials` can be chance where each hits with probability `p`: not when as many or more, or as few
/// or fewer, come up less often than once in 2·10⁹ times.
pub fn is_allowed(hits: u32, trials: u32, p: f64) -> bool {
    const LEAST: f64 = 0.5e-9;
    probability(0..=hits, trials, p) > LEAST && probability(hits..=trials, trials, p) > LEAST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::not_found;

    #[test]
    fn intervals_are_those_of_the_closed_forms_and_of_the_tables() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-4;
        for trials in [10, 300, 4_000] {
            let one_sided = 0.025f64.powf(1.0 / f64::from(trials));
            assert!(interval_95(trials, trials)[1] == 1.0 && close(interval_95(trials, trials)[0], one_sided));
            assert!(interval_95(0, trials)[0] == 0.0 && close(interval_95(0, trials)[1], 1.0 - one_sided));
        }
        // Clopper and Pearson's for 3 of 10.
        let [low, high] = interval_95(3, 10);
        assert!(close(low, 0.0667) && close(high, 0.6525), "{low} {high}");
    }

    #[test]
    fn a_verifier_that_always_refuses_or_asks_half_is_not_allowed() {
        let (trials, one_row) = (300, 1.0 - not_found(1.0 / 256.0));
        assert!(is_allowed(260, trials, one_row));
        assert!(!is_allowed(trials, trials, one_row), "it refuses everything");
        let half = (1.0 - (255f64 / 256.0).powi(256)) * f64::from(trials);
        assert!(!is_allowed(half as u32, trials, one_row), "it asks 256 entries");
        assert!(!is_allowed(trials - 1, trials, 1.0) && !is_allowed(1, trials, 0.0));
    }
}
