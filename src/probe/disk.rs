//! File systems: which there are, and how full they are.
//!
//! Full is what `df` calls full: blocks that only root may use count as used up. A
//! file system that does not answer (a server that is gone, a dead FUSE program) is
//! named: whatever touches it hangs as well.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::limits::Levels;
use super::{Finding, Measure, Report, Status, bytes};

/// Kinds that hold no data of anybody, or that cannot be written: they are what they
/// are, and images are always full.
const PASSED_OVER: &[&str] = &[
    // Asking this one mounts what it stands for.
    "autofs",
    "cramfs",
    "devtmpfs",
    "efivarfs",
    "erofs",
    "fuse.lxcfs",
    "fuse.portal",
    "fuse.snapfuse",
    "fuse.squashfuse",
    "iso9660",
    "romfs",
    "squashfs",
    "udf",
];

/// Kinds whose data is on another machine.
const REMOTE: &[&str] = &[
    "9p",
    "afs",
    "ceph",
    "cifs",
    "coda",
    "fuse.cephfs",
    "fuse.curlftpfs",
    "fuse.davfs",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
    "virtiofs",
];

/// Where containers have the mounts that belong to them alone.
const OF_CONTAINERS: &[&str] = &[
    "/run/containerd",
    "/run/k3s",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/kubelet",
];

/// What of a file system may run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Bytes.
    Space,
    /// Inodes: how many files there can be.
    Inodes,
}

/// A line of `/proc/self/mountinfo` (`proc(5)`), as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    /// Major and minor number: the same for all mounts of a file system.
    device: Vec<u8>,
    point: PathBuf,
    kind: String,
    /// Nobody can write to it, however it is mounted.
    is_read_only: bool,
}

/// A file system that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// Where, the shortest path first.
    pub points: Vec<PathBuf>,
}

/// Which file systems are wanted where none is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Not those that are mounted here.
    pub exclude: Vec<PathBuf>,
    /// Only those of this machine.
    pub is_local: bool,
}

/// What a file system says of itself (`statvfs(3)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes, or inodes, that there are.
    pub total: u64,
    /// Those nobody uses.
    pub free: u64,
    /// Those that everybody may use.
    pub available: u64,
}

/// A file system that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The path by which it was asked.
    pub path: String,
    /// Where it is mounted, if that is not the path.
    pub mounted_at: Option<String>,
    /// What came of it.
    pub answer: Answer,
}

/// What came of asking a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It told.
    Usage(Usage),
    /// It did not, for so long.
    Silence(Duration),
    /// It is broken: it answers with an error.
    Broken(String),
    /// It was not asked: there is no such path, or no permission.
    Unasked(String),
}

/// Reads the mounts of this process.
fn mounts(mountinfo: &[u8]) -> Vec<Mount> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    lines.filter_map(mount).collect()
}

/// Reads `36 35 98:0 /root /point options [more…] - kind source options`.
fn mount(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let hyphen = 6 + fields.get(6..)?.iter().position(|field| *field == b"-")?;
    let options = fields.get(hyphen + 3)?;
    Some(Mount {
        device: fields[2].to_owned(),
        point: PathBuf::from(OsString::from_vec(unescaped(fields[4]))),
        kind: String::from_utf8_lossy(fields.get(hyphen + 1)?).into_owned(),
        // The options of the file system, not those of the mount: to a service
        // that may not write, everything is mounted for reading only.
        is_read_only: options
            .split(|byte| *byte == b',')
            .any(|word| word == b"ro"),
    })
}

/// Takes `\040` and the like back.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|octal| std::str::from_utf8(octal).ok());
        match octal.and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

/// The file systems that hold data, each once, in the order of their mounts.
pub fn file_systems(mountinfo: &[u8], wanted: &Wanted) -> Vec<FileSystem> {
    let mounts = mounts(mountinfo);
    let mut found: Vec<(Vec<u8>, FileSystem)> = Vec::new();
    for (idx, mount) in mounts.iter().enumerate() {
        let is_hidden = mounts[idx + 1..]
            .iter()
            .any(|later| later.point == mount.point);
        let is_below = |places: &[&str]| places.iter().any(|place| mount.point.starts_with(place));
        let is_passed_over = PASSED_OVER.contains(&mount.kind.as_str())
            || mount.is_read_only
            || is_below(&["/proc", "/sys"])
            // Layers lie on a file system that is looked at anyway, but for the one
            // that is all a container has.
            || mount.kind == "overlay" && mount.point != Path::new("/")
            || mount.kind == "tmpfs" && is_below(OF_CONTAINERS)
            || wanted.is_local && REMOTE.contains(&mount.kind.as_str());
        if is_hidden || is_passed_over {
            continue;
        }
        let point = mount.point.clone();
        match found.iter_mut().find(|(device, _)| *device == mount.device) {
            Some((_, known)) => known.points.push(point),
            None => {
                let points = vec![point];
                found.push((mount.device.clone(), FileSystem { points }));
            }
        }
    }
    let is_excluded = |point: &PathBuf| wanted.exclude.contains(point);
    found
        .into_iter()
        .map(|(_, mut known)| {
            known.points.sort_by_key(|point| point.as_os_str().len());
            known
        })
        .filter(|known| !known.points.iter().any(is_excluded))
        .collect()
}

