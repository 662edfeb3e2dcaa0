//! Nobody, and no group, ends with more than it brought in and what the rules paid it.

use super::{Actor, Market, Why};
use crate::books::holds;

impl Market {
    /// What every actor had in its own token accounts when the walk began, base units.
    pub fn pockets(&self) -> Vec<(Actor, u64)> {
        let actors = self.everyone().into_iter();
        actors.map(|actor| (actor, self.pocket(actor))).collect()
    }

    fn pocket(&self, actor: Actor) -> u64 {
        self.wallets(actor).iter().map(|wallet| self.books.balance(wallet)).sum()
    }

    /// Once everyone is out: each has to the base unit what it began with, less what it paid, and what others paid it;
    /// and no group gained but by seconds that a quorum saw, by
    /// promises others broke, by their frauds, and by an oracle's share of the fees.
    ///
    /// # Errors
    /// Who has too much or too little.
    pub fn check_profits(&self, began: &[(Actor, u64)]) -> Result<(), String> {
        for (actor, had) in began {
            let has = self.pocket(*actor);
            let passed = &self.model.passed;
            let paid: u64 = passed.iter().filter(|one| one.from == Some(*actor)).map(|one| one.amount).sum();
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
        let has: u64 = group.iter().map(|actor| self.pocket(*actor)).sum();
        let from_outside = self.model.passed.iter().filter(|one| {
            !one.from.is_some_and(|from| group.contains(&from)) && one.to.is_some_and(|to| group.contains(&to))
        });
        let earned: u64 = from_outside
            .filter(|one| !matches!(one.why, Why::Fee | Why::Burn | Why::Deposit))
            .map(|one| one.amount)
            .sum();
        holds!(has <= had + earned, "{group:?} brought {had} base units, earned {earned} of others, and has {has}");
        Ok(())
    }
}
