use std::io;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::Error;

/// A running child, owned by a thread of its own.
///
/// The kernel's parent-death signal is tied to the *thread* that started the child, so that thread
/// stays and waits for it. Dropping the handle asks the child to end, with its own death signal.
pub struct Child {
    pid: Pid,
    /// Empty once the child is about to be reaped, so that a signal never reaches another process.
    alive: Arc<Mutex<Option<Pid>>>,
    exit: watch::Receiver<Option<ExitStatus>>,
    farewell: Signal,
}

impl Child {
    pub async fn spawn(command: Command, farewell: Signal) -> Result<Self, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |source| Error::Spawn { program, source };
        let alive = Arc::new(Mutex::new(None));
        let (started_tx, started) = oneshot::channel();
        let (exit_tx, exit) = watch::channel(None);
        let keeper = {
            let alive = Arc::clone(&alive);
            move || keep(command, &alive, started_tx, &exit_tx)
        };
        let spawned = thread::Builder::new().name("server-keeper".to_owned()).spawn(keeper);
        if let Err(source) = spawned {
            return Err(failed(source));
        }
        match started.await {
            Ok(Ok(pid)) => Ok(Self { pid, alive, exit, farewell }),
            Ok(Err(source)) => Err(failed(source)),
            Err(_) => Err(failed(io::Error::other("the thread that starts it ended"))),
        }
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub fn signal(&self, signal: Signal) {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = *alive {
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits for the end of the child and says how it ended. May be awaited any number of times.
    pub async fn exited(&self) -> String {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        let status = ended.ok().and_then(|status| *status);
        status.map_or_else(|| "lost".to_owned(), |status| status.to_string())
    }

    pub fn has_exited(&self) -> Option<String> {
        self.exit.borrow().map(|status| status.to_string())
    }

    pub fn succeeded(&self) -> bool {
        self.exit.borrow().is_some_and(|status| status.success())
    }

    /// Sends each signal in turn, going on to the next when its time is over.
    pub async fn stop(&self, steps: &[(Signal, Duration)]) {
        for (signal, patience) in steps {
            self.signal(*signal);
            if timeout(*patience, self.exited()).await.is_ok() {
                return;
            }
            tracing::warn!(pid = self.pid(), ?signal, "a server did not end in time");
        }
        self.signal(Signal::KILL);
        self.exited().await;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(self.farewell);
    }
}

fn keep(
    mut command: Command,
    alive: &Mutex<Option<Pid>>,
    started: oneshot::Sender<io::Result<Pid>>,
    exit: &watch::Sender<Option<ExitStatus>>,
) {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(source) => {
            let _ = started.send(Err(source));
            return;
        }
    };
    drop(command); // with it our ends of the child's pipes
    let pid = Pid::from_child(&child);
    *alive.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
    if let Err(Ok(pid)) = started.send(Ok(pid)) {
        let _ = kill_process(pid, Signal::KILL); // nobody is left to own it
    }
    let exited = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(pid), exited), Err(rustix::io::Errno::INTR)) {}
    *alive.lock().unwrap_or_else(PoisonError::into_inner) = None;
    // Without a status the sender is dropped, which those who wait take for the end as well.
    if let Ok(status) = child.wait() {
        exit.send_replace(Some(status));
    }
}
