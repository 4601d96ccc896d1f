//! A clock for each process, which jumps when it is told to. The time that passes stays what it is.

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    path::PathBuf,
    process::{Command, Stdio},
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/storm/clock.c");
const HOUR: i64 = 3600;

/// The clocks of the processes, each kept in a file of the folder.
#[derive(Clone)]
pub struct Clocks {
    folder: PathBuf,
    /// What a process loads to have a clock of its own; none where it cannot be had.
    library: Option<PathBuf>,
}

impl Clocks {
    pub fn make(folder: PathBuf) -> Self {
        std::fs::create_dir(&folder).unwrap();
        let library = folder.join("clock.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(SOURCE);
        let compiled = compiler.stderr(Stdio::null()).status().is_ok_and(|done| done.success());
        let clocks = Self { folder, library: compiled.then_some(library) };
        if clocks.works() { clocks } else { Self { library: None, ..clocks } }
    }

    pub fn are_there(&self) -> bool {
        self.library.is_some()
    }

    /// Sets the clock of the process so many seconds before that of the machine, or after it.
    pub fn set(&self, process: &str, ahead: i64) {
        // Never emptied: a running process looks at it.
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(self.of(process));
        file.unwrap().write_all_at(&ahead.to_ne_bytes(), 0).unwrap();
    }

    /// Lets the process be started with its own clock.
    pub fn give(&self, process: &str, command: &mut Command) {
        if let Some(library) = &self.library {
            self.set(process, 0);
            command.env("LD_PRELOAD", library).env("STORM_CLOCK", self.of(process));
        }
    }

    fn of(&self, process: &str) -> PathBuf {
        self.folder.join(process)
    }

    /// Whether a program that was started with the clock believes it.
    fn works(&self) -> bool {
        let hour_of = |ahead| {
            let mut asked = Command::new("date");
            asked.arg("+%s").stderr(Stdio::null());
            self.give("trial", &mut asked);
            self.set("trial", ahead);
            let told = String::from_utf8(asked.output().ok()?.stdout).ok()?;
            told.trim().parse::<i64>().ok()
        };
        let (Some(true_time), Some(later)) = (hour_of(0), hour_of(HOUR)) else { return false };
        (HOUR..HOUR + 60).contains(&(later - true_time))
    }
}
