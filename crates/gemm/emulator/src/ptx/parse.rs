//! The text of a PTX file, decoded once. ptxas has accepted it (`toolchain/ptx`), so types and grouping of operands are
//! right; whatever is not known here is refused.

use super::{alu, memory::SHARED_START, Result};
use std::collections::HashMap;

/// A register of a thread. Constants and special registers have slots too, filled before the thread starts.
pub type Slot = u16;

/// A PTX file.
pub struct Module {
    kernels: Vec<Kernel>,
}

/// One `.entry`.
#[derive(Default)]
pub struct Kernel {
    pub name: String,
    pub target: String,
    /// Offset and size of each parameter.
    pub params: Vec<(u32, u32)>,
    /// In a block.
    pub max_threads: u32,
    /// Bytes of static shared memory. Dynamic shared memory begins there.
    pub static_shared_bytes: u32,
    pub code: Vec<Op>,
    /// The line of the file of each instruction.
    pub lines: Vec<usize>,
    pub slots: usize,
    pub constants: Vec<(u64, Slot)>,
}

/// The special registers that are known: slots 0, 1 and 2.
pub const SPECIALS: [&str; 3] = ["%tid.x", "%ntid.x", "%ctaid.x"];

#[derive(Clone, Copy)]
pub struct Address {
    pub base: Slot,
    pub offset: i64,
}

#[derive(Clone, Copy)]
pub enum Space {
    Global,
    Shared,
}

/// An instruction.
#[derive(Clone, Copy)]
pub enum Op {
    Alu { alu: alu::Alu, to: Slot, from: [Slot; 4] },
    LoadParam { to: Slot, at: u32, words: u32 },
    Load { space: Space, words: usize, to: [Slot; 4], address: Address },
    Store { space: Space, words: usize, from: [Slot; 4], address: Address },
    AtomicAdd { to: Slot, address: Address, value: Slot },
    // When the predicate, if there is one, has the value.
    Branch { target: u32, when: Option<(Slot, bool)> },
    Barrier,
    Return,
    CopyAsync { to: Address, from: Address },
    CommitGroup,
    WaitGroup { left: usize },
    LoadMatrix { to: [Slot; 4], address: Address },
    // 8·`size` rows of A, 16·`size` along k, 8 columns of B.
    Multiply { size: usize, d: [Slot; 4], a: [Slot; 4], b: [Slot; 2], c: [Slot; 4] },
}

impl Module {
    /// Reads a whole file.
    pub fn parse(text: &str) -> Result<Self> {
        let mut module = Self { kernels: vec![] };
        let mut parser: Option<Parser> = None;
        let mut target = String::new();
        let mut dynamic_shared = String::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default().trim();
            let mut read = || -> Result<()> {
                if let Some(open) = &mut parser {
                    if line == "}" {
                        module.kernels.push(parser.take().expect("it is open").finish()?);
                        return Ok(());
                    }
                    return open.line(line, number + 1);
                }
                match line.split_whitespace().collect::<Vec<_>>()[..] {
                    [] | [".version", _] | [".address_size", "64"] => {}
                    [".target", name] => target = name.into(),
                    // Tables and constants, which the compiler has folded: their names are known to no instruction.
                    [".global", ".align", ..] => {}
                    [".extern", ".shared", ".align", "128", ".b8", name] => {
                        dynamic_shared = name.trim_end_matches("[];").into();
                    }
                    [".visible", ".entry", name] => {
                        parser = Some(Parser::new(name.trim_end_matches('('), &target, &dynamic_shared));
                    }
                    _ => return Err(format!("unknown: {line}")),
                }
                Ok(())
            };
            read().map_err(|what| format!("line {}: {what}", number + 1))?;
        }
        match parser {
            None => Ok(module),
            Some(open) => Err(format!("{} does not end", open.kernel.name)),
        }
    }

    /// The kernel of this name.
    pub fn kernel(&self, name: &str) -> Result<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.name == name).ok_or_else(|| format!("no kernel {name}"))
    }
}

#[derive(Default)]
struct Parser {
    kernel: Kernel,
    /// Name of the dynamic shared memory.
    dynamic_shared: String,
    params: HashMap<String, usize>,
    shared: HashMap<String, u64>,
    /// Prefix of a name, first slot, number.
    registers: Vec<(String, usize, usize)>,
    constants: HashMap<u64, Slot>,
    labels: HashMap<String, u32>,
    /// Branches before their labels are known.
    branches: Vec<(usize, String)>,
}

impl Parser {
    fn new(name: &str, target: &str, dynamic_shared: &str) -> Self {
        let slots = SPECIALS.len();
        let kernel = Kernel { name: name.into(), target: target.into(), max_threads: 1024, slots, ..Kernel::default() };
        Self { kernel, dynamic_shared: dynamic_shared.into(), ..Self::default() }
    }

