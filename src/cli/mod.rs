//! The command line: each command in a file of its own.
//!
//! A command that fails ends with one sentence on standard error and exit code 1. Nothing here
//! decides anything about the registry.

mod account;
mod accounts;
mod audit;
mod backup;
mod demo;
mod documents;
mod grants;
mod identity;
mod incident;
mod keys;
mod load_sample;
mod migrate;
mod out;
mod policy;
mod retention;
mod schema;
mod serve;
mod snapshot;
mod start;
mod stop;
mod token;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// xueji (学籍): a registry of pupils over GraphQL in which every field knows who may see it.
///
/// Start with `xueji demo`: it makes a registry with invented pupils, serves it on this machine and
/// prints whom to try it as.
#[derive(Debug, Parser)]
#[command(name = "xueji", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a registry with invented pupils, serve it, and print whom to try it as
    Demo(demo::Args),
    /// Serve a registry
    Serve(serve::Args),
    /// Bring a database to this version's schema, take it back, or say where it stands
    Migrate(migrate::Args),
    /// Print the GraphQL schema
    Schema(schema::Args),
    /// Check the access policy, print who sees what, and publish or compare versions
    Policy(policy::Args),
    /// Take, list or drop snapshots, from which reporting tools are answered
    Snapshot(snapshot::Args),
    /// Report who holds which role at a school
    Grants(grants::Args),
    /// Take, restore, verify, list or prune backups
    Backup(backup::Args),
    /// Say what is due for destruction, or check a schedule of retention
    Retention(retention::Args),
    /// Make, list or change the keys under which columns are sealed
    Keys(keys::Args),
    /// Link, unlink or list identities of other issuers (OpenID Connect)
    Identity(identity::Args),
    /// Make the first administrators, or set the first password of an account
    Account(account::Args),
    /// Make accounts in bulk from a spreadsheet
    Accounts(accounts::Args),
    /// Verify that the logs are whole, print the key that signs their heads, export, count or prune them
    Audit(audit::Args),
    /// List what an account, a client or a grant was shown, for notification
    Incident(incident::Args),
    /// Stop an account, a client, a role or all exports in an emergency, list the stops, or lift one
    Stop(stop::Args),
    /// Sign a token for an account with the data folder's own key
    Token(token::Args),
    /// Drive a running server and measure it
    Load(crate::load::LoadArgs),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return failed(&anyhow::anyhow!("The program cannot start threads: {error}."));
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demo::run(args).await,
            Command::Serve(args) => serve::run(args).await,
            Command::Migrate(args) => migrate::run(args).await,
            Command::Schema(args) => schema::run(&args),
            Command::Policy(args) => policy::run(args).await,
            Command::Snapshot(args) => snapshot::run(args).await,
            Command::Grants(args) => grants::run(args).await,
            Command::Backup(args) => backup::run(args).await,
            Command::Retention(args) => retention::run(args).await,
            Command::Keys(args) => keys::run(args).await,
            Command::Identity(args) => identity::run(args).await,
            Command::Audit(args) => audit::run(args).await,
            Command::Account(args) => account::run(args).await,
            Command::Accounts(args) => accounts::run(args).await,
            Command::Incident(args) => incident::run(args).await,
            Command::Stop(args) => stop::run(args).await,
            Command::Token(args) => token::run(args).await,
            Command::Load(args) => crate::load::run(args).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let mut out = std::io::stderr().lock();
    // Nobody can be told when standard error is closed.
    let _unheard = writeln!(out, "xueji: {error:#}");
    ExitCode::FAILURE
}

/// Writes a line to standard output, the one place that does. A closed pipe ends the listing.
fn say(text: impl std::fmt::Display) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}
