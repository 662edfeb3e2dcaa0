//! Global and shared memory, in words of four bytes: our kernels access nothing smaller.

use super::Result;

/// The memory of the card: allocations far apart.
#[derive(Default)]
pub struct Global {
    buffers: Vec<Buffer>,
    /// The launch under way, or the last one.
    launch: u32,
}

struct Buffer {
    start: u64,
    words: Vec<u32>,
    /// One more than the launch in which each word was written; 0: never.
    written: Vec<u32>,
}

/// Bits of an address within an allocation's reach.
const REACH_BITS: u32 = 40;
/// Allocations begin this far below a multiple of their reach, so that an address whose upper half was lost, or that
/// misses a carry into it, is in none of them.
const BELOW: u64 = 4096;

impl Global {
    /// `len` bytes, never written.
    pub fn alloc(&mut self, len: usize) -> u64 {
        self.alloc_part(0, len)
    }

    /// A pointer to an allocation of which only `len` bytes from `first` on are there to be used.
    pub fn alloc_part(&mut self, first: u64, len: usize) -> u64 {
        assert!(len.is_multiple_of(4) && first.is_multiple_of(4));
        let pointer = ((self.buffers.len() as u64 + 1) << REACH_BITS) - BELOW;
        let words = len / 4;
        self.buffers.push(Buffer { start: pointer + first, words: vec![0; words], written: vec![0; words] });
        pointer
    }

    /// An allocation that holds `bytes`.
    pub fn upload(&mut self, bytes: &[u8]) -> u64 {
        let pointer = self.alloc(bytes.len());
        self.write(pointer, bytes);
        pointer
    }

    /// Writes from the host, between launches.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        let written = self.launch + 1;
        let (buffer, at) = self.find(address, bytes.len()).unwrap();
        for (i, word) in bytes.as_chunks().0.iter().enumerate() {
            buffer.words[at + i] = u32::from_le_bytes(*word);
            buffer.written[at + i] = written;
        }
    }

    /// What the last launch wrote, which has to be all of it.
    pub fn download(&mut self, address: u64, len: usize) -> Result<Vec<u8>> {
        let written = self.launch + 1;
        let (buffer, at) = self.find(address, len)?;
        match buffer.written[at..at + len / 4].iter().position(|by| *by != written) {
            None => Ok(buffer.words[at..at + len / 4].iter().flat_map(|word| word.to_le_bytes()).collect()),
            Some(word) => Err(format!("the kernel left the word at byte {} as it was", 4 * word)),
        }
    }

    /// What is there, for the host, which must not read what was never written.
    pub fn read(&mut self, address: u64, len: usize) -> Result<Vec<u8>> {
        let (buffer, at) = self.find(address, len)?;
        match buffer.written[at..at + len / 4].iter().position(|by| *by == 0) {
            None => Ok(buffer.words[at..at + len / 4].iter().flat_map(|word| word.to_le_bytes()).collect()),
            Some(word) => Err(format!("the word {} bytes behind {address:#x} is read and was never written", 4 * word)),
        }
    }

    pub(super) fn begin_launch(&mut self) {
        self.launch += 1;
    }

    pub(super) fn load(&mut self, address: u64, out: &mut [u32]) -> Result<()> {
        let launch = self.launch;
        let (buffer, at) = self.find_aligned(address, out.len())?;
        for (i, out) in out.iter_mut().enumerate() {
            match buffer.written[at + i] {
                0 => return Err(format!("global memory at {address:#x} is read and was never written")),
                written if written > launch => {
                    return Err(format!("global memory at {address:#x} is read in the launch that writes it"));
                }
                _ => *out = buffer.words[at + i],
            }
        }
        Ok(())
    }

    pub(super) fn store(&mut self, address: u64, words: &[u32]) -> Result<()> {
        let written = self.launch + 1;
        let (buffer, at) = self.find_aligned(address, words.len())?;
        for (i, word) in words.iter().enumerate() {
            if std::mem::replace(&mut buffer.written[at + i], written) == written {
                return Err(format!("global memory at {address:#x} is written twice in one launch"));
            }
            buffer.words[at + i] = *word;
        }
        Ok(())
    }

    fn find_aligned(&mut self, address: u64, words: usize) -> Result<(&mut Buffer, usize)> {
        check_alignment(address, words)?;
        self.find(address, 4 * words)
    }

    /// The allocation that holds these bytes, and the word with which they begin.
    fn find(&mut self, address: u64, len: usize) -> Result<(&mut Buffer, usize)> {
        let index = (address.wrapping_add(BELOW) >> REACH_BITS).wrapping_sub(1) as usize;
        let Some(buffer) = self.buffers.get_mut(index) else {
            return Err(format!("{address:#x} is in no allocation of global memory"));
        };
        let at = address.wrapping_sub(buffer.start);
        match at.checked_add(len as u64).is_some_and(|end| end <= 4 * buffer.words.len() as u64) {
            true => Ok((buffer, at as usize / 4)),
            false => Err(format!(
                "{len} bytes at {address:#x}: byte {} of an allocation of {}",
                at as i64,
                4 * buffer.words.len()
            )),
        }
    }
}

