//! A market under the machine: the world, what its accounts say, and what the model says they should.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use millrace_core::money::MILL;

use super::reports::Draft;
use super::{moves, Dice, Model, Plan, Seen, BURNT};
use crate::fraud::SparseRun;
use crate::keys::{customer_key, oracle_key, provider_key};
use crate::{key, pda, Books, Buyer, Genesis, Instruction, Keypair, Pubkey};
use crate::{Seller, Signer, TokenStandard, Voter, World};

/// Sellers; the last is one of the gang.
pub const SELLERS: usize = 4;
/// Buyers; the last is one of the gang.
pub const BUYERS: usize = 3;
/// Watchers; the last is one of the gang.
pub const WATCHERS: usize = 2;
/// Token holders; the last is one of the gang.
pub const VOTERS: usize = 3;
/// Weights of the oracles' seats. Three fifths of the whole is exactly the quorum's bound and not a quorum; the last
/// two are of the gang.
pub const WEIGHTS: [u64; 5] = [3, 3, 2, 1, 1];
/// Seats of the gang: a minority.
pub const GANG_SEATS: usize = 2;
/// Who holds no seat at first.
pub const CANDIDATES: usize = 2;
/// Accepted transactions kept to be sent again.
const REPLAYS: usize = 64;

/// Somebody with a will of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A provider.
    Seller(usize),
    /// A customer.
    Buyer(usize),
    /// One who proves frauds.
    Watcher(usize),
    /// Holder of a seat, or who may be given one.
    Oracle(usize),
    /// Token holder.
    Voter(usize),
}

impl Actor {
    /// Whether it belongs to the one group that works together against all others.
    pub fn is_gang(self) -> bool {
        match self {
            Self::Seller(nth) => nth == SELLERS - 1,
            Self::Buyer(nth) => nth == BUYERS - 1,
            Self::Watcher(nth) => nth == WATCHERS - 1,
            Self::Oracle(nth) => (WEIGHTS.len() - GANG_SEATS..WEIGHTS.len()).contains(&nth),
            Self::Voter(nth) => nth == VOTERS - 1,
        }
    }
}

/// One who proves frauds.
#[derive(Debug)]
pub struct Watcher {
    /// Its key.
    pub authority: Keypair,
    /// Its token account, for bounties.
    pub tokens: Pubkey,
}

/// Holder of a seat, or who may be given one.
#[derive(Debug)]
pub struct Measurer {
    /// Its key.
    pub key: Keypair,
    /// Its account, open or not.
    pub oracle: Pubkey,
    /// Its token account.
    pub tokens: Pubkey,
}

/// A cold key of a seller, and its tokens.
#[derive(Debug)]
pub struct ColdKey {
    /// The key.
    pub key: Keypair,
    /// Its token account.
    pub tokens: Pubkey,
}

/// An accepted transaction, to be sent again.
#[derive(Clone)]
pub struct Replay {
    pub(super) name: &'static str,
    pub(super) instructions: Vec<Instruction>,
    pub(super) signers: Vec<Rc<Keypair>>,
}

/// How a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted, and all that the model expects came true.
    Accepted,
    /// Refused: nothing changed.
    Refused,
}

/// A market under the machine.
pub struct Market {
    /// The machine.
    pub world: World,
    /// What the accounts say.
    pub books: Books,
    /// What they should.
    pub model: Model,
    /// Providers, registered or not.
    pub sellers: Vec<Rc<Seller>>,
    /// Customers, open or not.
    pub buyers: Vec<Rc<Buyer>>,
    /// Watchers.
    pub watchers: Vec<Rc<Watcher>>,
    /// Token holders.
    pub voters: Vec<Rc<Voter>>,
    /// Oracles, seated or not; those of genesis first, in the order of their seats.
    pub measurers: Vec<Rc<Measurer>>,
    /// The cold keys each seller may have; it registers with the first.
    pub cold_keys: Rc<Vec<[ColdKey; 2]>>,
    /// Every key there is.
    pub keys: Rc<BTreeMap<Pubkey, Keypair>>,
    pub(super) actors: Rc<BTreeMap<Pubkey, Actor>>,
    /// Who has fallen silent for good.
    pub silent: BTreeSet<Actor>,
    /// What oracles put forward, by epoch; the gang's own apart.
    pub drafts: BTreeMap<(u64, bool), Rc<Draft>>,
    /// What stands behind each case opened.
    pub runs: BTreeMap<Pubkey, Rc<SparseRun>>,
    /// Accepted transactions that must not be accepted again.
    pub replays: VecDeque<Replay>,
    /// Why the last refused transaction was.
    pub refusal: String,
}

