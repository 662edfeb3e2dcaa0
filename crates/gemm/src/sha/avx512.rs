//! Sixteen messages side by side in 512-bit registers.

use super::{Digests, Messages, INITIAL, K};
use std::arch::x86_64::*;

/// Truth tables of `vpternlogd`, the first operand's bit being the highest.
const XOR: i32 = 0b1001_0110;
const CHOOSE: i32 = 0b1100_1010;
const MAJORITY: i32 = 0b1110_1000;

/// # Safety
/// The processor has AVX-512F and AVX-512BW.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn digests(messages: &Messages, out: &mut Digests) {
    // Word by word, and of each word the messages in turn.
    let mut w = transpose(load(messages));
    let initial = INITIAL.map(|word| _mm512_set1_epi32(word as i32));
    let mut state = initial;
    // Sixteen rounds each; the words of the next sixteen are made as soon as theirs have been used.
    for k in K[..48].as_chunks().0 {
        rounds::<true>(&mut state, &mut w, k);
    }
    rounds::<false>(&mut state, &mut w, K.last_chunk().expect("64 constants"));
    let mut columns = [_mm512_setzero_si512(); 16];
    for ((column, state), initial) in columns.iter_mut().zip(state).zip(initial) {
        *column = _mm512_add_epi32(state, initial);
    }
    for (out, row) in out.iter_mut().zip(transpose(columns)) {
        // SAFETY: eight words.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_castsi512_si256(row)) };
    }
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
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: [__m512i; 16]) -> [__m512i; 16] {
    // quads[g][c]: of each 4-word group, column c of rows 4g..4g + 4.
    let mut quads = [[_mm512_setzero_si512(); 4]; 4];
    for (quad, [a, b, c, d]) in quads.iter_mut().zip(rows.as_chunks().0) {
        let (a, b, c, d) = (*a, *b, *c, *d);
        let (ab0, ab2) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd0, cd2) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        *quad = [
            _mm512_unpacklo_epi64(ab0, cd0),
            _mm512_unpackhi_epi64(ab0, cd0),
            _mm512_unpacklo_epi64(ab2, cd2),
            _mm512_unpackhi_epi64(ab2, cd2),
        ];
    }
    let mut out = rows;
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
            out[4 * group + c] = column;
        }
    }
    out
}
