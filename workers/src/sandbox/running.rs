use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Limits;
use super::cgroup::Group;
use super::output::{Budget, Lines, STDERR_LINE_BYTES, STDOUT_LINE_BYTES};

/// A run. Read both streams, or drop the one you do not want: a program waits for its reader.
#[derive(Debug)]
pub struct Running {
    /// There when it was asked for. Drop it to end the input.
    pub stdin: Option<ChildStdin>,
    pub stdout: Lines,
    pub stderr: Lines,
    pub process: Process,
}

/// The life of a run. Dropping this ends the whole group.
#[derive(Debug)]
pub struct Process {
    stop: CancellationToken,
    supervisor: JoinHandle<Exit>,
    exit: Option<Exit>,
    budget: Budget,
    _end_on_drop: DropGuard,
}

/// How a run ended and what it used. The numbers are known where there are control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    pub reason: Reason,
    pub cpu_time: Option<Duration>,
    pub peak_memory_bytes: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Exited(i32),
    Signalled(i32),
    TimedOut,
    OutOfMemory,
    TooMuchOutput,
    /// By [`Process::kill`], by the token of the caller or by the end of the worker.
    Killed,
}

/// Everything a short run said. See [`Limits::output_bytes`] for its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub exit: Exit,
    pub stdout: String,
    pub stderr: String,
}

impl Running {
    pub(super) fn new(
        mut child: Child,
        group: Option<Group>,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Self {
        let budget = Budget::new(limits.output_bytes);
        let stdin = child.stdin.take();
        let stdout = lines(child.stdout.take(), STDOUT_LINE_BYTES, &budget);
        let stderr = lines(child.stderr.take(), STDERR_LINE_BYTES, &budget);
        let stop = cancel.child_token();
        let supervisor =
            tokio::spawn(supervise(child, group, limits.time, stop.clone(), budget.clone()));
        let process = Process {
            stop: stop.clone(),
            supervisor,
            exit: None,
            budget,
            _end_on_drop: stop.drop_guard(),
        };
        Self { stdin, stdout, stderr, process }
    }

    /// Gives no input, reads everything and waits for the end.
    pub async fn output(self) -> Output {
        let Self { stdin, stdout, stderr, mut process } = self;
        drop(stdin);
        let (stdout, stderr) = tokio::join!(collect(stdout), collect(stderr));
        Output { exit: process.wait().await, stdout, stderr }
    }
}

impl Process {
    /// Asks for the end of the group; [`Self::wait`] tells when it is over.
    pub fn kill(&self) {
        self.stop.cancel();
    }

    /// Returns when the program has ended and, where there are control groups, nothing of its
    /// group is left. May be cancelled and called again.
    pub async fn wait(&mut self) -> Exit {
        let mut exit = match self.exit {
            Some(exit) => exit,
            None => (&mut self.supervisor).await.unwrap_or(Exit {
                reason: Reason::Killed,
                cpu_time: None,
                peak_memory_bytes: None,
            }),
        };
        // The last of the output may be read, and found too much, after the end.
        if self.budget.is_exhausted() {
            exit.reason = Reason::TooMuchOutput;
        }
        self.exit = Some(exit);
        exit
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signalled(signal) => write!(f, "signal {signal}"),
            Self::TimedOut => f.write_str("out of time"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::TooMuchOutput => f.write_str("too much output"),
            Self::Killed => f.write_str("stopped"),
        }
    }
}

fn lines<P>(pipe: Option<P>, longest: usize, budget: &Budget) -> Lines
where
    P: tokio::io::AsyncRead + Send + 'static,
{
    match pipe {
        Some(pipe) => Lines::new(pipe, longest, budget.clone()),
        None => Lines::new(tokio::io::empty(), longest, budget.clone()),
    }
}

async fn collect(mut lines: Lines) -> String {
    let mut text = String::new();
    while let Some(line) = lines.next().await {
        text.push_str(&line.text());
        text.push('\n');
    }
    text
}

async fn supervise(
    mut child: Child,
    group: Option<Group>,
    time: Duration,
    stop: CancellationToken,
    budget: Budget,
) -> Exit {
    let ended = tokio::select! {
        biased;
        status = child.wait() => Ok(status),
        () = stop.cancelled() => Err(Reason::Killed),
        () = budget.exhausted() => Err(Reason::TooMuchOutput),
        () = tokio::time::sleep(time) => Err(Reason::TimedOut),
    };
    if ended.is_err() {
        kill(&mut child);
    }
    if let Some(group) = &group {
        group.end().await;
    }
    if ended.is_err() {
        // The group is dead; this only collects the status.
        let _ = child.wait().await;
    }
    let usage = group.as_ref().map(Group::usage).unwrap_or_default();
    let reason = match ended {
        Ok(status) => reason_of(status.ok(), usage.out_of_memory),
        Err(reason) => reason,
    };
    Exit { reason, cpu_time: usage.cpu_time, peak_memory_bytes: usage.peak_memory_bytes }
}

fn kill(child: &mut Child) {
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(group) = group {
        // The program may have ended in this moment.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Inside its own process namespace a killed program is told by bubblewrap as 128 and the signal,
/// as a shell does.
fn reason_of(status: Option<ExitStatus>, out_of_memory: bool) -> Reason {
    let Some(status) = status else { return Reason::Killed };
    match (status.code(), status.signal()) {
        (Some(0), _) => Reason::Exited(0),
        _ if out_of_memory => Reason::OutOfMemory,
        (Some(code @ 129..=192), _) => Reason::Signalled(code - 128),
        (Some(code), _) => Reason::Exited(code),
        (None, Some(signal)) => Reason::Signalled(signal),
        (None, None) => Reason::Killed,
    }
}
