//! `xueji schema`: the schema in SDL.

use std::path::PathBuf;

use super::say;
use crate::graphql::sdl;

/// Prints the GraphQL schema, as schema.graphql holds it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.out {
        Some(path) => Ok(std::fs::write(path, sdl())?),
        None => say(sdl().trim_end()),
    }
}
