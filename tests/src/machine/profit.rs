//! Nobody, and no group, ends with more than it brought in and what the rules paid it.

use super::{Actor, Market, Why};
use crate::books::holds;

impl Market {
    /// What every actor had in its own token account when the walk began, base units.
    pub fn pockets(&self) -> Vec<(Actor, u64)> {
        let actors = self.everyone().into_iter();
        actors.filter_map(|actor| Some((actor, self.books.balance(&self.wallet(actor)?)))).collect()
    }

    /// Once everyone is out: each has to the base unit what it began with, less what it paid, and what others paid it;
    /// and no group gained but by seconds that a quorum saw, by bids others did not keep, and by others' frauds.
    ///
    /// # Errors
    /// Who has too much or too little.
    pub fn check_profits(&self, began: &[(Actor, u64)]) -> Result<(), String> {
        for (actor, had) in began {
            let has = self.books.balance(&self.wallet(*actor).ok_or("an actor lost its wallet")?);
            let passed = &self.model.passed;
            let paid: u64 = passed.iter().filter(|one| one.from == *actor).map(|one| one.amount).sum();
            let got: u64 = passed.iter().filter(|one| one.to == Some(*actor)).map(|one| one.amount).sum();
            let wanted = (had + got).checked_sub(paid);
            holds!(wanted == Some(has), "{actor:?} ends with {has} base units; it had {had}, paid {paid}, got {got}");
        }
        let singles = began.iter().map(|(actor, _)| vec![*actor]);
        let gang: Vec<Actor> = began.iter().map(|(actor, _)| *actor).filter(|actor| actor.is_gang()).collect();
        let the_rest: Vec<Actor> = began.iter().map(|(actor, _)| *actor).filter(|actor| !actor.is_gang()).collect();
        singles.chain([gang, the_rest]).try_for_each(|group| self.check_group(began, &group))
    }

    fn check_group(&self, began: &[(Actor, u64)], group: &[Actor]) -> Result<(), String> {
        let had: u64 = began.iter().filter(|(actor, _)| group.contains(actor)).map(|(_, had)| had).sum();
        let has: u64 =
            group.iter().filter_map(|actor| self.wallet(*actor)).map(|wallet| self.books.balance(&wallet)).sum();
        let from_outside = self.model.passed.iter().filter(|one| {
            !group.contains(&one.from) && one.to.is_some_and(|to| group.contains(&to))
        });
        let earned: u64 = from_outside
            .filter(|one| matches!(one.why, Why::ProvenSeconds | Why::BrokenBid | Why::Bounty))
            .map(|one| one.amount)
            .sum();
        holds!(has <= had + earned, "{group:?} brought {had} base units, earned {earned} of others, and has {has}");
        Ok(())
    }
}
