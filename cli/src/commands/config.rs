//! `millrace config`.

use std::fmt;
use std::path::PathBuf;

use anyhow::{bail, Result};
use millrace_client::config::{self, ClientConfig};
use millrace_client::RpcChain;
use serde::Serialize;

use crate::context::Context;
use crate::output::lines;

/// Show or change the settings used when no flag is given.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Show the settings and where they are kept.
    Get,
    /// Change some of them.
    Set {
        /// RPC URL; give it once for each.
        #[arg(long = "rpc-url", value_name = "URL")]
        rpc_urls: Vec<String>,
        /// Key file to sign with.
        #[arg(long = "key-file", value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct Shown {
    settings_file: PathBuf,
    rpc_urls: Vec<String>,
    key_file: PathBuf,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows = [
            ("settings file", self.settings_file.display().to_string()),
            ("RPC URLs", self.rpc_urls.join(", ")),
            ("key file", self.key_file.display().to_string()),
        ];
        write!(f, "{}", lines(&rows))
    }
}

pub fn run(context: &Context, command: Command) -> Result<()> {
    let mut settings = ClientConfig::load(&config::path())?;
    if let Command::Set { rpc_urls, key_file } = command {
        if rpc_urls.is_empty() && key_file.is_none() {
            bail!("nothing to set; give --rpc-url URL or --key-file FILE");
        }
        if !rpc_urls.is_empty() {
            RpcChain::new(&rpc_urls)?;
            settings.urls = rpc_urls;
        }
        settings.keypair = key_file.unwrap_or(settings.keypair);
        settings.save(&config::path())?;
    }
    context.print(&Shown { settings_file: config::path(), rpc_urls: settings.urls, key_file: settings.keypair });
    Ok(())
}
