//! Fraud cases: who may be accused and how, what proves it, what it costs, and when it is over.

mod accuse;
mod books;
mod close;
mod double;
mod escape;
mod execute;
mod oracle;
mod positions;
mod prove;
mod provers;
mod reach;
mod size;
