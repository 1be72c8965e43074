//! `demo`: the whole thing on one machine, from source to an applied configuration.

mod policy;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use workshop::{Tree, product, terraform};

pub(crate) fn run(tree: &Tree, arguments: &[String]) -> Result<()> {
    let once = match arguments {
        [] => false,
        [flag] if flag == "--once" => true,
        _ => bail!("usage: cargo xtask demo [--once]"),
    };
    say("looking for terraform");
    let terraform = terraform::find_or_fetch(tree)?;
    say("building terrane, terrane-runner and terrane-supervisor (a few minutes the first time)");
    let binaries = product::build(tree)?;
    let scratch = tempfile::tempdir()?;
    let data = if once {
        scratch.path().join("data")
    } else {
        tree.root.join(".terrane")
    };
    let mut server = Server::start(&binaries, &data, once)?;
    if policy::is_possible() {
        say("putting an example policy in force");
        let api = policy::Api {
            url: server.get("url")?,
            ca_file: server.get("ca_file")?,
            token: server.get("token")?,
        };
        policy::put_in_force(tree, &api, scratch.path())?;
    } else {
        say("without curl and tar there is no example policy");
    }
    let outcome = apply_hello(tree, &terraform, &server, &data.join("hello"));
    if once || outcome.is_err() {
        server.stop()?;
        return outcome;
    }
    say(&format!("Terrane is at {}", server.get("url")?));
    say(&format!(
        "the password of `admin` is in {}",
        server.get("admin_password_file")?
    ));
    say(&format!(
        "the configuration that was applied is in {}",
        data.join("hello").display()
    ));
    say("Ctrl-C stops it; the next `cargo xtask demo` carries on where this one was");
    server.child.wait()?;
    Ok(())
}

fn say(text: &str) {
    eprintln!("\x1b[1mdemo:\x1b[0m {text}");
}

/// A running `terrane dev`, and the line it printed when it could serve.
struct Server {
    child: Child,
    facts: Value,
}

impl Server {
    fn start(binaries: &Path, data: &Path, any_port: bool) -> Result<Self> {
        say(&format!(
            "starting a control plane and a runner on {}",
            data.display()
        ));
        let mut command = Command::new(binaries.join("terrane"));
        command.args(["dev", "--json", "--data-dir"]).arg(data);
        if any_port {
            command.args(["--listen", "127.0.0.1:0", "--gateway", "127.0.0.1:0"]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("starting terrane")?;
        let mut lines = BufReader::new(child.stdout.take().context("piped above")?).lines();
        let Some(first) = lines.next() else {
            bail!("terrane ended before it could serve: {}", child.wait()?);
        };
        let facts = serde_json::from_str(&first?).context("the first line is no JSON")?;
        // Whatever else it says is nobody's business, but the pipe must not fill.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, facts })
    }

    fn get(&self, name: &str) -> Result<&str> {
        self.facts[name]
            .as_str()
            .with_context(|| format!("the server's line has no {name:?}"))
    }

    /// Asks it to end, and waits until it has.
    fn stop(&mut self) -> Result<()> {
        say("stopping");
        workshop::run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("terrane ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn apply_hello(tree: &Tree, terraform: &Path, server: &Server, directory: &PathBuf) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for entry in std::fs::read_dir(tree.root.join("examples/hello"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            std::fs::copy(&path, directory.join(path.file_name().unwrap_or_default()))?;
        }
    }
    let url = server.get("url")?;
    let host = url
        .split_once("://")
        .map_or(url, |(_, host)| host)
        .trim_end_matches('/');
    let steps: [&[&str]; 4] = [
        &["init", "-input=false"],
        &["plan", "-input=false"],
        &["apply", "-input=false", "-auto-approve"],
        &["output"],
    ];
    for arguments in steps {
        say(&format!("terraform {}", arguments.join(" ")));
        let status = Command::new(terraform)
            .args(arguments)
            .current_dir(directory)
            .env("TF_CLI_CONFIG_FILE", server.get("cli_config_file")?)
            .env("SSL_CERT_FILE", server.get("ca_file")?)
            .env("TF_CLOUD_HOSTNAME", host)
            .env("TF_CLOUD_ORGANIZATION", server.get("environment")?)
            .env("CHECKPOINT_DISABLE", "1")
            .status()
            .context("starting terraform")?;
        if !status.success() {
            bail!("terraform {} ended with {status}", arguments.join(" "));
        }
    }
    Ok(())
}
