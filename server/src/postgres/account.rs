//! As whom PostgreSQL runs: it refuses to run as root.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use tokio::process::Command;

use super::PostgresError;

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account to drop to: `postgres`, else `nobody`, when this process is root; none when it is not.
    pub(super) fn for_this_process() -> Result<Option<Self>, PostgresError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").map_err(PostgresError::io("/etc/passwd"))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| Self::find(&accounts, name))
            .map(Some)
            .ok_or(PostgresError::NoAccount)
    }

    /// `name:password:uid:gid:…`, see passwd(5).
    fn find(accounts: &str, name: &str) -> Option<Self> {
        accounts.lines().find_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            let [first, _, uid, gid, ..] = fields.as_slice() else { return None };
            (*first == name).then_some(())?;
            Some(Self { name: name.into(), uid: uid.parse().ok()?, gid: gid.parse().ok()? })
        })
    }

    /// The name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Makes a program run as this account, with no other groups.
    pub(super) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a file or a folder to this account.
    pub(super) fn own(&self, path: &Path) -> Result<(), PostgresError> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(PostgresError::io(path))
    }

    /// The first folder on the way to `path` that this account cannot pass. What does not exist yet is not in the way.
    pub(super) fn blocked_at<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let mut folders: Vec<_> = path.ancestors().collect();
        folders.reverse();
        folders.into_iter().find(|folder| fs::metadata(folder).is_ok_and(|metadata| !self.may_pass(&metadata)))
    }

    fn may_pass(&self, metadata: &fs::Metadata) -> bool {
        let mode = metadata.permissions().mode();
        let bit = if metadata.uid() == self.uid {
            0o100
        } else if metadata.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\nmypostgres:x:1:1::/:/x\npostgres:x:101:104:PG:/var:/bin/sh\n";
        let account = Account::find(accounts, "postgres").unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert_eq!(Account::find(accounts, "nobody"), None);
    }

    #[test]
    fn a_closed_folder_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        let stranger = Account { name: "stranger".into(), uid: 4_000_001, gid: 4_000_001 };
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let goal = closed.join("not/yet");
        assert_eq!(stranger.blocked_at(&goal), Some(closed.as_path()));
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(stranger.blocked_at(&goal), None);
    }
}
