use std::{
    io::{self, BufWriter, Read, Write},
    process::ExitCode,
};

use anyhow::Context as _;
use engines::{Message, Output, RunError, Spec, Work};

/// Longest instruction that is read.
const MAX_SPEC_BYTES: u64 = 1 << 20;

/// Reads what to do from standard input and answers on standard output, one message a line.
pub fn run() -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    io::stdin().lock().take(MAX_SPEC_BYTES).read_to_string(&mut text)?;
    let spec: Spec = serde_json::from_str(&text).context("the instruction is not valid")?;
    let mut out = Lines(BufWriter::new(io::stdout().lock()));
    let result = match &spec.work {
        Work::Secrets { root } => engines::secrets::run(root, spec.profile, &spec.limits, &mut out),
        Work::Dependencies { root, advisories } => {
            engines::dependencies::run(root, advisories.as_deref(), &spec.limits, &mut out)
        }
        Work::Website { url, network } => {
            engines::website::run(url, network, spec.profile, &spec.limits, &mut out)
        }
    };
    out.0.flush()?;
    match result {
        // Nobody reads any more: the worker has its reasons.
        Err(RunError::Output(_)) | Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
    }
}

struct Lines<W>(W);

impl<W: Write> Output for Lines<W> {
    fn send(&mut self, message: Message) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, &message)?;
        self.0.write_all(b"\n")?;
        // Progress is for people who watch.
        if matches!(message, Message::Progress { .. } | Message::Done { .. }) {
            self.0.flush()?;
        }
        Ok(())
    }
}