/// Where the file system that a path lies on is mounted, if that is not the path
/// itself.
pub fn mounted_at(mountinfo: &[u8], path: &Path) -> Option<PathBuf> {
    let points = mounts(mountinfo).into_iter().map(|mount| mount.point);
    let longest = points
        .filter(|point| path.starts_with(point))
        .max_by_key(|point| point.as_os_str().len())?;
    (longest != path).then_some(longest)
}

impl Resource {
    fn name(self) -> &'static str {
        match self {
            Self::Space => "DISK",
            Self::Inodes => "INODES",
        }
    }
}

impl Usage {
    /// Percent in use, of what may be used; none where nothing is counted.
    fn percent(&self) -> Option<f64> {
        let used = self.total.saturating_sub(self.free);
        let usable = used.saturating_add(self.available);
        (self.total > 0 && usable > 0).then(|| used as f64 / usable as f64 * 100.0)
    }
}

/// Judges what file systems said. `is_named`: somebody asked for these, and wants an
/// answer for each.
pub fn report(resource: Resource, asked: &[Asked], levels: &Levels, is_named: bool) -> Report {
    let mut found = Vec::new();
    let mut measures = Vec::new();
    for asked in asked {
        let (status, percent, text) = match &asked.answer {
            Answer::Usage(usage) => match usage.percent() {
                Some(percent) => {
                    let left = match resource {
                        Resource::Space => usage.available,
                        // Limits in bytes are not for these.
                        Resource::Inodes => u64::MAX,
                    };
                    let limits = levels.of_percent(usage.total);
                    measures.push(Measure::percent(&asked.path, percent, limits));
                    let status = levels.status(percent, left);
                    (status, percent, said(resource, percent, usage))
                }
                // Some kinds have no fixed number of inodes; the kernel's own have no
                // blocks.
                None if is_named => (Status::Ok, 0.0, "has no fixed number of them".to_owned()),
                None => continue,
            },
            Answer::Silence(waited) => {
                let text = format!("does not answer within {} s", waited.as_secs());
                (Status::Critical, f64::INFINITY, text)
            }
            Answer::Broken(why) => (Status::Critical, f64::INFINITY, format!("is broken: {why}")),
            // Of those that nobody named, somebody else takes care.
            Answer::Unasked(_) if !is_named => continue,
            Answer::Unasked(why) => (
                Status::Unknown,
                f64::INFINITY,
                format!("cannot be asked: {why}"),
            ),
        };
        let text = match &asked.mounted_at {
            Some(point) if status != Status::Unknown => {
                format!("{} (on {point}) {text}", asked.path)
            }
            Some(_) | None => format!("{} {text}", asked.path),
        };
        found.push((percent, Finding { status, text }));
    }
    if found.is_empty() {
        let why = "there is no file system to look at";
        return of_nothing(resource, why.to_owned());
    }
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    Report {
        name: resource.name(),
        findings: found.into_iter().map(|(_, finding)| finding).collect(),
        measures,
    }
}

/// There is nothing to judge.
pub fn of_nothing(resource: Resource, why: String) -> Report {
    Report::new(resource.name(), Status::Unknown, why)
}

fn said(resource: Resource, percent: f64, usage: &Usage) -> String {
    // Rounded up as `df` does, so that 100% is said when nothing is left.
    let percent = percent.ceil();
    match resource {
        Resource::Space => format!(
            "{percent}% used, {} of {} left",
            bytes(usage.available),
            bytes(usage.total)
        ),
        Resource::Inodes => format!(
            "{percent}% used, {} of {} left",
            usage.available, usage.total
        ),
    }
}