    fn finish(mut self) -> Result<Kernel> {
        for (at, label) in &self.branches {
            let found = *self.labels.get(label).ok_or_else(|| format!("no label {label}"))?;
            if let Op::Branch { target, .. } = &mut self.kernel.code[*at] {
                *target = found;
            }
        }
        if !matches!(self.kernel.code.last(), Some(Op::Return | Op::Branch { when: None, .. })) {
            return Err(format!("{} runs beyond its end", self.kernel.name));
        }
        self.kernel.constants = self.constants.into_iter().collect();
        Ok(self.kernel)
    }

    fn line(&mut self, line: &str, number: usize) -> Result<()> {
        match line.trim_end_matches([';', ',']).split_whitespace().collect::<Vec<_>>()[..] {
            [] | ["{" | ")"] | [".pragma", "\"nounroll\""] => {}
            [".maxntid", threads, "1,", "1"] => self.kernel.max_threads = number_of(threads.trim_end_matches(','))?,
            [".param", ".align", align, ".b8", name] => {
                let (name, len) = name.trim_end_matches(']').split_once('[').ok_or("a parameter without size")?;
                self.param(name, number_of(len)?, number_of(align)?);
            }
            [".param", ".u32", name] => self.param(name, 4, 4),
            [".param", ".u64", name] => self.param(name, 8, 8),
            [".reg", ".pred" | ".b32" | ".b64", names] => {
                let (prefix, count) = names.trim_end_matches('>').split_once('<').ok_or("registers without number")?;
                let count = number_of::<usize>(count)?;
                self.registers.push((prefix.into(), self.kernel.slots, count));
                self.kernel.slots += count;
            }
            [".shared", ".align", "4", ".u32", name] if self.kernel.code.is_empty() => {
                self.shared.insert(name.into(), SHARED_START + u64::from(self.kernel.static_shared_bytes));
                self.kernel.static_shared_bytes += 4;
            }
            [label] if label.ends_with(':') => {
                self.labels.insert(label.trim_end_matches(':').into(), self.kernel.code.len() as u32);
            }
            [first, ..] if first.starts_with('.') => return Err(format!("unknown: {line}")),
            [guard, name, target] if guard.starts_with('@') && name == "bra" => {
                let predicate = guard.trim_start_matches(['@', '!']);
                let when = Some((self.slot(predicate)?, !guard.starts_with("@!")));
                self.branch(target, when, number);
            }
            ["bra" | "bra.uni", target] => self.branch(target, None, number),
            [name, ref operands @ ..] => {
                let operands = operands.concat().replace(['{', '}'], "");
                let operands = operands.split(',').filter(|operand| !operand.is_empty()).collect::<Vec<_>>();
                let op = self.op(name, &operands)?.ok_or_else(|| format!("unknown instruction: {line}"))?;
                self.push(op, number);
            }
        }
        Ok(())
    }

    fn param(&mut self, name: &str, size: u32, align: u32) {
        let end = self.kernel.params.last().map_or(0, |(at, size)| at + size);
        self.params.insert(name.into(), self.kernel.params.len());
        self.kernel.params.push((end.next_multiple_of(align), size));
    }

    fn push(&mut self, op: Op, line: usize) {
        self.kernel.code.push(op);
        self.kernel.lines.push(line);
    }

    fn branch(&mut self, label: &str, when: Option<(Slot, bool)>, line: usize) {
        self.branches.push((self.kernel.code.len(), label.into()));
        self.push(Op::Branch { target: 0, when }, line);
    }

    /// None: not an instruction that is known, or not with as many operands.
    fn op(&mut self, name: &str, operands: &[&str]) -> Result<Option<Op>> {
        if let Some((sources, alu)) = alu::find(name) {
            let [to, from @ ..] = operands else { return Ok(None) };
            if from.len() != sources {
                return Ok(None);
            }
            return Ok(Some(Op::Alu { alu, to: self.slot(to)?, from: self.slots(from)? }));
        }
        if let Some((kind, space, words)) = access(name) {
            return Ok(match operands {
                [to @ .., at] if kind == "ld" && to.len() == words => {
                    Some(Op::Load { space, words, to: self.slots(to)?, address: self.address(at)? })
                }
                [at, from @ ..] if kind == "st" && from.len() == words => {
                    Some(Op::Store { space, words, from: self.slots(from)?, address: self.address(at)? })
                }
                _ => None,
            });
        }
        let op = match (name, operands) {
            ("ld.param.u32", [to, at]) => self.load_param(to, at, 1)?,
            ("ld.param.u64", [to, at]) => self.load_param(to, at, 2)?,
            ("atom.shared.add.u32", [to, at, value]) => {
                Op::AtomicAdd { to: self.slot(to)?, address: self.address(at)?, value: self.slot(value)? }
            }
            ("bar.sync", ["0"]) => Op::Barrier,
            ("ret", []) => Op::Return,
            ("cp.async.cg.shared.global", [to, from, "16"]) => {
                Op::CopyAsync { to: self.address(to)?, from: self.address(from)? }
            }
            ("cp.async.commit_group", []) => Op::CommitGroup,
            ("cp.async.wait_group", [left]) => Op::WaitGroup { left: number_of(left)? },
            ("ldmatrix.sync.aligned.m8n8.x4.shared.b16", [to @ .., at]) if to.len() == 4 => {
                Op::LoadMatrix { to: self.slots(to)?, address: self.address(at)? }
            }
            ("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32", [d0, d1, a, b, c0, c1]) => Op::Multiply {
                size: 1,
                d: self.slots(&[d0, d1])?,
                a: self.slots(&[a])?,
                b: [self.slot(b)?; 2],
                c: self.slots(&[c0, c1])?,
            },
            ("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", o) if o.len() == 14 => Op::Multiply {
                size: 2,
                d: self.slots(&o[..4])?,
                a: self.slots(&o[4..8])?,
                b: [self.slot(o[8])?, self.slot(o[9])?],
                c: self.slots(&o[10..])?,
            },
            _ => return Ok(None),
        };
        Ok(Some(op))
    }

