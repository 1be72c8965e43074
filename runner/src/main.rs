//! `terrane-runner`: configuration → build → run → end.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use runner::config::{self, BAD_CONFIGURATION, Command, CommandLine};

fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                BAD_CONFIGURATION.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&[error.to_string()], ExitCode::FAILURE),
    };
    if let Some(Command::Drain { data_dir }) = &line.command {
        return match runtime.block_on(runner::app::drain(data_dir)) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => {
                let nobody = format!("no runner works on {}", data_dir.display());
                fail(&[nobody], ExitCode::SUCCESS)
            }
            Err(error) => fail(&[chain(&error)], ExitCode::FAILURE),
        };
    }
    let config = match line.run.check(&config::defaults()) {
        Ok(config) => config,
        Err(mistakes) => return fail(&mistakes, BAD_CONFIGURATION.into()),
    };
    let format = line.run.log_format.parse().unwrap_or_default();
    if let Err(error) = telemetry::logs::init(format, &line.run.log) {
        return fail(&[chain(&error)], BAD_CONFIGURATION.into());
    }
    let ended = runtime.block_on(Box::pin(runner::app::run(config)));
    // Blocking reads must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&[chain(&error)], ExitCode::FAILURE),
    }
}

fn fail(sentences: &[String], code: ExitCode) -> ExitCode {
    let mut stderr = std::io::stderr().lock();
    for sentence in sentences {
        let _ = writeln!(stderr, "terrane-runner: {sentence}");
    }
    code
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
