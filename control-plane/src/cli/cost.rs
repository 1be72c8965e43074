//! `terrane cost estimate`: what a plan costs, on the desk, from files alone.
//!
//! Nothing is asked over the network and no server is needed: authors try costs before they push.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ::cost::{Adjustments, Book, Estimate, Estimator, Plan, Report, Status, Usage};
use clap::{Args, Subcommand};

use super::failure::Failure;
use super::say;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prices a plan: what exists, what is wanted, and the difference.
    Estimate(EstimateArguments),
}

#[derive(Debug, Args)]
struct EstimateArguments {
    /// The plan as `terraform show -json` prints it, or a state in the same form.
    #[arg(long)]
    plan: PathBuf,
    /// How much of what is paid by use will be used.
    #[arg(long)]
    usage: Option<PathBuf>,
    /// Discounts and prices of your own.
    #[arg(long)]
    adjustments: Option<PathBuf>,
    /// A price book instead of the one in this binary.
    #[arg(long)]
    book: Option<PathBuf>,
    /// The region of resources whose region the plan doesn't tell.
    #[arg(long)]
    region: Option<String>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Command::Estimate(arguments) = arguments.command;
    let mut estimator =
        Estimator::embedded().map_err(|error| Failure::failed("nothing can be priced", error))?;
    if let Some(path) = &arguments.book {
        estimator.book = Arc::new(book(path)?);
    }
    if let Some(path) = &arguments.adjustments {
        estimator.adjustments = Adjustments::parse(&text(path)?)
            .map_err(|error| Failure::failed(&path.display().to_string(), error))?;
    }
    estimator.default_region = arguments.region;
    let usage = match &arguments.usage {
        Some(path) => Usage::parse(&text(path)?)
            .map_err(|error| Failure::failed(&path.display().to_string(), error))?,
        None => Usage::default(),
    };
    let plan = Plan::from_reader(BufReader::new(open(&arguments.plan)?))
        .map_err(|error| Failure::failed(&arguments.plan.display().to_string(), error))?;
    let estimate = estimator.estimate(&plan, &usage);
    if arguments.json {
        let report = serde_json::to_string(&Report::of(&estimate))
            .map_err(|error| Failure::failed("the estimate can't be written", error))?;
        say::result(&report);
    } else {
        say::result(&table(&estimate));
    }
    Ok(ExitCode::SUCCESS)
}

fn book(path: &Path) -> Result<Book, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::failed(&format!("{} can't be read", path.display()), error))?;
    Book::from_bytes(&bytes).map_err(|error| Failure::failed(&path.display().to_string(), error))
}

pub(super) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path)
        .map_err(|error| Failure::failed(&format!("{} can't be read", path.display()), error))
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::failed(&format!("{} can't be read", path.display()), error))
}

/// The estimate for people.
fn table(estimate: &Estimate) -> String {
    let mut lines = Vec::new();
    for change in &estimate.resources {
        let Some(cost) = change.after.as_ref().or(change.before.as_ref()) else {
            continue;
        };
        let amount = match (&change.after, cost.status) {
            (None, _) => "removed".to_owned(),
            (Some(_), Status::Estimated) => ::cost::cents(cost.monthly.unwrap_or_default()),
            (Some(_), Status::UsageOnly) => "depends on usage".to_owned(),
            (Some(_), Status::Free) => continue,
            (Some(_), Status::Unsupported | Status::PriceMissing | Status::Unknown) => {
                cost.status.as_str().replace('_', " ")
            }
        };
        lines.push(format!("{amount:>18}  {}", change.address));
        lines.extend(
            cost.notes
                .iter()
                .map(|note| format!("{:>18}    {note}", "")),
        );
    }
    let unanswered: usize = [Status::Unsupported, Status::PriceMissing, Status::Unknown]
        .into_iter()
        .map(|status| estimate.proposed.count(status))
        .sum();
    lines.push(String::new());
    let money = |amount| format!("{:>18}", ::cost::cents(amount));
    lines.push(format!(
        "{}  USD a month now",
        money(estimate.prior.monthly)
    ));
    lines.push(format!(
        "{}  USD a month after the apply",
        money(estimate.proposed.monthly)
    ));
    lines.push(format!(
        "{}  USD a month difference",
        money(estimate.delta())
    ));
    if unanswered > 0 {
        lines.push(format!(
            "{unanswered:>18}  resources have no price here; the totals leave them out"
        ));
    }
    lines.join("\n")
}
