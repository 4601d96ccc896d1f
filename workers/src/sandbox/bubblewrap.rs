use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::NOBODY;

/// Where distributions put it; the search path of the worker is not asked.
const PROGRAMS: [&str; 3] = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];
/// Folders of the system; on merged systems all but the first are links.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// What programs need to start and to check certificates. Nothing here tells of users.
const SETTINGS: [&str; 5] =
    ["/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl", "/etc/pki", "/etc/ca-certificates"];
/// What programs need besides to find a host.
const NETWORK_SETTINGS: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"];

/// Whose rights the program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// The worker's user, in a user namespace.
    Own,
    /// Nobody, in a user namespace. An outer bubblewrap, run by root, only makes the caller's
    /// mounts, because nobody may not walk to them.
    StagedNobody,
    /// Nobody, without a user namespace, for machines that allow those to root only.
    DroppedNobody,
}

/// Bubblewrap, and what this copy of it can do here.
#[derive(Debug, Clone)]
pub(super) struct Walls {
    program: PathBuf,
    identity: Identity,
    disable_userns: bool,
    sized_tmpfs: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Bind {
    pub source: PathBuf,
    pub inside: PathBuf,
    pub writable: bool,
}

/// What is to be run behind the walls.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub words: Vec<OsString>,
    pub binds: &'a [Bind],
    pub network: bool,
    pub tmp_bytes: u64,
}

/// Where the outer bubblewrap of [`Identity::StagedNobody`] puts the caller's mounts.
const STAGE: &str = "/tmp";

impl Walls {
    pub(super) fn find() -> Option<PathBuf> {
        PROGRAMS.iter().map(PathBuf::from).find(|program| program.is_file())
    }

    /// `help` is what the program says to `--help`; older copies lack some options.
    pub(super) fn new(program: PathBuf, identity: Identity, help: &str) -> Self {
        Self {
            program,
            identity,
            disable_userns: help.contains("--disable-userns"),
            sized_tmpfs: help.contains("--size"),
        }
    }

    pub(super) fn without_disabled_userns(self) -> Self {
        Self { disable_userns: false, ..self }
    }

    pub(super) fn describe(&self) -> &'static str {
        match self.identity {
            Identity::Own => "bubblewrap with a user namespace",
            Identity::StagedNobody => "bubblewrap as nobody with a user namespace",
            Identity::DroppedNobody => "bubblewrap as nobody",
        }
    }

    pub(super) fn run_as_nobody(&self) -> bool {
        self.identity != Identity::Own
    }

    pub(super) fn has_own_userns(&self) -> bool {
        self.identity != Identity::DroppedNobody
    }

    /// The whole command line.
    pub(super) fn words(&self, plan: Plan<'_>) -> Vec<OsString> {
        match self.identity {
            Identity::Own => self.inner(&plan, plan.binds),
            Identity::StagedNobody => {
                let (mut words, staged) = self.stage(plan.binds);
                words.extend(become_nobody());
                words.extend(self.inner(&plan, &staged));
                words
            }
            Identity::DroppedNobody => {
                let words = become_nobody().chain(plan.words).collect();
                let plan = Plan { words, ..plan };
                self.inner(&plan, plan.binds)
            }
        }
    }

    fn stage(&self, binds: &[Bind]) -> (Vec<OsString>, Vec<Bind>) {
        let mut words = self.start();
        push(&mut words, ["--dev-bind", "/", "/", "--tmpfs", STAGE]);
        let mut staged = Vec::with_capacity(binds.len());
        for (number, bind) in binds.iter().enumerate() {
            let place = Path::new(STAGE).join(number.to_string());
            push_bind(&mut words, &Bind { inside: place.clone(), ..bind.clone() });
            staged.push(Bind { source: place, ..bind.clone() });
        }
        push(&mut words, ["--"]);
        (words, staged)
    }

    fn inner(&self, plan: &Plan<'_>, binds: &[Bind]) -> Vec<OsString> {
        let mut words = self.start();
        push(&mut words, ["--new-session", "--hostname", "sandbox", "--cap-drop", "ALL"]);
        push(&mut words, ["--unshare-ipc", "--unshare-pid", "--unshare-uts"]);
        push(&mut words, ["--unshare-cgroup-try"]);
        self.push_identity(&mut words);
        if !plan.network {
            push(&mut words, ["--unshare-net"]);
        }
        push_system(&mut words, plan.network);
        push(&mut words, ["--proc", "/proc", "--dev", "/dev"]);
        push(&mut words, ["--perms", "1777"]);
        if self.sized_tmpfs {
            push(&mut words, ["--size", &plan.tmp_bytes.to_string()]);
        }
        push(&mut words, ["--tmpfs", "/tmp"]);
        for bind in binds {
            push_bind(&mut words, bind);
        }
        // Both are memory of the host without a bound of their own.
        push(&mut words, ["--remount-ro", "/dev", "--remount-ro", "/"]);
        push(&mut words, ["--chdir", "/", "--"]);
        words.extend(plan.words.iter().cloned());
        words
    }

    fn push_identity(&self, words: &mut Vec<OsString>) {
        if self.has_own_userns() {
            push(words, ["--unshare-user"]);
            if self.disable_userns {
                push(words, ["--disable-userns"]);
            }
        } else {
            for capability in ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"] {
                push(words, ["--cap-add", capability]);
            }
        }
    }

    fn start(&self) -> Vec<OsString> {
        vec![self.program.clone().into(), "--die-with-parent".into()]
    }
}

fn become_nobody() -> impl Iterator<Item = OsString> {
    let id = NOBODY.to_string();
    // The change of user clears the parent death signal; without it a group could outlive us.
    let start = ["setpriv", "--pdeathsig", "keep", "--reuid", &id, "--regid", &id]
        .map(OsString::from)
        .into_iter();
    start.chain(without_powers(true))
}

/// The rest of a `setpriv` that leaves no capability and no way to gain one.
pub(super) fn without_powers(root: bool) -> impl Iterator<Item = OsString> {
    let always = ["--no-new-privs", "--inh-caps=-all"];
    let as_root = ["--bounding-set=-all", "--clear-groups"];
    let as_root = as_root.into_iter().filter(move |_| root);
    always.into_iter().chain(as_root).chain(["--"]).map(OsString::from)
}

fn push_system(words: &mut Vec<OsString>, network: bool) {
    for folder in SYSTEM {
        match fs::read_link(folder) {
            Ok(target) => words.extend(["--symlink".into(), target.into(), folder.into()]),
            Err(_) => push(words, ["--ro-bind-try", folder, folder]),
        }
    }
    let network = NETWORK_SETTINGS.into_iter().filter(|_| network);
    for path in SETTINGS.into_iter().chain(network) {
        push(words, ["--ro-bind-try", path, path]);
    }
}

fn push_bind(words: &mut Vec<OsString>, bind: &Bind) {
    let option = if bind.writable { "--bind" } else { "--ro-bind" };
    words.extend([option.into(), bind.source.clone().into(), bind.inside.clone().into()]);
}

fn push<'a>(words: &mut Vec<OsString>, more: impl IntoIterator<Item = &'a str>) {
    words.extend(more.into_iter().map(OsString::from));
}
