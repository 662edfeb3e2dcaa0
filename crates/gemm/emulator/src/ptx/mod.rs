//! A machine that runs PTX: the text of the kernels as it is embedded, on a model of a GPU that is as unkind as the rules
//! allow. It knows the instructions that our kernels use, as NVIDIA's "PTX ISA" defines them, and refuses all others by
//! name. What a real card would do wrong now and then, it reports always: races, copies nobody waited for, reads of
//! memory never written, accesses outside an allocation.

mod alu;
mod machine;
mod memory;
mod parse;
#[cfg(test)]
mod tests;

pub use machine::{launch, Arg};
pub use memory::Global;
pub use parse::Module;

/// What the text or a kernel did wrong, and where.
pub type Result<T> = std::result::Result<T, String>;