impl Market {
    /// A market in business: sellers with verified nodes, buyers with money.
    ///
    /// # Errors
    /// What the model finds wrong with the way there.
    pub fn open(dice: &mut Dice, program: Option<Rc<[u8]>>) -> Result<Self, String> {
        let standard = if dice.once_in(2) { TokenStandard::Token } else { TokenStandard::Token2022 };
        let genesis = Genesis { standard, weights: WEIGHTS.to_vec(), program, ..Genesis::default() };
        let mut market = Self::before_business(World::at(genesis));
        for nth in 0..SELLERS {
            market.must(moves::providers::register_provider(&market, nth))?;
            market.must(moves::providers::stake(&market, nth, 700 * MILL))?;
            for _ in 0..2 {
                market.must(moves::nodes::register_node(&market, nth, 10_000))?;
            }
        }
        for nth in 0..BUYERS {
            market.must(moves::customers::open_customer(&market, nth))?;
            market.must(moves::customers::deposit(&market, nth, 60 * MILL))?;
        }
        moves::oracles::verify_all(&mut market)?;
        Ok(market)
    }

    fn before_business(mut world: World) -> Self {
        let mut keys: BTreeMap<Pubkey, Keypair> = BTreeMap::new();
        let mut actors = BTreeMap::new();
        let mut know = |actor: Actor, key: &Keypair| {
            keys.insert(key.pubkey(), key.insecure_clone());
            actors.insert(key.pubkey(), actor);
        };
        let mut sellers = vec![];
        let mut cold_keys = vec![];
        for nth in 0..SELLERS {
            let seller = unregistered(&mut world, &format!("seller {nth}"));
            let spare = world.stranger(&format!("seller {nth} spare"));
            let tokens = world.put_tokens(&format!("seller {nth} spare tokens"), &spare.pubkey(), 1_000 * MILL);
            know(Actor::Seller(nth), &seller.authority);
            know(Actor::Seller(nth), &spare);
            let first = ColdKey { key: seller.authority.insecure_clone(), tokens: seller.tokens };
            cold_keys.push([first, ColdKey { key: spare, tokens }]);
            for operator in operators(nth) {
                world.fund(&operator.pubkey());
                know(Actor::Seller(nth), &operator);
            }
            sellers.push(Rc::new(seller));
        }
        let mut buyers = vec![];
        for nth in 0..BUYERS {
            let authority = customer_key(&format!("buyer {nth}"));
            world.fund(&authority.pubkey());
            let tokens = world.put_tokens(&format!("buyer {nth} tokens"), &authority.pubkey(), 2_000 * MILL);
            know(Actor::Buyer(nth), &authority);
            let customer = pda::customer(&authority.pubkey());
            buyers.push(Rc::new(Buyer { authority, customer, vault: pda::vault(&customer), tokens }));
        }
        let mut watchers = vec![];
        for nth in 0..WATCHERS {
            let authority = world.stranger(&format!("watcher {nth}"));
            let tokens = world.put_tokens(&format!("watcher {nth} tokens"), &authority.pubkey(), 0);
            know(Actor::Watcher(nth), &authority);
            watchers.push(Rc::new(Watcher { authority, tokens }));
        }
        let mut voters = vec![];
        for nth in 0..VOTERS {
            // Each may be a tenth of all there is, and more.
            let voter = world.holder(&format!("voter {nth}"), 250_000_000 * MILL);
            know(Actor::Voter(nth), &voter.key);
            voters.push(Rc::new(voter));
        }
        let mut measurers = vec![];
        let candidates = (0..CANDIDATES).map(|nth| oracle_key(&format!("candidate {nth}")));
        let seated: Vec<Keypair> = world.oracles.iter().map(Keypair::insecure_clone).collect();
        for (nth, key) in seated.into_iter().chain(candidates).enumerate() {
            world.fund(&key.pubkey());
            know(Actor::Oracle(nth), &key);
            let tokens = world.put_tokens(&format!("oracle {nth} tokens"), &key.pubkey(), 1_000 * MILL);
            measurers.push(Rc::new(Measurer { oracle: pda::oracle(&key.pubkey()), key, tokens }));
        }
        let books = Books::of(&world);
        let mut model = Model::new(&world);
        for (seat, weight) in WEIGHTS.iter().enumerate() {
            let key = measurers[seat].oracle;
            model.seat(key, Actor::Oracle(seat), (books.oracles[&key].vault, 0), *weight);
        }
        Self {
            world,
            books,
            model,
            sellers,
            buyers,
            watchers,
            voters,
            measurers,
            cold_keys: Rc::new(cold_keys),
            keys: Rc::new(keys),
            actors: Rc::new(actors),
            silent: BTreeSet::new(),
            drafts: BTreeMap::new(),
            runs: BTreeMap::new(),
            replays: VecDeque::new(),
            refusal: String::new(),
        }
    }

