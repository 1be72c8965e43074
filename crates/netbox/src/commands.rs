//! Lines on standard input change the link while it runs.

use std::io::BufRead;
use std::str::FromStr;
use std::sync::mpsc;

use crate::link::Settings;

/// One line of input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Command {
    DelayMs(u64),
    Loss(f64),
    Mbit(f64),
    Stats,
}

impl FromStr for Command {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let (word, value) = line
            .trim()
            .split_once(' ')
            .unwrap_or_else(|| (line.trim(), ""));
        let bad = |_| format!("not a number in {line:?}");
        match word {
            "delay-ms" => value.parse().map(Self::DelayMs).map_err(|_| bad(())),
            "loss" => value.parse().map(Self::Loss).map_err(|_| bad(())),
            "mbit" => value.parse().map(Self::Mbit).map_err(|_| bad(())),
            "stats" => Ok(Self::Stats),
            _ => Err(format!("unknown command {line:?}")),
        }
    }
}

impl Command {
    /// Changes the settings; `Stats` changes nothing.
    pub(crate) fn apply(self, settings: &mut Settings) {
        match self {
            Self::DelayMs(delay_ms) => settings.delay_ms = delay_ms,
            Self::Loss(loss) => settings.loss = loss,
            Self::Mbit(mbit) => settings.mbit = mbit,
            Self::Stats => {}
        }
    }
}

/// Reads commands in a thread of its own; the channel closes at the end of the input.
pub(crate) fn listen() -> mpsc::Receiver<Command> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            match line.parse() {
                Ok(command) => {
                    if sender.send(command).is_err() {
                        return;
                    }
                }
                Err(complaint) => eprintln!("netbox: {complaint}"),
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_a_word_and_a_number() {
        assert_eq!("delay-ms 50".parse(), Ok(Command::DelayMs(50)));
        assert_eq!(" loss 0.5\n".parse(), Ok(Command::Loss(0.5)));
        assert_eq!("mbit 0".parse(), Ok(Command::Mbit(0.0)));
        assert_eq!("stats".parse(), Ok(Command::Stats));
        for wrong in ["", "loss", "loss x", "delay-ms -1", "rate 5"] {
            assert!(wrong.parse::<Command>().is_err(), "{wrong:?}");
        }
    }
}