/// A path as it is shown.
pub fn shown(path: &Path) -> String {
    String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::limits::Level;
    use super::*;

    const MOUNTINFO: &str = "\
22 27 0:21 / /proc rw,relatime shared:12 - proc proc rw
27 1 254:0 / / ro,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
28 27 254:0 /var/lib/logcrier /var/lib/logcrier rw,relatime - ext4 /dev/vda1 rw
29 27 254:1 / /srv/my\\040data rw - xfs /dev/vdb rw,attr2
30 27 7:1 / /snap/core/1 ro,nodev - squashfs /dev/loop1 ro
31 27 11:0 / /media/cd ro - iso9660 /dev/sr0 ro
32 27 0:40 / /mnt/nfs rw - nfs4 10.0.0.1:/x rw,vers=4.2
33 27 0:41 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw
34 27 0:42 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
39 27 0:43 / /var/lib/docker/containers/x/mounts/shm rw - tmpfs shm rw
35 27 254:2 / /data rw - ext4 /dev/vdc rw
36 27 254:3 / /data rw - ext4 /dev/vdd rw
broken line
37 27 254:4 / /frozen rw - ext4 /dev/vde ro
38 27 254:1 /sub /s rw - xfs /dev/vdb rw
";

    fn points(wanted: &Wanted) -> Vec<String> {
        let found = file_systems(MOUNTINFO.as_bytes(), wanted);
        let first = |known: &FileSystem| shown(&known.points[0]);
        found.iter().map(first).collect()
    }

    #[test]
    fn file_systems_that_hold_data_once_each() {
        let all = Wanted::default();
        assert_eq!(points(&all), ["/", "/s", "/mnt/nfs", "/data"]);
        let some = Wanted {
            exclude: vec!["/srv/my data".into()],
            is_local: true,
        };
        assert_eq!(points(&some), ["/", "/data"]);
        let container = b"1 0 0:9 / / rw - overlay overlay rw,lowerdir=/a\n";
        assert_eq!(file_systems(container, &all).len(), 1);
    }

    #[test]
    fn where_a_path_lies() {
        for (path, expected) in [
            ("/", None),
            ("/data", None),
            ("/data/x/y", Some("/data")),
            ("/database", Some("/")),
            ("/srv/my data/x", Some("/srv/my data")),
        ] {
            let found = mounted_at(MOUNTINFO.as_bytes(), Path::new(path));
            assert_eq!(found.as_deref().map(shown).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn reports() {
        let gib = 1_u64 << 30;
        let usage = |total, free, available| {
            Answer::Usage(Usage {
                total,
                free,
                available,
            })
        };
        let levels = Levels::new(Level::parse("80%").unwrap(), Level::parse("90%").unwrap());
        let levels = levels.unwrap();
        let line = |resource, answers: &[(&str, Answer)], is_named| {
            let asked: Vec<Asked> = (answers.iter())
                .map(|(path, answer)| Asked {
                    path: (*path).to_owned(),
                    mounted_at: (*path == "/x/y").then(|| "/x".to_owned()),
                    answer: answer.clone(),
                })
                .collect();
            report(resource, &asked, &levels, is_named).line()
        };
        let half = usage(100 * gib, 55 * gib, 50 * gib);
        for (answers, expected) in [
            (
                vec![("/proc", usage(0, 0, 0)), ("/", half.clone())],
                "DISK OK - / 48% used, 50 GiB of 100 GiB left | '/'=47.368%;80;90;0;100",
            ),
            // What only root may use is used up.
            (
                vec![("/", half.clone()), ("/a", usage(100, 5, 0))],
                "DISK CRITICAL - /a 100% used, 0.0 KiB of 0.1 KiB left; 1 more is fine | \
                 '/'=47.368%;80;90;0;100 '/a'=100%;80;90;0;100",
            ),
            (
                vec![
                    ("/", usage(100 * gib, 15 * gib, 15 * gib)),
                    ("/nfs", Answer::Silence(Duration::from_secs(10))),
                    ("/fuse", Answer::Broken("not connected".to_owned())),
                    ("/x", Answer::Unasked("permission denied".to_owned())),
                ],
                "DISK CRITICAL - /nfs does not answer within 10 s; /fuse is broken: not connected; \
                 / 85% used, 15 GiB of 100 GiB left | '/'=85%;80;90;0;100",
            ),
            (
                vec![("/proc", usage(0, 0, 0))],
                "DISK UNKNOWN - there is no file system to look at",
            ),
        ] {
            assert_eq!(line(Resource::Space, &answers, false), expected);
        }
        assert_eq!(
            line(
                Resource::Inodes,
                &[("/", usage(1_000, 900, 900)), ("/btrfs", usage(0, 0, 0))],
                true
            ),
            "INODES OK - / 10% used, 900 of 1000 left; /btrfs has no fixed number of them | \
             '/'=10%;80;90;0;100"
        );
        let gone = Answer::Unasked("no such file or directory".to_owned());
        assert_eq!(
            line(Resource::Space, &[("/x/y", gone)], true),
            "DISK UNKNOWN - /x/y cannot be asked: no such file or directory"
        );
        assert_eq!(
            line(Resource::Space, &[("/x/y", half)], true),
            "DISK OK - /x/y (on /x) 48% used, 50 GiB of 100 GiB left | '/x/y'=47.368%;80;90;0;100"
        );
    }
}
