//! Whether a planted fault is let loose. Part of the twin only: toolchain/build-twin copies it into a copy of the sources.

/// Marks the image, and ends with the number of the fault let loose: a test writes it before loading.
#[used]
static MARKER: [u8; 56] = *b"MILLRACE TWIN WITH PLANTED FAULTS, NEVER DEPLOY: fault=\x00";

/// Whether fault `number` is let loose.
pub fn planted(number: u8) -> bool {
    // Volatile: the compiler must not take the number in the source for the one in the image.
    let selected = unsafe { core::ptr::read_volatile(MARKER.as_ptr().add(MARKER.len() - 1)) };
    selected == number
}
