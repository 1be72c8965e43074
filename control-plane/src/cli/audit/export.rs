//! `terrane audit export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::client::Connection;
use crate::cli::failure::Failure;
use crate::cli::say;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// JSON lines, which `terrane audit verify` reads.
    Json,
    Csv,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// Where to write it; without it, to stdout.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only some records: `since=2026-05-01`, `actor=ann`, `action=run.create`; the names are those
    /// of the API's filters. Such an export can't be verified.
    #[arg(long, value_name = "NAME=VALUE")]
    filter: Vec<String>,
}

fn path(arguments: &Arguments) -> Result<String, Failure> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair(
        "format",
        match arguments.format {
            Format::Json => "json",
            Format::Csv => "csv",
        },
    );
    for filter in &arguments.filter {
        let (name, value) = filter
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("--filter {filter}: write it as NAME=VALUE")))?;
        query.append_pair(&format!("filter[{name}]"), value);
    }
    Ok(format!("audit-export?{}", query.finish()))
}

pub(super) async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (client, path) = (arguments.connection.client()?, path(arguments)?);
    let mut out: Box<dyn Write> = match &arguments.output {
        Some(file) => Box::new(BufWriter::new(File::create(file).map_err(|error| {
            Failure::failed(&format!("{} can't be written", file.display()), error)
        })?)),
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let headers = client.download(&path, &mut out).await?;
    if let Some(hash) = headers.get("terrane-audit-hash")
        && let Ok(hash) = hash.to_str()
    {
        say::note(&format!("the chain's last record has the hash {hash}"));
    }
    Ok(ExitCode::SUCCESS)
}
