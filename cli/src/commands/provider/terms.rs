//! `millrace provider set-terms`.

use anyhow::Result;
use millrace::constants::ENDPOINT_LEN;
use millrace::instructions::SetTermsArgs;
use millrace_client::{endpoint, ix};

use crate::context::{mill, Context, Quote};
use crate::spec;

/// What to change; the rest stays.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
pub struct Args {
    /// URL of the agent, as oracles and customers reach it. With https:// it answers encrypted, under its operator key.
    #[arg(long, value_name = "URL", value_parser = spec::endpoint)]
    endpoint: Option<[u8; ENDPOINT_LEN]>,
    /// Who answers at an https:// URL: "operator" for the agent itself, or the sha256 of your TLS proxy's public key, from
    /// `openssl x509 -in CERTIFICATE -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum`.
    #[arg(long, value_name = "HEX", value_parser = spec::tls_key)]
    tls_key: Option<[u8; 32]>,
    /// Most MILL the operator may have locked behind bids at once.
    #[arg(long, value_parser = spec::amount)]
    max_bonds: Option<u64>,
    /// Least the operator may bid, MILL a second.
    #[arg(long, value_parser = spec::price)]
    min_bid_per_sec: Option<u64>,
}

/// Changes the terms of your provider.
pub async fn run(context: &Context, args: Args) -> Result<()> {
    let authority = context.address()?;
    let (key, provider) = super::of(context, &authority).await?;
    let terms = SetTermsArgs {
        endpoint: args.endpoint.unwrap_or(provider.endpoint),
        tls_spki_hash: args.tls_key.unwrap_or(provider.tls_spki_hash),
        max_bonds_amount: args.max_bonds.unwrap_or(provider.max_bonds_amount),
        min_bid_per_sec: args.min_bid_per_sec.unwrap_or(provider.min_bid_per_sec),
    };
    context.confirm(&Quote {
        title: format!("Set the terms of provider {key}"),
        rows: vec![
            ("endpoint", endpoint::from_bytes(&terms.endpoint).unwrap_or_default()),
            ("TLS key", spec::tls_key_name(&terms.tls_spki_hash)),
            ("operator may lock", mill(terms.max_bonds_amount)),
            ("bids at least", format!("{} a second", mill(terms.min_bid_per_sec))),
        ],
    })?;
    context.submit("set terms", &[ix::set_terms(&authority, &key, terms)]).await?;
    super::show(context, &authority).await
}