    /// A copy that goes its own way from here.
    pub fn fork(&self) -> Self {
        Self {
            world: self.world.copy(),
            books: self.books.clone(),
            model: self.model.clone(),
            sellers: self.sellers.clone(),
            buyers: self.buyers.clone(),
            watchers: self.watchers.clone(),
            voters: self.voters.clone(),
            measurers: self.measurers.clone(),
            cold_keys: self.cold_keys.clone(),
            keys: self.keys.clone(),
            actors: self.actors.clone(),
            silent: self.silent.clone(),
            drafts: self.drafts.clone(),
            runs: self.runs.clone(),
            replays: self.replays.clone(),
            refusal: String::new(),
        }
    }

    /// Everyone with a will, in order.
    pub fn everyone(&self) -> Vec<Actor> {
        let mut all: Vec<Actor> = self.actors.values().copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whose key this is.
    pub fn holder(&self, key: &Pubkey) -> Option<Actor> {
        self.actors.get(key).copied()
    }

    /// Any key whose holder still speaks.
    pub fn anyone(&self, dice: &mut Dice) -> Keypair {
        let speaking: Vec<&Keypair> =
            self.keys.iter().filter(|(key, _)| self.speaks(key)).map(|(_, keypair)| keypair).collect();
        dice.pick(&speaking).unwrap_or(&self.world.deployer).insecure_clone()
    }

    /// The key of this address, if somebody here holds it.
    pub fn key_of(&self, address: &Pubkey) -> Option<Keypair> {
        let deployer = Some(&self.world.deployer).filter(|deployer| deployer.pubkey() == *address);
        self.keys.get(address).or(deployer).map(Keypair::insecure_clone)
    }

    /// Whether the holder of `key` still does anything.
    pub fn speaks(&self, key: &Pubkey) -> bool {
        self.holder(key).is_none_or(|actor| !self.silent.contains(&actor))
    }

    /// Whose token account this is.
    pub fn owner_of(&self, tokens: &Pubkey) -> Option<Actor> {
        self.everyone().into_iter().find(|actor| self.wallets(*actor).contains(tokens))
    }

    /// All token accounts of an actor.
    pub fn wallets(&self, actor: Actor) -> Vec<Pubkey> {
        match actor {
            Actor::Seller(nth) => self.cold_keys[nth].iter().map(|cold| cold.tokens).collect(),
            _ => vec![self.wallet(actor)],
        }
    }

    /// The token account an actor uses now.
    pub fn wallet(&self, actor: Actor) -> Pubkey {
        match actor {
            Actor::Seller(nth) => self.sellers[nth].tokens,
            Actor::Buyer(nth) => self.buyers[nth].tokens,
            Actor::Watcher(nth) => self.watchers[nth].tokens,
            Actor::Oracle(nth) => self.measurers[nth].tokens,
            Actor::Voter(nth) => self.voters[nth].tokens,
        }
    }

    /// Sends what must be accepted.
    ///
    /// # Errors
    /// Why it was not, or what does not follow.
    pub fn must(&mut self, plan: Plan) -> Result<(), String> {
        let name = plan.name();
        match self.perform(plan)? {
            Outcome::Accepted => Ok(()),
            Outcome::Refused => Err(format!("{name} was refused, which had to be accepted: {}", self.refusal)),
        }
    }

    /// Sends `plan` and holds what follows against the model and the invariants.
    ///
    /// # Errors
    /// What was accepted that must not be, or does not follow that must.
    pub fn perform(&mut self, plan: Plan) -> Result<Outcome, String> {
        if plan.instructions.is_empty() {
            return Ok(Outcome::Accepted);
        }
        let name = plan.name();
        let signers: Vec<&Keypair> = plan.signers.iter().collect();
        let receipt = match self.world.send(&plan.instructions, &signers) {
            Ok(receipt) => receipt,
            Err(refusal) => {
                self.refusal = refusal.name();
                return Ok(Outcome::Refused);
            }
        };
        if let Some(why) = plan.must_fail {
            return Err(format!("{name} was accepted although {why}"));
        }
        let touched = plan.accounts();
        let before = self.books.clone();
        self.books.refresh(&self.world, &touched);
        let seen = Seen { now: self.world.now(), before: &before, after: &self.books, receipt: &receipt };
        let flows = (plan.effect)(&mut self.model, &seen).map_err(|broken| format!("{name}: {broken}"))?;
        self.check_flows(&before, &flows).map_err(|broken| format!("{name}: {broken}"))?;
        self.check().map_err(|broken| format!("after {name}: {broken}"))?;
        if plan.is_once {
            let signers = plan.signers.into_iter().map(Rc::new).collect();
            self.replays.push_back(Replay { name, instructions: plan.instructions, signers });
            if self.replays.len() > REPLAYS {
                self.replays.pop_front();
            }
        }
        self.follow_keys();
        Ok(Outcome::Accepted)
    }

    /// Invariants, and model against accounts.
    ///
    /// # Errors
    /// What is broken.
    pub fn check(&self) -> Result<(), String> {
        self.books.check(&self.world)?;
        self.model.compare(&self.books)?;
        let gone = self.world.config().genesis_supply - self.world.supply();
        if gone != self.model.burned {
            return Err(format!("{gone} base units are burned, {} should be", self.model.burned));
        }
        Ok(())
    }

    fn check_flows(&mut self, before: &Books, flows: &[(Pubkey, i128)]) -> Result<(), String> {
        let mut wanted: BTreeMap<Pubkey, i128> = BTreeMap::new();
        for (account, amount) in flows {
            *wanted.entry(*account).or_default() += amount;
        }
        self.model.burned += u64::try_from(wanted.remove(&BURNT).unwrap_or(0)).expect("burns are not negative");
        let accounts: BTreeSet<&Pubkey> = before.tokens.keys().chain(self.books.tokens.keys()).collect();
        for account in accounts {
            let gained = i128::from(self.books.balance(account)) - i128::from(before.balance(account));
            let due = wanted.remove(account).unwrap_or(0);
            if gained != due {
                return Err(format!("the token account {account} gained {gained} base units instead of {due}"));
            }
        }
        match wanted.into_iter().find(|(_, amount)| *amount != 0) {
            Some((account, due)) => Err(format!("{due} base units had to come to {account}, which is no account")),
            None => Ok(()),
        }
    }

    /// A seller acts by the keys its account names now; without an account, by its first cold key.
    fn follow_keys(&mut self) {
        for (nth, seller) in self.sellers.iter_mut().enumerate() {
            let [first, _] = &self.cold_keys[nth];
            let named =
                self.books.providers.get(&seller.provider).map(|provider| [provider.authority, provider.operator]);
            let [authority, operator] = named.unwrap_or([first.key.pubkey(), seller.operator.pubkey()]);
            if [authority, operator] == [seller.authority.pubkey(), seller.operator.pubkey()] {
                continue;
            }
            let Some(cold) = self.cold_keys[nth].iter().find(|cold| cold.key.pubkey() == authority) else { continue };
            let operator = self.keys.get(&operator).unwrap_or(&seller.operator).insecure_clone();
            let authority = cold.key.insecure_clone();
            *seller = Rc::new(Seller { authority, operator, tokens: cold.tokens, ..**seller });
        }
    }
}

/// Hot keys a seller may name.
pub fn operators(nth: usize) -> [Keypair; 3] {
    [0, 1, 2].map(|turn| key(&format!("seller {nth} operator {turn}")))
}

fn unregistered(world: &mut World, name: &str) -> Seller {
    let (authority, operator) = (provider_key(name), key(&format!("{name} operator 0")));
    world.fund(&authority.pubkey());
    let tokens = world.put_tokens(&format!("{name} tokens"), &authority.pubkey(), 5_000 * MILL);
    let provider = pda::provider(&authority.pubkey());
    Seller { authority, operator, provider, vault: pda::vault(&provider), tokens }
}
