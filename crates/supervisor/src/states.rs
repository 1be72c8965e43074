//! The state of a step in either mode: watched in a file, or served by the backend; journalled
//! either way.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use step::{StateMode, StateSpec};

use crate::backend::{self, Service};
use crate::disk::Disk;
use crate::journal::{Journal, Look, Watch};
use crate::paths::Root;

/// How often the state file is looked at.
const PERIOD: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct States {
    pub(crate) journal: Arc<Mutex<Journal>>,
    watch: Arc<Watch>,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    /// Dropping the sender stops the watcher.
    Local {
        stop: Option<Sender<()>>,
        watcher: Option<JoinHandle<()>>,
    },
    Http {
        service: Arc<Service>,
        port: u16,
        environment: Vec<(String, String)>,
    },
}

impl States {
    /// Starts watching or serving.
    ///
    /// # Errors
    /// A sentence for people.
    pub(crate) fn start(
        root: &Arc<Root>,
        disk: &Arc<Disk>,
        spec: &StateSpec,
    ) -> Result<Self, String> {
        let journal = Journal::new(root.clone(), disk.clone(), spec)?;
        let journal = Arc::new(Mutex::new(journal));
        let watch = Arc::new(Watch::new(root.clone(), spec.file.clone(), journal.clone()));
        let mode = match spec.mode {
            StateMode::Local => watch_in_background(watch.clone()),
            StateMode::Http => {
                let (root, disk) = (root.clone(), disk.clone());
                let (file, secret) = (spec.file.clone(), &spec.path_secret);
                let service = Service::new(root, disk, file, secret, journal.clone());
                serve(Arc::new(service), spec)
            }
        };
        let mode = mode.map_err(|error| format!("the state can't be looked after: {error}"))?;
        Ok(Self {
            journal,
            watch,
            mode,
        })
    }

    /// What commands need in their environment.
    pub(crate) fn environment(&self) -> &[(String, String)] {
        match &self.mode {
            Mode::Local { .. } => &[],
            Mode::Http { environment, .. } => environment,
        }
    }

    pub(crate) fn port(&self) -> Option<u16> {
        match &self.mode {
            Mode::Local { .. } => None,
            Mode::Http { port, .. } => Some(*port),
        }
    }

    /// Whether a kill now would leave a whole state behind. The backend's file is replaced whole.
    pub(crate) fn can_be_cut_here(&self) -> bool {
        match self.mode {
            Mode::Local { .. } => self.is_whole(),
            Mode::Http { .. } => true,
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.watch.is_whole().unwrap_or(false)
    }

    /// A command has ended, whatever way: what it left is taken.
    pub(crate) fn command_ended(&self) {
        match &self.mode {
            Mode::Local { .. } => report(self.watch.look(Look::Last)),
            Mode::Http { service, .. } => service.forget_lock(),
        }
    }

    /// Stops the watcher, after a last look.
    pub(crate) fn finish(&mut self) {
        if let Mode::Local { stop, watcher } = &mut self.mode {
            drop(stop.take());
            if watcher
                .take()
                .is_some_and(|watcher| watcher.join().is_err())
            {
                eprintln!("terrane-supervisor: the state's watcher panicked");
            }
            report(self.watch.look(Look::Last));
        }
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watch_in_background(watch: Arc<Watch>) -> io::Result<Mode> {
    let (stop, stopped) = channel();
    let watcher = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || {
            // A full disk would fill the log too, twenty times a second.
            let mut said = None;
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                let failure = watch.look(Look::Passing).err();
                let kind = failure.as_ref().map(io::Error::kind);
                if let Some(error) = failure.filter(|_| kind != said) {
                    report(Err(error));
                }
                said = kind;
            }
        })?;
    Ok(Mode::Local {
        stop: Some(stop),
        watcher: Some(watcher),
    })
}

fn serve(service: Arc<Service>, spec: &StateSpec) -> io::Result<Mode> {
    let port = backend::serve(service.clone(), spec.port)?;
    let environment = backend::environment(port, &spec.path_secret);
    Ok(Mode::Http {
        service,
        port,
        environment,
    })
}

fn report(looked: io::Result<()>) {
    if let Err(error) = looked {
        eprintln!("terrane-supervisor: the state could not be journalled: {error}");
    }
}
