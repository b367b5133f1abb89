//! Which file systems tell of every change, and which only of this machine's own.
//!
//! `inotify(7)` sees what goes through this kernel. Where files live on another
//! machine, or in a program, others write them unseen: such directories are looked
//! at again and again. The numbers are those of `statfs(2)` and of the kernel's
//! `linux/magic.h`.

/// File systems whose files others may write unseen.
const SHARED: &[(u32, &str)] = &[
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb"),
    (0x6573_5546, "fuse"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "ceph"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x7375_7245, "coda"),
    (0x564c, "ncp"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x7461_636f, "ocfs2"),
    (0x0116_1970, "gfs2"),
    (0x1983_0326, "fhgfs"),
    (0xaad7_aaea, "panfs"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
    (0x00c0_ffee, "hostfs"),
];

/// The name of the file system with this number, if its files may change unseen.
pub(super) fn shared(magic: u32) -> Option<&'static str> {
    let known = SHARED.iter().find(|(number, _)| *number == magic);
    known.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e13_network_and_user_space_are_shared_and_disks_are_not() {
        for (magic, expected) in [
            (0x6969, Some("nfs")),
            (0xff53_4d42, Some("cifs")),
            (0xfe53_4d42, Some("smb")),
            (0x6573_5546, Some("fuse")),
            (0x0102_1997, Some("9p")),
            // ext4, xfs, btrfs, tmpfs, overlay, zfs.
            (0xef53, None),
            (0x5846_5342, None),
            (0x9123_683e, None),
            (0x0102_1994, None),
            (0x794c_7630, None),
            (0x2fc1_2fc1, None),
        ] {
            assert_eq!(shared(magic), expected, "{magic:#x}");
        }
    }
}
