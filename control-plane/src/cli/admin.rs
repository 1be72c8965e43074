//! `terrane admin`: what an operator does on the machine itself, when nobody can sign in yet or any
//! more. Works on the database directly, so it needs the same configuration as `serve`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use domain::Secret;
use domain::access::Role;

use super::failure::Failure;
use super::place::Place;
use super::{installation, say};
use crate::app::App;
use crate::clock::Clock;
use crate::context::{Actor, Context};
use crate::iam::{self, BootstrapInput, NewUser};
use crate::tenancy;

/// Longer texts are no passwords, whatever the file is.
const LONGEST_PASSWORD: u64 = 4096;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the first account with an environment, an administrator and a runner pool, in an
    /// empty database. Prints the administrator's API token.
    Setup {
        /// The name of the first environment.
        #[arg(long, default_value = "main")]
        environment: String,
        #[command(flatten)]
        user: User,
    },
    /// Makes a user of the default account.
    CreateUser {
        #[command(flatten)]
        user: User,
        #[arg(long, value_enum, default_value = "reader")]
        role: RoleName,
    },
    /// Gives a user a new password.
    ResetPassword {
        username: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Makes a link with which a user gives themselves a new password. Prints it; it works once, for
    /// a day.
    PasswordLink { username: String },
    /// Says how many runs of an account may be at work at a time.
    LimitRuns {
        /// A number, `none` for any number, or `default` for what the installation's setting
        /// `runs.max_concurrent_per_account` says.
        limit: RunLimit,
        /// The account's name; the default account, unless given.
        #[arg(long)]
        account: Option<String>,
    },
}

/// `None`: what the installation says; 0: any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RunLimit(Option<u32>);

impl std::str::FromStr for RunLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("default", _) => Ok(Self(None)),
            ("none", _) => Ok(Self(Some(0))),
            (_, Ok(limit @ 1..=1_000_000)) => Ok(Self(Some(limit))),
            _ => Err("give a number from 1 to 1000000, `none` or `default`"),
        }
    }
}

#[derive(Debug, Args)]
struct User {
    username: String,
    #[arg(long, default_value = "")]
    email: String,
    #[command(flatten)]
    password: PasswordSource,
}

/// A password is never an argument: every user of the machine can read those.
#[derive(Debug, Args)]
struct PasswordSource {
    /// File with the password; `-` reads it from stdin.
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    Admin,
    Reader,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Admin => Self::Admin,
            RoleName::Reader => Self::Reader,
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.place.load()?;
    telemetry::logs::init(config.log.format, &config.log.filter)?;
    let app = installation::open(&config, config.server.public_url.clone(), Clock::System).await?;
    let done = execute(&app, arguments.command).await;
    app.db.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn execute(app: &Arc<App>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Setup { environment, user } => {
            let input = BootstrapInput {
                username: user.username,
                email: user.email,
                password: user.password.read()?,
                environment,
            };
            let made = iam::bootstrap(app, input).await.map_err(said)?;
            say::result(made.token.expose());
            say::note("this API token is shown only once");
        }
        Command::CreateUser { user, role } => {
            let password = Some(user.password.read()?);
            let new = NewUser {
                username: user.username,
                email: user.email,
                password,
                role: role.into(),
            };
            let member = iam::create_user(app, &operator(app).await?, new)
                .await
                .map_err(said)?;
            say::note(&format!("made user {} ({})", member.username, member.id));
        }
        Command::PasswordLink { username } => {
            let ctx = operator(app).await?;
            let link = iam::password_link(app, &ctx, &username)
                .await
                .map_err(said)?;
            say::result(link.expose());
        }
        Command::ResetPassword { username, password } => {
            let ctx = operator(app).await?;
            iam::reset_password(app, &ctx, &username, &password.read()?)
                .await
                .map_err(said)?;
            say::note(&format!("{username} has a new password"));
        }
        Command::LimitRuns { limit, account } => {
            let limited = tenancy::limit_account(app, account.as_deref(), limit.0)
                .await
                .map_err(|error| no_account(error, account.as_deref()))?;
            say::note(&format!(
                "account {}: {}",
                limited.name,
                match limited.max_concurrent_runs {
                    None => "as many runs at work as the installation's setting says".to_owned(),
                    Some(0) => "any number of runs at work".to_owned(),
                    Some(limit) => format!("at most {limit} runs at work"),
                }
            ));
        }
    }
    Ok(())
}

/// The operator, acting in the default account.
async fn operator(app: &App) -> Result<Context, Failure> {
    let failed = |error| Failure::failed("the database failed", error);
    let mut conn = app.db.acquire().await.map_err(failed)?;
    let account = tenancy::default_account(&mut conn)
        .await
        .map_err(|error| Failure::failed("the default account can't be read", error))?;
    let account = account.ok_or_else(|| {
        Failure::new("there is no account yet: make one with `terrane admin setup`")
    })?;
    Ok(Context::new(
        Actor::system(&account.id, "operator"),
        app.clock.clone(),
    ))
}

fn no_account(error: tenancy::TenancyError, name: Option<&str>) -> Failure {
    match (error, name) {
        (tenancy::TenancyError::NotFound, Some(name)) => {
            Failure::new(format!("there is no account with the name {name:?}"))
        }
        (tenancy::TenancyError::NotFound, None) => {
            Failure::new("there is no account yet: make one with `terrane admin setup`")
        }
        (error, _) => Failure::new(super::failure::chain(&error)),
    }
}

fn said(error: iam::IamError) -> Failure {
    Failure::new(super::failure::chain(&error))
}

impl PasswordSource {
    fn read(&self) -> Result<Secret, Failure> {
        let path = &self.password_file;
        let mut text = String::new();
        let read = if path.as_os_str() == "-" {
            std::io::stdin()
                .lock()
                .take(LONGEST_PASSWORD)
                .read_to_string(&mut text)
        } else {
            std::fs::File::open(path)
                .and_then(|file| file.take(LONGEST_PASSWORD).read_to_string(&mut text))
        };
        read.map_err(|error| Failure::failed(&format!("{} can't be read", path.display()), error))?;
        Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_one_of_two_words() {
        let read = |text: &str| text.parse::<RunLimit>().map(|limit| limit.0);
        assert_eq!(read("5"), Ok(Some(5)));
        assert_eq!(read("none"), Ok(Some(0)));
        assert_eq!(read("default"), Ok(None));
        for wrong in ["0", "-1", "1000001", "", "many"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
