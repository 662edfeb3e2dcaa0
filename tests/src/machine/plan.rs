//! One transaction somebody means to send: what it is about, who may, and what must follow if it is accepted.

use millrace_core::hash::sha256;

use super::{Dice, Market, Model};
use crate::{Books, Instruction, Keypair, Pubkey, Receipt, Signer};

/// Where burned tokens go, among flows: no token account has this address.
pub const BURNT: Pubkey = Pubkey::new_from_array([0; 32]);

/// What each token account must gain or lose by a transaction, base units; those not named, nothing.
pub type Flows = Vec<(Pubkey, i128)>;

/// What is known after an accepted transaction.
pub struct Seen<'a> {
    /// When it was.
    pub now: i64,
    /// All accounts before it.
    pub before: &'a Books,
    /// All accounts after it.
    pub after: &'a Books,
    /// What it answered.
    pub receipt: &'a Receipt,
}

impl Seen<'_> {
    /// What a token account gained.
    pub fn gain(&self, account: &Pubkey) -> i128 {
        i128::from(self.after.balance(account)) - i128::from(self.before.balance(account))
    }
}

/// What the model makes of an accepted transaction: whether the rules allow it, and which tokens had to move.
pub type Effect = Box<dyn FnOnce(&mut Model, &Seen) -> Result<Flows, String>>;

/// A transaction to be.
pub struct Plan {
    /// What it does.
    pub instructions: Vec<Instruction>,
    /// Who signs; the first pays the network's fee.
    pub signers: Vec<Keypair>,
    /// Whose signature it needs, each one of these; none where anyone may call.
    pub allowed: Vec<Pubkey>,
    /// Accounts its sender chooses freely: with another it is another call, and no less honest.
    pub chosen: Vec<Pubkey>,
    /// Whether it must never be accepted twice.
    pub is_once: bool,
    /// Why it must be refused, if it must.
    pub must_fail: Option<String>,
    /// What follows.
    pub effect: Effect,
}

impl Plan {
    /// `instruction`, signed and paid by `signer`, which anyone may send and which moves no tokens.
    pub fn new(instruction: Instruction, signer: &Keypair) -> Self {
        Self::of(vec![instruction], vec![signer.insecure_clone()])
    }

    /// As [`Plan::new`], of several.
    pub fn of(instructions: Vec<Instruction>, signers: Vec<Keypair>) -> Self {
        Self {
            instructions,
            signers,
            allowed: vec![],
            chosen: vec![],
            is_once: false,
            must_fail: None,
            effect: Box::new(|_, _| Ok(vec![])),
        }
    }

    /// Only the holders of `keys` may send it.
    pub fn only(mut self, keys: &[Pubkey]) -> Self {
        self.allowed = keys.to_vec();
        self
    }

    /// It is about `keys`.
    pub fn about(mut self, keys: &[Pubkey]) -> Self {
        self.chosen = keys.to_vec();
        self
    }

    /// Sent again it must be refused.
    pub fn once(mut self) -> Self {
        self.is_once = true;
        self
    }

    /// It must be refused if `wrong`.
    pub fn fails_if(mut self, wrong: bool, why: &str) -> Self {
        if wrong && self.must_fail.is_none() {
            self.must_fail = Some(why.to_owned());
        }
        self
    }

    /// What the model makes of it.
    pub fn then(mut self, effect: impl FnOnce(&mut Model, &Seen) -> Result<Flows, String> + 'static) -> Self {
        self.effect = Box::new(effect);
        self
    }

    /// The same by someone who has no right to it, or about something it does not fit, if the dice say so: it must
    /// then be refused.
    pub fn twisted(self, market: &Market, dice: &mut Dice) -> Self {
        match dice.below(7) {
            0..=2 if !self.allowed.is_empty() => self.by_another(market, dice),
            3 => self.unsigned(market, dice),
            4 => self.with_same_twice(market, dice),
            _ => self.with_anothers_account(market, dice),
        }
    }

    fn last(&mut self) -> &mut Instruction {
        self.instructions.last_mut().expect("a plan to twist has an instruction")
    }

