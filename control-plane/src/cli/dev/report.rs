//! What `terrane dev` says when it can serve.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::arguments::Arguments;
use super::ca::DevCa;
use super::data_dir::DataDir;
use super::first_start::{ADMIN, ENVIRONMENT, FirstStart};
use crate::cli::say;

/// The one JSON object of `--json`. Its names are the operator's contract.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    url: String,
    ca_file: PathBuf,
    token: String,
    admin_password_file: PathBuf,
    environment: &'static str,
    gateway: String,
    runner_token_file: PathBuf,
    admin_url: String,
    cli_config_file: PathBuf,
    data_dir: PathBuf,
    pid: u32,
    runner_pids: Vec<u32>,
}

/// Where this process listens.
pub(super) struct Addresses {
    pub(super) public: Url,
    pub(super) gateway: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl Facts {
    pub(super) fn new(
        data: &DataDir,
        ca: &DevCa,
        first: &FirstStart,
        addresses: &Addresses,
        runner_pids: Vec<u32>,
    ) -> Self {
        Self {
            url: without_slash(&addresses.public),
            ca_file: ca.certificate_file(),
            token: first.token.expose().clone(),
            admin_password_file: data.admin_password(),
            environment: ENVIRONMENT,
            gateway: addresses.gateway.to_string(),
            runner_token_file: data.runner_token(),
            admin_url: format!("http://{}", addresses.admin),
            cli_config_file: data.cli_config(),
            data_dir: data.path().to_owned(),
            pid: std::process::id(),
            runner_pids,
        }
    }
}

/// Says it, as asked for: one line for a program, or a few for a person.
pub(super) fn say(facts: &Facts, arguments: &Arguments, is_new: bool, took: Duration) {
    if arguments.json {
        // All fields are text and numbers: this can't fail.
        say::result(&serde_json::to_string(facts).unwrap_or_default());
    } else {
        say::result(&for_a_person(facts, arguments, is_new, took));
    }
    if !is_new && arguments.listen.is_some_and(|address| address.port() == 0) {
        say::note(
            "note: port 0 took another port than last time; directories that were initialised \
             with the earlier one need `terraform init -reconfigure`",
        );
    }
}

fn for_a_person(facts: &Facts, arguments: &Arguments, is_new: bool, took: Duration) -> String {
    let host = facts.url.trim_start_matches("https://");
    let runners = match facts.runner_pids.len() {
        0 => format!(
            "none; start one with\n              terrane-runner --gateway {} --token-file {} \
             --name NAME --data-dir DIR",
            facts.gateway,
            facts.runner_token_file.display()
        ),
        1 => "1 runner".to_owned(),
        n => format!("{n} runners"),
    };
    let certificate = if arguments.http {
        String::new()
    } else {
        format!("  export SSL_CERT_FILE={}\n", facts.ca_file.display())
    };
    let again = if is_new { "" } else { ", as you left it" };
    format!(
        "Terrane is ready after {:.1} s{again}.\n\
         \n\
         \u{20} address     {}\n\
         \u{20} sign in     as {ADMIN}; the password is in {}\n\
         \u{20} runners     {runners}\n\
         \u{20} metrics     {}/metrics\n\
         \u{20} kept in     {}\n\
         \n\
         In a directory with a Terraform configuration, type next:\n\
         \n\
         \u{20} export TF_CLI_CONFIG_FILE={}\n\
         {certificate}\
         \u{20} export TF_CLOUD_HOSTNAME={host} TF_CLOUD_ORGANIZATION={}\n\
         \u{20} terraform init && terraform apply\n\
         \n\
         with `cloud {{ workspaces {{ name = \"hello\" }} }}` in its `terraform` block.\n\
         Ctrl-C stops it.",
        took.as_secs_f64(),
        facts.url,
        facts.admin_password_file.display(),
        facts.admin_url,
        facts.data_dir.display(),
        facts.cli_config_file.display(),
        facts.environment,
    )
}

fn without_slash(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
