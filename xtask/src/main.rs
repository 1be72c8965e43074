//! The project's own commands: `cargo xtask NAME`. Without a name it lists them.
//!
//! Plain functions over the standard library: this is compiled before anything else on a fresh
//! machine, so it links nothing of the product.

mod bench;
mod demo;
mod floors;
mod image;
mod lengths;
mod needs;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};
use workshop::Tree;

struct Command {
    name: &'static str,
    usage: &'static str,
    help: &'static str,
    run: fn(&Tree, &[String]) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        usage: "[--once]",
        help: "build everything, start a control plane and a runner, and run examples/hello through terraform",
        run: demo::run,
    },
    Command {
        name: "test",
        usage: "[FILTER…]",
        help: "install what the tests need, then run every test",
        run: test::run,
    },
    Command {
        name: "image",
        usage: "[TAG]",
        help: "build the default image for jobs",
        run: image::run,
    },
    Command {
        name: "bench",
        usage: "[--only NAME] [--quick]",
        help: "measure, printing one JSON object a line",
        run: bench::run,
    },
    Command {
        name: "floors",
        usage: "",
        help: "check that dependencies only go down, and that no file is too long",
        run: floors::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        list();
        return Ok(());
    };
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(&Tree::here(), rest),
        None => {
            list();
            bail!("there is no command {name:?}")
        }
    }
}

fn list() {
    eprintln!("usage: cargo xtask COMMAND\n");
    for command in COMMANDS {
        eprintln!("  {:<8}{:<26}{}", command.name, command.usage, command.help);
    }
}
