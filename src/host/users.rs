//! Whose rights a command has: accounts of `/etc/passwd` and `/etc/group`.
//!
//! The files are read directly. Accounts that only a directory service knows can
//! be named by their number.

use std::io;

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use serde::{Deserialize, Serialize};

/// The numbers of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

impl Account {
    /// The account of a name or a number; `None` if it is already ours.
    pub(super) fn find(name: &str) -> Result<Option<Self>, String> {
        let own = rustix::process::geteuid();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
        let account = Self::of(name, &passwd, &groups)
            .ok_or_else(|| format!("no user `{name}` in /etc/passwd"))?;
        match (own.is_root(), account.uid == own.as_raw()) {
            (_, true) => Ok(None),
            (true, false) => Ok(Some(account)),
            (false, false) => Err(format!(
                "`user: {name}` needs an agent that was started as root"
            )),
        }
    }

    /// The name of a user, or the number if it has none.
    pub(super) fn name_of(uid: u32) -> String {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        });
        found.unwrap_or_else(|| format!("user {uid}"))
    }

    fn of(name: &str, passwd: &str, groups: &str) -> Option<Self> {
        let number = name.parse::<u32>().ok();
        let found = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (login, _) = (fields.next()?, fields.next()?);
            let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (login == name || number == Some(uid)).then(|| (login.to_owned(), uid, gid))
        });
        let (login, uid, gid) = match (found, number) {
            (Some(found), _) => found,
            (None, Some(number)) => {
                return Some(Self {
                    uid: number,
                    gid: number,
                    groups: vec![number],
                });
            }
            (None, None) => return None,
        };
        let mut all = vec![gid];
        for line in groups.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [_, _, group, members] = fields[..]
                && members.split(',').any(|member| member == login)
                && let Ok(group) = group.parse()
                && !all.contains(&group)
            {
                all.push(group);
            }
        }
        Some(Self {
            uid,
            gid,
            groups: all,
        })
    }

    /// Gives the rights of this thread up for those of the account: groups, group,
    /// user, in this order, for each step needs what the next one takes away.
    pub(super) fn become_it(&self) -> io::Result<()> {
        let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
        let (gid, uid) = (Gid::from_raw(self.gid), Uid::from_raw(self.uid));
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          www:x:33:33:www:/var/www:/bin/sh\n\
                          broken line\n";
    const GROUP: &str = "root:x:0:\nwww:x:33:\nadm:x:4:syslog,www\nssl:x:110:www\n";

    #[test]
    fn accounts() {
        let account = |uid, gid, groups: &[u32]| {
            Some(Account {
                uid,
                gid,
                groups: groups.to_vec(),
            })
        };
        for (name, expected) in [
            ("www", account(33, 33, &[33, 4, 110])),
            ("33", account(33, 33, &[33, 4, 110])),
            ("4711", account(4711, 4711, &[4711])),
            ("nobody", None),
            ("", None),
        ] {
            assert_eq!(Account::of(name, PASSWD, GROUP), expected, "{name}");
        }
    }
}
