//! Amounts of MILL as people write them.

use millrace_core::money::{MILL, MILL_DECIMALS};

/// Text that is not an amount, and what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// No digits, a sign, or something else that is not an amount.
    #[error("\"{0}\" is not an amount of MILL; write digits with at most one point, like 12 or 1.5")]
    NotANumber(String),
    /// Finer than a base unit.
    #[error("\"{text}\" has {decimals} decimals; MILL has at most {MILL_DECIMALS}, like {nearest}")]
    TooFine {
        /// What was given.
        text: String,
        /// Decimals it has.
        decimals: usize,
        /// The amount cut to what MILL can express.
        nearest: String,
    },
    /// More than 64 bits of base units.
    #[error("\"{0}\" is more MILL than can exist; the most is {max}", max = format_mill(u64::MAX))]
    TooLarge(String),
}

/// Reads an amount of MILL, such as `12`, `1.5` or `1.5 MILL`, as base units.
///
/// # Errors
/// [`AmountError`], which says what would be right. Nothing is ever rounded.
pub fn parse_mill(text: &str) -> Result<u64, AmountError> {
    let given = text.trim();
    let number = given.strip_suffix("MILL").map_or(given, str::trim_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_point = whole.len() < number.len();
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) || (has_point && fraction.is_empty()) {
        return Err(AmountError::NotANumber(given.to_string()));
    }
    let decimals = usize::from(MILL_DECIMALS);
    if fraction.len() > decimals {
        let nearest = format!("{whole}.{}", &fraction[..decimals]);
        return Err(AmountError::TooFine { text: given.to_string(), decimals: fraction.len(), nearest });
    }
    let too_large = || AmountError::TooLarge(given.to_string());
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let fraction: u64 = format!("{fraction:0<decimals$}").parse().map_err(|_| too_large())?;
    whole.checked_mul(MILL).and_then(|units| units.checked_add(fraction)).ok_or_else(too_large)
}

/// Writes base units as MILL without needless zeros: `1500000` is `1.5`. Reading it back gives the same amount.
pub fn format_mill(units: u64) -> String {
    let (whole, fraction) = (units / MILL, units % MILL);
    if fraction == 0 {
        return whole.to_string();
    }
    let fraction = format!("{fraction:0width$}", width = usize::from(MILL_DECIMALS));
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back_to_the_base_unit(units: u64) {
            prop_assert_eq!(parse_mill(&format_mill(units)), Ok(units));
            prop_assert_eq!(parse_mill(&format!(" {} MILL ", format_mill(units))), Ok(units));
        }

        #[test]
        fn no_text_panics_or_rounds(text in "[0-9. MIL+-]{0,24}") {
            if let Ok(units) = parse_mill(&text) {
                prop_assert_eq!(parse_mill(&format_mill(units)), Ok(units));
            }
        }

        #[test]
        fn a_seventh_decimal_is_refused_and_the_hint_is_accepted(whole in 0u64..1_000_000, fraction in "[0-9]{7,12}") {
            let text = format!("{whole}.{fraction}");
            let Err(AmountError::TooFine { nearest, .. }) = parse_mill(&text) else { panic!("{text} was taken") };
            prop_assert!(parse_mill(&nearest).is_ok());
        }
    }

    #[test]
    fn amounts_read_as_people_write_them() {
        for (text, units) in [("0", 0), ("1", 1_000_000), ("1.5", 1_500_000), ("0.000001", 1), ("12 MILL", 12_000_000)]
        {
            assert_eq!(parse_mill(text), Ok(units), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "1_000", "1.2.3", "MILL", "1 MILL MILL", "١"] {
            assert!(matches!(parse_mill(text), Err(AmountError::NotANumber(_))), "{text}");
        }
        assert!(matches!(parse_mill("18446744073709.551616"), Err(AmountError::TooLarge(_))));
        assert!(matches!(parse_mill("99999999999999999999999"), Err(AmountError::TooLarge(_))));
        assert_eq!(parse_mill("18446744073709.551615"), Ok(u64::MAX));
    }
}
