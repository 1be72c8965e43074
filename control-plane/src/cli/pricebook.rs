//! `terrane pricebook import`: a new price book from the public lists of the clouds.
//!
//! Lists are read from files: where they are published is no place for a server to reach. The new book is written
//! whole, beside the old one; a list that isn't understood changes nothing.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::cost::Row;
use ::cost::import::{aws_offer, azure_retail, google_catalog, merge};
use clap::{Args, Subcommand, ValueEnum};

use super::cost::open;
use super::failure::Failure;
use super::say;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads price lists and writes a book that has their prices.
    Import(ImportArguments),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum List {
    /// A bulk offer of AWS (CSV).
    Aws,
    /// Answers of the Azure Retail Prices API (JSON), each page a file.
    Azure,
    /// The Cloud Billing Catalog of Google (JSON); needs --machine-types.
    Google,
    /// A table with the columns of a book (CSV).
    Table,
}

#[derive(Debug, Args)]
struct ImportArguments {
    /// What the files are.
    #[arg(long, value_enum)]
    list: List,
    /// The book that the prices are put into: a file, or the one in this binary.
    #[arg(long)]
    book: Option<PathBuf>,
    /// Start from an empty book.
    #[arg(long, conflicts_with = "book")]
    empty: bool,
    /// Where the new book is written.
    #[arg(long)]
    output: PathBuf,
    /// The machine types of the Compute Engine API (JSON).
    #[arg(long)]
    machine_types: Option<PathBuf>,
    /// Takes prices that moved more than threefold.
    #[arg(long)]
    allow_jumps: bool,
    /// The lists.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Command::Import(arguments) = arguments.command;
    let mut imported = Vec::new();
    for path in &arguments.files {
        imported.extend(read(&arguments, path)?);
    }
    let book = match (&arguments.book, arguments.empty) {
        (_, true) => Vec::new(),
        (Some(path), _) => {
            let bytes = fs::read(path).map_err(|error| {
                Failure::failed(&format!("{} can't be read", path.display()), error)
            })?;
            ::cost::unpack(&bytes)
                .map_err(|error| Failure::failed(&path.display().to_string(), error))?
        }
        (None, false) => ::cost::embedded_rows()
            .map_err(|error| Failure::failed("the book of this binary", error))?,
    };
    let merged = merge(book, imported, arguments.allow_jumps)
        .map_err(|error| Failure::failed("nothing is changed", error))?;
    let packed = ::cost::pack(&merged.rows)
        .map_err(|error| Failure::failed("the book can't be written", error))?;
    write_whole(&arguments.output, &packed)?;
    say::result(&format!(
        "{}: {} prices added, {} changed, {} as they were",
        arguments.output.display(),
        merged.added,
        merged.changed,
        merged.unchanged
    ));
    Ok(ExitCode::SUCCESS)
}

fn read(arguments: &ImportArguments, path: &Path) -> Result<Vec<Row>, Failure> {
    let file = open(path)?;
    let refused = |error| Failure::failed(&path.display().to_string(), error);
    match arguments.list {
        List::Aws => aws_offer(file).map_err(refused),
        List::Azure => {
            let (rows, next) = azure_retail(std::io::BufReader::new(file)).map_err(refused)?;
            if let Some(next) = next {
                say::note(&format!("{}: the next page is {next}", path.display()));
            }
            Ok(rows)
        }
        List::Google => {
            let Some(machines) = &arguments.machine_types else {
                return Err(Failure::new(
                    "--machine-types is needed: Google prices cores and memory, not machines",
                ));
            };
            let machines = std::io::BufReader::new(open(machines)?);
            google_catalog(std::io::BufReader::new(file), machines).map_err(refused)
        }
        List::Table => ::cost::parse_csv(file)
            .map_err(|error| Failure::failed(&path.display().to_string(), error)),
    }
}

/// Beside the place first, then renamed: a book is whole or not there.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error| Failure::failed(&format!("{} can't be written", path.display()), error);
    let beside = path.with_extension("part");
    let mut file = fs::File::create(&beside).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}
