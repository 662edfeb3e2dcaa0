//! What every command needs: the chain, the key, the way to print, and the question before signing.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use millrace::state::Config;
use millrace_client::amount::format_mill;
use millrace_client::config::{self, ClientConfig};
use millrace_client::ix::Market;
use millrace_client::{
    fetch_agreed, keys, pda, token, Chain, Instruction, Keypair, Outbox, Pubkey, RpcChain, Signature, Signer,
};

use crate::output::{self, Format};

/// Lamports in one SOL.
const SOL: f64 = 1e9;

/// What every command needs.
pub struct Context {
    /// Key file in use.
    pub keypair_path: PathBuf,
    /// How to print.
    pub format: Format,
    yes: bool,
    chain: Arc<RpcChain>,
    max_priority_fee_lamports: u64,
}

/// What a command is about to do, for the question before it signs.
pub struct Quote {
    /// What happens, as a sentence.
    pub title: String,
    /// What it costs and moves.
    pub rows: Vec<(&'static str, String)>,
}

impl Context {
    /// Flags win over the settings file, the settings file over the defaults.
    pub fn new(urls: Vec<String>, keypair: Option<PathBuf>, format: Format, yes: bool) -> Result<Self> {
        let settings = ClientConfig::load(&config::path())?;
        let urls = if urls.is_empty() { settings.urls } else { urls };
        let urls: Vec<String> = urls.iter().map(|url| resolve_url(url)).collect::<Result<_>>()?;
        Ok(Self {
            chain: Arc::new(RpcChain::new(&urls)?),
            keypair_path: keypair.unwrap_or(settings.keypair),
            max_priority_fee_lamports: settings.max_priority_fee_lamports,
            format,
            yes,
        })
    }

    /// The RPCs in use, without what may hold an access key.
    pub fn shown_urls(&self) -> String {
        self.chain.shown_urls()
    }

    /// The chain.
    pub fn chain(&self) -> &dyn Chain {
        self.chain.as_ref()
    }

    /// The key to sign with.
    pub fn keypair(&self) -> Result<Keypair> {
        if !self.keypair_path.exists() {
            bail!(
                "there is no key file at {}; make one with `millrace keygen {}` or name another with -k",
                self.keypair_path.display(),
                self.keypair_path.display()
            );
        }
        Ok(keys::load(&self.keypair_path)?)
    }

    /// The address of the key to sign with.
    pub fn address(&self) -> Result<Pubkey> {
        Ok(self.keypair()?.pubkey())
    }

    /// The market's configuration.
    pub async fn market(&self) -> Result<Config> {
        fetch_agreed::<Config>(self.chain(), &pda::config()).await?.with_context(|| {
            format!(
                "there is no market at {}: program {} is not deployed or not initialised there; check --url",
                self.shown_urls(),
                millrace::ID
            )
        })
    }

    /// Signs and sends, and waits until it is confirmed. The transaction is written down before it is sent, so a
    /// Ctrl-C in between loses nothing: the next command finds it.
    pub async fn submit(&self, label: &str, instructions: &[Instruction]) -> Result<Signature> {
        self.submit_with(label, instructions, &[]).await
    }

    /// The same with more signers.
    pub async fn submit_with(&self, label: &str, instructions: &[Instruction], more: &[&Keypair]) -> Result<Signature> {
        let payer = self.keypair()?;
        let outbox = Outbox::open(config::outbox_path())?.with_max_priority_fee(self.max_priority_fee_lamports);
        let spinner = self.spinner(format!("{label}: waiting for the chain"));
        let signature = outbox.submit(self.chain(), label, instructions, &payer, more).await;
        spinner.finish_and_clear();
        signature.with_context(|| label.to_string())
    }

    /// Shows `quote` and asks, unless `--yes`.
    pub fn confirm(&self, quote: &Quote) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        eprintln!("{}\n{}", quote.title, output::lines(&quote.rows));
        if !std::io::stdin().is_terminal() {
            bail!("nobody is there to answer; add --yes to sign without asking");
        }
        eprint!("Sign? [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            bail!("not signed, nothing was sent");
        }
        Ok(())
    }

    /// The accounts of the market that instructions name.
    pub async fn market_accounts(&self) -> Result<Market> {
        Ok(Market::from(&self.market().await?))
    }

    /// MILL in the wallet of `owner`, base units.
    pub async fn wallet_balance(&self, market: &Config, owner: &Pubkey) -> Result<u64> {
        let wallet = token::wallet(owner, &market.mint, &market.token_program);
        Ok(token::balance(self.chain(), &wallet).await?.unwrap_or(0))
    }

    /// Rent of accounts of these sizes together, as text in SOL.
    pub async fn rent(&self, sizes: &[usize]) -> Result<String> {
        let mut lamports = 0;
        for size in sizes {
            lamports += self.chain().minimum_balance(*size).await?;
        }
        Ok(format_sol(lamports))
    }

    /// A spinner on standard error; silent in JSON.
    pub fn spinner(&self, message: impl Into<String>) -> ProgressBar {
        if self.format == Format::Json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let spinner = ProgressBar::new_spinner().with_style(style).with_message(message.into());
        spinner.enable_steady_tick(Duration::from_millis(120));
        spinner
    }

    /// Prints a result.
    pub fn print<T: serde::Serialize + std::fmt::Display>(&self, value: &T) {
        output::print(self.format, value);
    }
}

/// Lamports as text in SOL.
pub fn format_sol(lamports: u64) -> String {
    format!("{:.9} SOL", lamports as f64 / SOL)
}

/// Base units as text in MILL.
pub fn mill(amount: u64) -> String {
    format!("{} MILL", format_mill(amount))
}

fn resolve_url(text: &str) -> Result<String> {
    Ok(match text {
        "l" | "localhost" => "http://127.0.0.1:8899".into(),
        "d" | "devnet" => "https://api.devnet.solana.com".into(),
        "t" | "testnet" => "https://api.testnet.solana.com".into(),
        "m" | "mainnet-beta" => "https://api.mainnet-beta.solana.com".into(),
        url if url.starts_with("http://") || url.starts_with("https://") => url.into(),
        other => bail!("{other:?} is not an RPC; give a URL such as http://127.0.0.1:8899, or localhost, devnet, testnet, mainnet-beta"),
    })
}