fn check_alignment(address: u64, words: usize) -> Result<()> {
    match address.is_multiple_of(4 * words as u64) {
        true => Ok(()),
        false => Err(format!("{} bytes at {address:#x}, which is not a multiple of that", 4 * words)),
    }
}

/// Where shared memory begins: an address of 0 is in none.
pub const SHARED_START: u64 = 1024;

/// The shared memory of one block. Between two barriers, a word that one thread writes must not be touched by another.
pub struct Shared {
    words: Vec<Word>,
    /// Barriers passed, plus one.
    interval: u32,
}

#[derive(Clone, Copy, Default)]
struct Word {
    /// None: never written.
    value: Option<u32>,
    /// An asynchronous copy to here was issued and may land at any time.
    in_flight: bool,
    /// By whom it was last touched in each way of [`Access`].
    touched: [Touch; 3],
}

/// A thread and the interval between barriers.
#[derive(Clone, Copy, Default, PartialEq)]
struct Touch {
    interval: u32,
    thread: u32,
}

/// In place of a thread: more than one.
const SEVERAL: u32 = u32::MAX;

#[derive(Clone, Copy)]
pub enum Access {
    Read,
    Write,
    Atomic,
}

impl Shared {
    pub fn new(len: u32) -> Self {
        Self { words: vec![Word::default(); len as usize / 4], interval: 1 }
    }

    pub fn barrier(&mut self) {
        self.interval += 1;
    }

    pub fn load(&mut self, address: u64, thread: usize, out: &mut [u32]) -> Result<()> {
        for (word, out) in self.access(Access::Read, address, out.len(), thread)?.iter().zip(out) {
            *out = word.value.ok_or_else(|| format!("shared memory at {address:#x} is read and was never written"))?;
        }
        Ok(())
    }

    pub fn store(&mut self, address: u64, thread: usize, values: &[u32]) -> Result<()> {
        for (word, value) in self.access(Access::Write, address, values.len(), thread)?.iter_mut().zip(values) {
            word.value = Some(*value);
        }
        Ok(())
    }

    /// Adds and gives what was there before.
    pub fn atomic_add(&mut self, address: u64, thread: usize, value: u32) -> Result<u32> {
        let word = &mut self.access(Access::Atomic, address, 1, thread)?[0];
        let before =
            word.value.ok_or_else(|| format!("shared memory at {address:#x} is added to and was never written"))?;
        word.value = Some(before.wrapping_add(value));
        Ok(before)
    }

    pub fn begin_copy(&mut self, address: u64, thread: usize, words: usize) -> Result<()> {
        let words = self.access(Access::Write, address, words, thread)?;
        words.iter_mut().for_each(|word| word.in_flight = true);
        Ok(())
    }

    pub fn land_copy(&mut self, address: u64, thread: usize, values: &[u32]) -> Result<()> {
        let first = (address - SHARED_START) as usize / 4;
        self.words[first..first + values.len()].iter_mut().for_each(|word| word.in_flight = false);
        self.store(address, thread, values)
    }

    fn access(&mut self, access: Access, address: u64, words: usize, thread: usize) -> Result<&mut [Word]> {
        check_alignment(address, words)?;
        let first = address.wrapping_sub(SHARED_START) as usize / 4;
        let len = 4 * self.words.len();
        let Some(found) = first.checked_add(words).and_then(|end| self.words.get_mut(first..end)) else {
            return Err(format!("{} bytes at {address:#x}: outside {len} bytes of shared memory", 4 * words));
        };
        let by = Touch { interval: self.interval, thread: thread as u32 };
        for word in found.iter_mut() {
            word.touch(access, by).map_err(|what| format!("shared memory at {address:#x} {what}"))?;
        }
        Ok(found)
    }
}

impl Word {
    #[inline]
    fn touch(&mut self, access: Access, by: Touch) -> Result<()> {
        if self.in_flight {
            return Err("is the target of a copy for which nobody has waited".into());
        }
        let excluded: &[_] = match access {
            Access::Read => &[Access::Write, Access::Atomic],
            Access::Write => &[Access::Read, Access::Write, Access::Atomic],
            Access::Atomic => &[Access::Read, Access::Write],
        };
        for other in excluded {
            let touch = self.touched[*other as usize];
            if touch.interval == by.interval && touch.thread != by.thread {
                let done = ["read", "written", "added to"][*other as usize];
                return Err(format!("was {done} by another thread, without a barrier since"));
            }
        }
        let touch = &mut self.touched[access as usize];
        let thread = if touch.interval == by.interval && touch.thread != by.thread { SEVERAL } else { by.thread };
        *touch = Touch { thread, ..by };
        Ok(())
    }
}
