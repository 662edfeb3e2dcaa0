//! `millrace config`.

use std::fmt;
use std::path::PathBuf;

use anyhow::{bail, Result};
use millrace_client::config::{self, ClientConfig};
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
        /// RPC URL.
        #[arg(long = "rpc-url", value_name = "URL")]
        rpc_url: Option<String>,
        /// Key file to sign with.
        #[arg(long = "key-file", value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct Shown {
    settings_file: PathBuf,
    rpc_url: String,
    key_file: PathBuf,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows = [
            ("settings file", self.settings_file.display().to_string()),
            ("RPC URL", self.rpc_url.clone()),
            ("key file", self.key_file.display().to_string()),
        ];
        write!(f, "{}", lines(&rows))
    }
}

pub fn run(context: &Context, command: Command) -> Result<()> {
    let mut settings = ClientConfig::load(&config::path())?;
    if let Command::Set { rpc_url, key_file } = command {
        if rpc_url.is_none() && key_file.is_none() {
            bail!("nothing to set; give --rpc-url URL or --key-file FILE");
        }
        settings.url = rpc_url.unwrap_or(settings.url);
        settings.keypair = key_file.unwrap_or(settings.keypair);
        settings.save(&config::path())?;
    }
    context.print(&Shown { settings_file: config::path(), rpc_url: settings.url, key_file: settings.keypair });
    Ok(())
}
