//! Sixteen messages side by side in 512-bit registers.

use super::{Digests, Messages, INITIAL, LANES};
use std::arch::x86_64::*;

/// FIPS 180-4, 4.2.2.
const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
];

/// Truth tables of `vpternlogd`, the first operand's bit being the highest.
const XOR: i32 = 0b1001_0110;
const CHOOSE: i32 = 0b1100_1010;
const MAJORITY: i32 = 0b1110_1000;

/// # Safety
/// The processor has AVX-512F and AVX-512BW.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn digests(messages: &Messages) -> Digests {
    let mut w = load(messages);
    let initial = INITIAL.map(|word| _mm512_set1_epi32(word as i32));
    let mut state = initial;
    // Sixteen rounds each; the words of the next sixteen are made as soon as theirs have been used.
    for k in K[..48].as_chunks().0 {
        rounds::<true>(&mut state, &mut w, k);
    }
    rounds::<false>(&mut state, &mut w, K.last_chunk().expect("64 constants"));
    let mut out = [[0; LANES]; 8];
    for ((out, state), initial) in out.iter_mut().zip(state).zip(initial) {
        // SAFETY: 16 words.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_add_epi32(state, initial)) };
    }
    out
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn rounds<const SCHEDULE: bool>(state: &mut [__m512i; 8], w: &mut [__m512i; 16], k: &[u32; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    // The names turn by one each round, so that nothing is moved: after eight rounds they are where they were.
    macro_rules! round {
        ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $i:expr) => {
            let s1 = xor(_mm512_ror_epi32::<6>($e), _mm512_ror_epi32::<11>($e), _mm512_ror_epi32::<25>($e));
            let choose = _mm512_ternarylogic_epi32::<CHOOSE>($e, $f, $g);
            let kw = _mm512_add_epi32(_mm512_set1_epi32(k[$i] as i32), w[$i]);
            let t1 = _mm512_add_epi32(_mm512_add_epi32($h, kw), _mm512_add_epi32(s1, choose));
            let s0 = xor(_mm512_ror_epi32::<2>($a), _mm512_ror_epi32::<13>($a), _mm512_ror_epi32::<22>($a));
            let majority = _mm512_ternarylogic_epi32::<MAJORITY>($a, $b, $c);
            $d = _mm512_add_epi32($d, t1);
            $h = _mm512_add_epi32(t1, _mm512_add_epi32(s0, majority));
            if SCHEDULE {
                let (w1, w14) = (w[($i + 1) % 16], w[($i + 14) % 16]);
                let s0 = xor(_mm512_ror_epi32::<7>(w1), _mm512_ror_epi32::<18>(w1), _mm512_srli_epi32::<3>(w1));
                let s1 = xor(_mm512_ror_epi32::<17>(w14), _mm512_ror_epi32::<19>(w14), _mm512_srli_epi32::<10>(w14));
                w[$i] = _mm512_add_epi32(_mm512_add_epi32(w[$i], w[($i + 9) % 16]), _mm512_add_epi32(s0, s1));
            }
        };
    }
    macro_rules! eight_rounds {
        ($i:expr) => {
            round!(a b c d e f g h $i);
            round!(h a b c d e f g $i + 1);
            round!(g h a b c d e f $i + 2);
            round!(f g h a b c d e $i + 3);
            round!(e f g h a b c d $i + 4);
            round!(d e f g h a b c $i + 5);
            round!(c d e f g h a b $i + 6);
            round!(b c d e f g h a $i + 7);
        };
    }
    eight_rounds!(0);
    eight_rounds!(8);
    *state = [a, b, c, d, e, f, g, h];
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<XOR>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[[u32; 16]; 16]) -> [__m512i; 16] {
    let mut out = [_mm512_setzero_si512(); 16];
    for (out, row) in out.iter_mut().zip(words) {
        // SAFETY: 16 words.
        *out = unsafe { _mm512_loadu_si512(row.as_ptr().cast()) };
    }
    out
}

/// Rows become columns: first within 4 × 4 words, then those among each other.
///
/// # Safety
/// The processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn transpose(words: &[[u32; 16]; 16]) -> [[u32; 16]; 16] {
    let rows = load(words);
    // quads[g][c]: of each 4-word group, column c of rows 4g..4g + 4.
    let quads = [0, 1, 2, 3].map(|g| {
        let [a, b, c, d] = [rows[4 * g], rows[4 * g + 1], rows[4 * g + 2], rows[4 * g + 3]];
        let (ab0, ab2) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd0, cd2) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        [
            _mm512_unpacklo_epi64(ab0, cd0),
            _mm512_unpackhi_epi64(ab0, cd0),
            _mm512_unpacklo_epi64(ab2, cd2),
            _mm512_unpackhi_epi64(ab2, cd2),
        ]
    });
    let mut out = [[0; 16]; 16];
    for c in 0..4 {
        let [p, q, r, s] = [quads[0][c], quads[1][c], quads[2][c], quads[3][c]];
        let (pq_even, pq_odd) = (_mm512_shuffle_i32x4::<0x88>(p, q), _mm512_shuffle_i32x4::<0xdd>(p, q));
        let (rs_even, rs_odd) = (_mm512_shuffle_i32x4::<0x88>(r, s), _mm512_shuffle_i32x4::<0xdd>(r, s));
        let columns = [
            _mm512_shuffle_i32x4::<0x88>(pq_even, rs_even),
            _mm512_shuffle_i32x4::<0x88>(pq_odd, rs_odd),
            _mm512_shuffle_i32x4::<0xdd>(pq_even, rs_even),
            _mm512_shuffle_i32x4::<0xdd>(pq_odd, rs_odd),
        ];
        for (group, column) in columns.into_iter().enumerate() {
            // SAFETY: 16 words.
            unsafe { _mm512_storeu_si512(out[4 * group + c].as_mut_ptr().cast(), column) };
        }
    }
    out
}
