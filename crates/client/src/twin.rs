//! The twin of the program, built with planted faults to prove the tests: it must never be deployed.

/// What its image says.
pub const MARKER: &[u8] = b"MILLRACE TWIN WITH PLANTED FAULTS, NEVER DEPLOY";

/// Whether `image` is the twin.
pub fn is_twin(image: &[u8]) -> bool {
    image.windows(MARKER.len()).any(|window| window == MARKER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_is_known_by_its_marker_wherever_it_stands() {
        assert!(is_twin(&[b"\x7fELF", MARKER, b": fault=\x00"].concat()));
        assert!(is_twin(MARKER));
        assert!(!is_twin(&MARKER[1..]) && !is_twin(b"\x7fELF") && !is_twin(b""));
    }
}
