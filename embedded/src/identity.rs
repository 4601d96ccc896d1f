use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// Who the servers run as. Postgres refuses to run as root, so root hands them to another user.
#[derive(Debug, Clone)]
pub enum Identity {
    Own,
    Service { name: String, uid: u32, gid: u32 },
}

impl Identity {
    pub fn current() -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        let passwd =
            fs::read_to_string("/etc/passwd").map_err(Error::file("read", "/etc/passwd"))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| service_user(&passwd, name))
            .ok_or(Error::NoServiceUser)
    }

    /// A command that runs `program` as this user, alone in its process group so that Ctrl-C in a
    /// terminal leaves the order of the shutdown to us, and that gets `death_signal` when the
    /// starting thread ends. It inherits nothing of the environment, which may hold secrets.
    pub fn command(&self, program: &Path, death_signal: &str) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", death_signal, "--no-new-privs"]);
        if let Self::Service { uid, gid, .. } = self {
            command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()]);
            command.arg("--clear-groups");
        }
        command.arg("--").arg(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null()).process_group(0);
        command
    }

    pub fn own(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            Self::Service { uid, gid, .. } => chown(path, Some(*uid), Some(*gid))
                .map_err(Error::file("change the owner of", path)),
        }
    }

    /// Whether this user can pass through `dir`: asked of the system itself, since modes alone do
    /// not tell (access lists, mounts, each parent).
    pub fn can_pass(&self, dir: &Path) -> Result<bool, Error> {
        let Self::Service { .. } = self else { return Ok(true) };
        let mut test = self.command(Path::new("test"), "KILL");
        let status = test
            .arg("-x")
            .arg(dir)
            .current_dir("/")
            .status()
            .map_err(|source| Error::Spawn { program: "setpriv".to_owned(), source })?;
        Ok(status.success())
    }

    pub fn uid(&self) -> u32 {
        match self {
            Self::Own => rustix::process::geteuid().as_raw(),
            Self::Service { uid, .. } => *uid,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Own => "who started this process",
            Self::Service { name, .. } => name,
        }
    }
}

fn service_user(passwd: &str, wanted: &str) -> Option<Identity> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| *name == wanted)?;
        let uid = fields.nth(1)?.parse().ok().filter(|uid| *uid != 0)?;
        let gid = fields.next()?.parse().ok()?;
        Some(Identity::Service { name: name.to_owned(), uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_user_is_found_by_its_whole_name_and_is_never_root() {
        let passwd = "root:x:0:0::/:/bin/sh\npostgres-old:x:7:7::/:/x\npostgres:x:101:104:,,,:/v:/b\nnobody:x:0:0::/:/x\n";
        let Some(Identity::Service { uid, gid, .. }) = service_user(passwd, "postgres") else {
            panic!("not found")
        };
        assert_eq!((uid, gid), (101, 104));
        assert!(service_user(passwd, "nobody").is_none());
        assert!(service_user(passwd, "absent").is_none());
    }
}
