//! CUDA without a GPU, for tests: [`ptx`] runs kernels, and as a shared library this crate is a driver that has them run.

mod driver;
pub mod ptx;
