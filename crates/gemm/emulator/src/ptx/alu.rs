//! Instructions that compute one register from others.

/// One register of the threads of a warp.
pub type Lanes = [u64; 32];

/// Up to four sources to the result. A 32-bit instruction uses the lower halves of its sources.
pub type Alu = fn([&Lanes; 4]) -> Lanes;

/// What the manual leaves open, and what is in a register before it is written.
pub const UNSPECIFIED: u64 = 0xa5a5_5a5a_a5a5_5a5a;

/// A table of each instruction's name, number of sources, and result, from what one lane computes.
macro_rules! instructions {
    ($($name:literal ($($source:ident),*) => $result:expr,)*) => {
        const TABLE: &[(&str, usize, Alu)] = &[$(($name, [$(stringify!($source)),*].len(), |from| {
            std::array::from_fn(|lane| {
                let [$($source,)* ..] = from.map(|lanes| lanes[lane]);
                $result
            })
        })),*];
    };
}

instructions! {
    "mov.u32" (a) => low(a),
    "mov.u64" (a) => a,
    "cvt.u64.u32" (a) => low(a),
    "cvt.u32.u64" (a) => low(a),
    // Global memory has the same addresses in the generic window.
    "cvta.to.global.u64" (a) => a,
    "add.s32" (a, b) => low(a.wrapping_add(b)),
    "add.s64" (a, b) => a.wrapping_add(b),
    "sub.s32" (a, b) => low(a.wrapping_sub(b)),
    "sub.s64" (a, b) => a.wrapping_sub(b),
    "neg.s32" (a) => low(a.wrapping_neg()),
    "mul.lo.s32" (a, b) => low(a.wrapping_mul(b)),
    "mul.lo.s64" (a, b) => a.wrapping_mul(b),
    "mul.wide.u32" (a, b) => low(a) * low(b),
    "mul.hi.u64" (a, b) => ((u128::from(a) * u128::from(b)) >> 64) as u64,
    "mad.lo.s32" (a, b, c) => low(a.wrapping_mul(b).wrapping_add(c)),
    "div.u32" (a, b) => low(low(a).checked_div(low(b)).unwrap_or(UNSPECIFIED)),
    "min.u32" (a, b) => low(a).min(low(b)),
    "and.b32" (a, b) => low(a & b),
    "or.b32" (a, b) => low(a | b),
    "xor.b32" (a, b) => low(a ^ b),
    "not.b32" (a) => low(!a),
    // A shift by more than the width is one by the width.
    "shl.b32" (a, by) => low(low(a) << low(by).min(32)),
    "shl.b64" (a, by) => a.checked_shl(by as u32).unwrap_or(0),
    "shr.u32" (a, by) => low(a) >> low(by).min(32),
    "shr.u64" (a, by) => a.checked_shr(by as u32).unwrap_or(0),
    // The lower half of b ‖ a shifted to the right, by the amount modulo 32.
    "shf.r.wrap.b32" (a, b, by) => low((low(b) << 32 | low(a)) >> (by % 32)),
    "prmt.b32" (a, b, selector) => permute(a as u32, b as u32, selector as u32),
    "bfe.u32" (a, at, len) => low(a) >> (at & 0xff).min(32) & ones(len, 32),
    "bfi.b32" (a, b, at, len) => low(insert(a, b, at, ones(len, 32))),
    "bfi.b64" (a, b, at, len) => insert(a, b, at, ones(len, 64)),
    "selp.b32" (a, b, predicate) => low(if predicate != 0 { a } else { b }),
    "selp.b64" (a, b, predicate) => if predicate != 0 { a } else { b },
    "setp.eq.s32" (a, b) => u64::from(low(a) == low(b)),
    "setp.eq.s64" (a, b) => u64::from(a == b),
    "setp.ne.s32" (a, b) => u64::from(low(a) != low(b)),
    "setp.lt.u32" (a, b) => u64::from(low(a) < low(b)),
    "setp.le.u32" (a, b) => u64::from(low(a) <= low(b)),
    "setp.ge.u32" (a, b) => u64::from(low(a) >= low(b)),
    "setp.gt.u32" (a, b) => u64::from(low(a) > low(b)),
    "or.pred" (a, b) => u64::from(a != 0 || b != 0),
    "dp4a.s32.s32" (a, b, c) => {
        let products = [0, 8, 16, 24].map(|at| i32::from((a >> at) as i8) * i32::from((b >> at) as i8));
        low((c as i32).wrapping_add(products[0] + products[1] + products[2] + products[3]) as u64)
    },
}

/// The instruction of this name and its number of sources.
pub fn find(name: &str) -> Option<(usize, Alu)> {
    TABLE.iter().find(|(known, ..)| *known == name).map(|(_, sources, alu)| (*sources, *alu))
}

fn low(x: u64) -> u64 {
    x & 0xffff_ffff
}

/// `len` modulo 256 ones, at most `width`.
fn ones(len: u64, width: u32) -> u64 {
    u64::MAX.checked_shr(64 - (len as u32 & 0xff).min(width)).unwrap_or(0)
}

/// b with the bits of a under `ones` in the place of its own from `at` modulo 256 on.
fn insert(a: u64, b: u64, at: u64, ones: u64) -> u64 {
    let shifted = |bits: u64| bits.checked_shl(at as u32 & 0xff).unwrap_or(0);
    b & !shifted(ones) | shifted(a & ones)
}

/// Each nibble of the selector names a byte of b ‖ a; its upper bit takes the sign of that byte instead, eight times.
fn permute(a: u32, b: u32, selector: u32) -> u64 {
    let from = (u64::from(b) << 32 | u64::from(a)).to_le_bytes();
    let byte = |i: usize| {
        let nibble = selector >> (4 * i) & 0xf;
        let byte = from[nibble as usize & 7];
        if nibble & 8 == 0 {
            byte
        } else {
            (byte as i8 >> 7) as u8
        }
    };
    u32::from_le_bytes([0, 1, 2, 3].map(byte)).into()
}
