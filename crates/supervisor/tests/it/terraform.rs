//! Steps of the real terraform.

use std::path::PathBuf;

use step::{Command, files};

use crate::fixture::{Fixture, command, skip};

const LOCAL: &str = r#"terraform {
  backend "local" {
    path = "../state/terraform.tfstate"
  }
}
"#;
const HTTP: &str = "terraform {\n  backend \"http\" {}\n}\n";

pub(crate) const SLOW: &str = r#"
resource "terraform_data" "fast" {
  count = 3
  input = "v${count.index}"
}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.fast]
  provisioner "local-exec" {
    command = "exec sleep 900"
  }
}
resource "terraform_data" "after" {
  depends_on = [terraform_data.slow]
}
"#;

/// 3.2 MB of state that stay, rewritten with each of the small ones.
const BIG: &str = r#"
variable "small" {
  type = number
}
resource "terraform_data" "big" {
  input = file("big.txt")
}
resource "terraform_data" "small" {
  depends_on = [terraform_data.big]
  count      = var.small
  input      = "v${count.index}"
}
"#;
pub(crate) const SMALL: &str = "400";

/// Path of terraform; none is said loudly.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|place| place.join("terraform"));
    let found = found.into_iter().find(|file| file.is_file());
    if found.is_none() {
        skip("terraform is not on the PATH");
    }
    found
}

pub(crate) fn with_local_state(fixture: &Fixture, configuration: &str) {
    fixture.write("config/main.tf", format!("{LOCAL}{configuration}"));
}

pub(crate) fn with_http_state(fixture: &Fixture, configuration: &str) {
    fixture.write("config/main.tf", format!("{HTTP}{configuration}"));
}

/// Init, then apply.
pub(crate) fn commands(terraform: &std::path::Path, variables: &[&str]) -> Vec<Command> {
    let terraform = terraform.to_str().unwrap();
    let init = command("init", &[terraform, "init", "-no-color", "-input=false"]);
    let mut argv = vec![terraform, "apply", "-json", "-auto-approve", "-input=false"];
    for variable in variables {
        argv.extend(["-var", variable]);
    }
    let apply = Command {
        writes_state: true,
        ..command("apply", &argv)
    };
    vec![init, apply]
}

/// A state that is large from the start, to be applied to many times.
pub(crate) struct Big {
    state: Vec<u8>,
    serial: i64,
    lineage: String,
}

impl Big {
    pub(crate) fn make(terraform: &std::path::Path) -> Self {
        let fixture = Fixture::new();
        configure_big(&fixture);
        let exit = fixture
            .start(&fixture.spec(commands(terraform, &["small=0"])))
            .exit();
        let last = exit.last_state.expect("a state");
        let state = std::fs::read(fixture.path().join(files::STATE)).unwrap();
        assert!(state.len() > 3_000_000, "{}", state.len());
        Self {
            state,
            serial: last.serial,
            lineage: last.lineage,
        }
    }

    /// A step that adds to it, and its spec.
    pub(crate) fn grow(&self, terraform: &std::path::Path) -> (Fixture, step::Spec) {
        let fixture = Fixture::new();
        configure_big(&fixture);
        fixture.write(files::STATE, &self.state);
        let small = format!("small={SMALL}");
        let mut spec = fixture.spec(commands(terraform, &[&small]));
        let state = spec.state.as_mut().unwrap();
        state.base_serial = self.serial;
        state.lineage = Some(self.lineage.clone());
        (fixture, spec)
    }
}

fn configure_big(fixture: &Fixture) {
    with_local_state(fixture, BIG);
    fixture.write("config/big.txt", "0123456789abcdef".repeat(100_000));
}