    fn load_param(&mut self, to: &str, at: &str, words: u32) -> Result<Op> {
        let (name, offset) = split_address(at)?;
        let index = *self.params.get(name).ok_or_else(|| format!("no parameter {name}"))?;
        let (start, size) = self.kernel.params[index];
        match u32::try_from(offset) {
            Ok(offset) if offset.is_multiple_of(4 * words) && offset + 4 * words <= size => {
                Ok(Op::LoadParam { to: self.slot(to)?, at: start + offset, words })
            }
            _ => Err(format!("{} bytes at {offset} of a parameter of {size}", 4 * words)),
        }
    }

    fn address(&mut self, text: &str) -> Result<Address> {
        let (base, offset) = split_address(text)?;
        Ok(Address { base: self.slot(base)?, offset })
    }

    /// Up to four slots; the ones left over are never used.
    fn slots(&mut self, operands: &[&str]) -> Result<[Slot; 4]> {
        let mut slots = [0; 4];
        for (slot, operand) in slots.iter_mut().zip(operands) {
            *slot = self.slot(operand)?;
        }
        Ok(slots)
    }

    /// The slot of a register, of a constant, or of the address of something in shared memory.
    fn slot(&mut self, operand: &str) -> Result<Slot> {
        if let Some(special) = SPECIALS.iter().position(|name| *name == operand) {
            return Ok(special as Slot);
        }
        if operand.starts_with('%') {
            let digits = operand.find(|c: char| c.is_ascii_digit()).ok_or_else(|| format!("unknown: {operand}"))?;
            let (prefix, index) = operand.split_at(digits);
            let index = number_of::<usize>(index)?;
            let found = self.registers.iter().find(|(name, _, count)| name == prefix && index < *count);
            let (_, first, _) = found.ok_or_else(|| format!("no register {operand}"))?;
            return Slot::try_from(first + index).map_err(|_| "too many registers".into());
        }
        let value = match self.shared.get(operand) {
            Some(address) => *address,
            None if self.dynamic_shared == operand => SHARED_START + u64::from(self.kernel.dynamic_shared_start()),
            None => number_of::<i64>(operand)? as u64,
        };
        if let Some(slot) = self.constants.get(&value) {
            return Ok(*slot);
        }
        let slot = Slot::try_from(self.kernel.slots).map_err(|_| "too many registers")?;
        self.kernel.slots += 1;
        self.constants.insert(value, slot);
        Ok(slot)
    }
}

impl Kernel {
    /// Where dynamic shared memory begins, aligned as our kernels ask for.
    pub fn dynamic_shared_start(&self) -> u32 {
        self.static_shared_bytes.next_multiple_of(128)
    }
}

/// Of a load or store its kind, space and number of words.
fn access(name: &str) -> Option<(&str, Space, usize)> {
    let (kind, rest) = name.split_once('.').filter(|(kind, _)| ["ld", "st"].contains(kind))?;
    let (space, width) = rest.split_once('.')?;
    let space = match space {
        "global" => Space::Global,
        "shared" => Space::Shared,
        _ => return None,
    };
    match width {
        "u32" => Some((kind, space, 1)),
        "v2.u32" => Some((kind, space, 2)),
        "v4.u32" => Some((kind, space, 4)),
        _ => None,
    }
}

/// `[base+offset]` or `[base]`.
fn split_address(text: &str) -> Result<(&str, i64)> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inner = inner.ok_or_else(|| format!("not an address: {text}"))?;
    match inner.split_once('+') {
        Some((base, offset)) => Ok((base, number_of(offset)?)),
        None => Ok((inner, 0)),
    }
}

fn number_of<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| format!("unknown: {text}"))
}
