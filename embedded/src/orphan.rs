use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;

const ORDERLY: Duration = Duration::from_secs(10);
const FORCED: Duration = Duration::from_secs(5);

/// Stops every server of ours whose command line names a file at or below `folder`. To be called
/// only by the holder of the data directory, so that such a server can only be a left-over.
pub fn stop_below(folder: &Path) -> Result<(), Error> {
    for (program, signal) in [("postgres", Signal::INT), ("nats-server", Signal::TERM)] {
        for pid in running(program, folder) {
            tracing::warn!(pid = pid.as_raw_nonzero(), program, "stopping a left-over server");
            stop(program, folder, pid, signal)?;
        }
    }
    Ok(())
}

fn stop(program: &'static str, folder: &Path, pid: Pid, first: Signal) -> Result<(), Error> {
    let failed = |source| Error::Orphan { program, pid: pid.as_raw_nonzero().get(), source };
    for (signal, patience) in [(first, ORDERLY), (Signal::KILL, FORCED)] {
        match kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(errno) => return Err(failed(Some(errno.into()))),
        }
        let start = Instant::now();
        while start.elapsed() < patience {
            if !running(program, folder).contains(&pid) {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
    }
    Err(failed(None))
}

/// The processes started as `program` with an argument at or below `folder`. The command line is
/// the one description of a process that other users may read, as root without privileges must.
fn running(program: &str, folder: &Path) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| is_ours(*pid, program, folder))
        .collect()
}

fn is_ours(pid: Pid, program: &str, folder: &Path) -> bool {
    let Ok(line) = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) else {
        return false;
    };
    let mut words =
        line.split(|byte| *byte == 0).map(|word| Path::new(std::ffi::OsStr::from_bytes(word)));
    let named = words.next().and_then(Path::file_name).is_some_and(|name| name == program);
    named && words.any(|word| word.starts_with(folder))
}
