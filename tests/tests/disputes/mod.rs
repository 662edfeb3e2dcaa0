//! Disputes: who may open and judge one, when, what moves, and what never does.

mod judging;
mod opening;
mod rulings;
mod settling;
