//! Two messages at a time with the processor's SHA instructions: while one waits for a result, the other computes. More
//! than two have not enough registers.

use super::{Digests, Messages, INITIAL, K};
use std::arch::x86_64::*;

/// Messages in flight.
const PAIR: usize = 2;

/// A state as the instructions want it: a b e f and c d g h, the first in the highest word.
type State = [__m128i; 2];

/// # Safety
/// The processor has SHA-NI, SSSE3 and SSE4.1.
#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(super) unsafe fn digests(messages: &Messages, out: &mut Digests) {
    for (messages, out) in messages.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        compress::<false>(initial(), messages, out);
    }
}

/// The digests of messages whose first eight words are all the same, whose eight rounds are made once.
///
/// # Safety
/// As [`digests`].
#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(super) unsafe fn digests_alike(messages: &Messages, out: &mut Digests) {
    let mut state = initial();
    for at in [0, 4] {
        four_rounds(&mut state, _mm_add_epi32(load(&messages[0], at), load(&K, at)));
    }
    for (messages, out) in messages.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        compress::<true>(state, messages, out);
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn initial() -> State {
    let [a, b, c, d, e, f, g, h] = INITIAL.map(|word| word as i32);
    [_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h)]
}

#[inline]
#[target_feature(enable = "sha,sse2")]
fn four_rounds([abef, cdgh]: &mut State, wk: __m128i) {
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, wk);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0b1110>(wk));
}

/// From the state before the first round, or with `BEGUN` from the one after eight.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress<const BEGUN: bool>(from: State, messages: &[[u32; 16]; PAIR], out: &mut [[u32; 8]; PAIR]) {
    let initial = initial();
    let mut states = [from; PAIR];
    let mut w = [[_mm_setzero_si128(); 4]; PAIR];
    for (w, message) in w.iter_mut().zip(messages) {
        for (i, w) in w.iter_mut().enumerate() {
            *w = load(message, 4 * i);
        }
    }
    // Four rounds, and the words that they need sixteen rounds later.
    macro_rules! rounds {
        ($($i:literal)*) => {$(
            let k = load(&K, 4 * $i);
            for (state, w) in states.iter_mut().zip(&mut w) {
                if !BEGUN || $i >= 2 {
                    four_rounds(state, _mm_add_epi32(w[$i % 4], k));
                }
                if $i < 12 {
                    let [first, second, third, last] = [0, 1, 2, 3].map(|j| w[($i + j) % 4]);
                    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(first, second), _mm_alignr_epi8::<4>(last, third));
                    w[$i % 4] = _mm_sha256msg2_epu32(sum, last);
                }
            }
        )*};
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    for (state, out) in states.iter().zip(out) {
        // Back into the order a to h, the first in the lowest word.
        let feba = _mm_shuffle_epi32::<0b00_01_10_11>(_mm_add_epi32(state[0], initial[0]));
        let dchg = _mm_shuffle_epi32::<0b10_11_00_01>(_mm_add_epi32(state[1], initial[1]));
        // SAFETY: eight words.
        unsafe {
            let out = out.as_mut_ptr().cast::<__m128i>();
            _mm_storeu_si128(out, _mm_blend_epi16::<0xf0>(feba, dchg));
            _mm_storeu_si128(out.add(1), _mm_alignr_epi8::<8>(dchg, feba));
        }
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn load<const N: usize>(words: &[u32; N], at: usize) -> __m128i {
    let four: &[u32; 4] = words[at..].first_chunk().expect("four words");
    // SAFETY: four words.
    unsafe { _mm_loadu_si128(four.as_ptr().cast()) }
}
