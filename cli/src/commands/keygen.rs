//! `millrace keygen`.

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use millrace_client::{keys, Signer};
use serde::Serialize;

use crate::context::Context;

/// Makes a new key file, readable by its owner only. Never overwrites one.
#[derive(clap::Args)]
pub struct Args {
    /// Where to write it; the settings' key file by default.
    outfile: Option<PathBuf>,
}

#[derive(Serialize)]
struct Made {
    address: String,
    path: PathBuf,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{}\n{} holds the key. Whoever has that file has the money: keep a copy in a safe place.",
            self.address,
            self.path.display()
        )
    }
}

pub fn run(context: &Context, args: Args) -> Result<()> {
    let path = args.outfile.unwrap_or_else(|| context.keypair_path.clone());
    let keypair = keys::create(&path)?;
    context.print(&Made { address: keypair.pubkey().to_string(), path });
    Ok(())
}
