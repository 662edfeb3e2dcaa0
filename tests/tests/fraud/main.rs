//! Fraud cases: who may be accused and how, what proves it, what it costs, and when it is over.

mod accuse;
mod books;
mod close;
mod execute;
mod prove;
mod provers;
mod size;