    fn by_another(mut self, market: &Market, dice: &mut Dice) -> Self {
        let allowed = self.allowed.clone();
        let strangers: Vec<Pubkey> = market.keys.keys().filter(|key| !allowed.contains(key)).copied().collect();
        let signed = self.last().accounts.iter().filter(|meta| meta.is_signer && allowed.contains(&meta.pubkey));
        let signed: Vec<Pubkey> = signed.map(|meta| meta.pubkey).collect();
        let (Some(victim), Some(stranger)) = (dice.pick(&signed), dice.pick(&strangers)) else { return self };
        for meta in self.last().accounts.iter_mut().filter(|meta| meta.pubkey == victim) {
            meta.pubkey = stranger;
        }
        self.signed_anew(market).fails_if(true, "a stranger signed it")
    }

    fn unsigned(mut self, market: &Market, dice: &mut Dice) -> Self {
        let signed = self.last().accounts.iter().filter(|meta| meta.is_signer);
        let signed: Vec<Pubkey> = signed.map(|meta| meta.pubkey).collect();
        let Some(victim) = dice.pick(&signed) else { return self };
        for meta in self.instructions.iter_mut().flat_map(|one| &mut one.accounts) {
            meta.is_signer &= meta.pubkey != victim;
        }
        self.signed_anew(market).fails_if(true, "a signature is missing")
    }

    /// Signed by whom its instructions now ask for; the deployer pays.
    fn signed_anew(mut self, market: &Market) -> Self {
        let metas = self.instructions.iter().flat_map(|one| &one.accounts);
        let mut signers = vec![market.world.deployer.pubkey()];
        for meta in metas.filter(|meta| meta.is_signer) {
            if !signers.contains(&meta.pubkey) {
                signers.push(meta.pubkey);
            }
        }
        self.signers = signers.iter().filter_map(|key| market.key_of(key)).collect();
        self
    }

    /// Places of accounts that its sender has no choice of. The mint and its program are looked at only where tokens move,
    /// by the token program: that is for the tests of account swaps.
    fn fixed_places(&mut self, market: &Market) -> Vec<usize> {
        let mut chosen = self.chosen.clone();
        chosen.extend([market.world.mint, market.world.standard.id()]);
        let fixed = self.last().accounts.iter().enumerate();
        let fixed = fixed.filter(|(_, meta)| !meta.is_signer && !chosen.contains(&meta.pubkey));
        fixed.map(|(place, _)| place).collect()
    }

    fn with_same_twice(mut self, market: &Market, dice: &mut Dice) -> Self {
        let Some(place) = dice.pick(&self.fixed_places(market)) else { return self };
        let accounts = &mut self.last().accounts;
        let Some(other) = dice.pick(accounts).filter(|other| other.pubkey != accounts[place].pubkey) else {
            return self;
        };
        accounts[place].pubkey = other.pubkey;
        self.fails_if(true, &format!("the account in place {place} is also in another"))
    }

    fn with_anothers_account(mut self, market: &Market, dice: &mut Dice) -> Self {
        let Some(place) = dice.pick(&self.fixed_places(market)) else { return self };
        let place_key = self.last().accounts[place].pubkey;
        let mut others = market.books.of_same_kind(&place_key);
        others.retain(|key| *key != place_key);
        let Some(other) = dice.pick(&others) else { return self };
        self.last().accounts[place].pubkey = other;
        self.fails_if(true, &format!("the account in place {place} is another's"))
    }

    /// Addresses of all accounts it names, each once.
    pub fn accounts(&self) -> Vec<Pubkey> {
        let metas = self.instructions.iter().flat_map(|instruction| &instruction.accounts);
        let mut keys: Vec<Pubkey> = metas.map(|meta| meta.pubkey).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Name of its last instruction, as the program's source has it.
    pub fn name(&self) -> &'static str {
        let Some(last) = self.instructions.last() else { return "nothing" };
        let is_called = |name: &&str| last.data.starts_with(&sha256(&[b"global:", name.as_bytes()])[..8]);
        crate::record::instruction_names().into_iter().find(is_called).unwrap_or("unknown")
    }
}
