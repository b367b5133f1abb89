//! Asks file systems how full they are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{StatVfs, statvfs};
use rustix::io::Errno;

use super::ask_all;
use crate::probe::disk::{Answer, Asked, Resource, Usage, Wanted, file_systems, mounted_at, shown};

/// The mounts of this process (`proc(5)`). Reading it asks no file system.
const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Asks the file systems on which these paths lie, or all that hold data. Fails where
/// the mounts cannot be read.
pub fn ask(
    resource: Resource,
    paths: &[PathBuf],
    wanted: &Wanted,
    patience: Duration,
) -> Result<Vec<Asked>, String> {
    let mountinfo = std::fs::read(MOUNTINFO).map_err(|error| format!("{MOUNTINFO}: {error}"))?;
    // The first path is the name of each.
    let each: Vec<Vec<PathBuf>> = match paths {
        [] => (file_systems(&mountinfo, wanted).into_iter())
            .map(|found| found.points)
            .collect(),
        paths => paths.iter().map(|path| vec![path.clone()]).collect(),
    };
    let is_named = !paths.is_empty();
    let questions = each.iter().map(|points| {
        let points = points.clone();
        move || match is_named {
            true => (points[0].clone(), of(resource, &points[0])),
            false => first_directory(resource, &points),
        }
    });
    let answers = ask_all(questions.collect(), patience);
    let asked = each.into_iter().zip(answers);
    Ok(asked
        .map(|(points, answer)| {
            let silence = || (points[0].clone(), Answer::Silence(patience));
            let (path, answer) = answer.unwrap_or_else(silence);
            Asked {
                path: shown(&path),
                mounted_at: mounted_at(&mountinfo, &path).as_deref().map(shown),
                answer,
            }
        })
        .collect())
}

/// Asks where a file system is mounted whole. Containers have single files mounted
/// that lie on a file system of the machine: that is none of theirs.
fn first_directory(resource: Resource, points: &[PathBuf]) -> (PathBuf, Answer) {
    // What cannot even say what it is has something to tell.
    let is_file = |point: &Path| point.metadata().is_ok_and(|found| !found.is_dir());
    match points.iter().find(|point| !is_file(point)) {
        Some(point) => (point.clone(), of(resource, point)),
        None => {
            let why = "no directory of it is mounted here".to_owned();
            (points[0].clone(), Answer::Unasked(why))
        }
    }
}

fn of(resource: Resource, path: &Path) -> Answer {
    match statvfs(path) {
        Ok(told) => Answer::Usage(usage(resource, &told)),
        Err(error @ (Errno::ACCESS | Errno::PERM | Errno::NOENT | Errno::NOTDIR)) => {
            Answer::Unasked(words(error))
        }
        Err(error) => Answer::Broken(words(error)),
    }
}

fn usage(resource: Resource, told: &StatVfs) -> Usage {
    match resource {
        Resource::Space => {
            let bytes = |n_blocks: u64| n_blocks.saturating_mul(told.f_frsize);
            Usage {
                total: bytes(told.f_blocks),
                free: bytes(told.f_bfree),
                available: bytes(told.f_bavail),
            }
        }
        Resource::Inodes => Usage {
            total: told.f_files,
            free: told.f_ffree,
            available: told.f_favail,
        },
    }
}

/// An error without its number.
fn words(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
