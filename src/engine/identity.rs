//! Is this still the file we were reading?
//!
//! Names lie, inode numbers are reused, and a head may be shared by a thousand
//! files. So identity is not a key but a verdict over evidence: device and inode,
//! birth time, the first bytes, and the bytes just before positions we once stood
//! at. This module only judges; `host::files` collects.
//!
//! It never gives up because time has passed. Only bytes decide.
//!
//! | device, inode | birth | marks | verdict |
//! |---|---|---|---|
//! | same | same or unknown | head and newest hold | go on |
//! | same | same or unknown | newest fails, all others in reach hold, close by | cut in place: resume at the newest that holds |
//! | same | same or unknown | otherwise | rewritten: a new generation from 0 |
//! | differs, or born again | – | head and newest hold | moved: the same content in another file |
//! | same | differs | otherwise | reused: another file |
//! | differs | – | otherwise | another file |

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// Bytes before a position that a mark covers, at most.
pub const MARK_BYTES_MAX: u64 = 256;

/// Marks kept of one file besides those of its head; older ones thin out.
pub const MARKS_MAX: usize = 8;

/// How far the head is remembered, in bytes, as far as the file reaches.
pub const HEAD_BYTES: [u64; 4] = [64, 256, 1024, 4096];

/// Content is taken for a file's own only from this many proven bytes on.
pub(super) const PROOF_BYTES_MIN: u64 = 64;

/// How far behind the position a mark may lie for an edit in place to be believed.
const EDIT_BYTES_MAX: u64 = 1 << 20;

/// Where a file's content lives: unique at one time, not for ever.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Place {
    /// The device number.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
}

/// What the system tells about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// Where it lives.
    pub place: Place,
    /// When the inode was made, in nanoseconds since 1970, where the file system tells.
    pub birth: Option<i64>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written, in nanoseconds since 1970.
    pub modified: i64,
    /// How many names it has; 0 when it was deleted.
    pub links: u64,
}

/// Proof of bytes once seen: a hash of a stretch of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where the stretch begins.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// The [`fingerprint`] of its bytes.
    pub hash: u64,
}

/// All that is remembered of a file to know it again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// Where it was.
    pub place: Place,
    /// When it was made, if known.
    pub birth: Option<i64>,
    /// Marks from the first byte on, shortest first. Of a hundred thousand files there
    /// are as many lists: they have no room to spare.
    pub head: Box<[Mark]>,
    /// Marks before positions, newest last.
    pub marks: Box<[Mark]>,
}

/// What the evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same file: go on at the position.
    GoOn,
    /// The same file, cut or edited behind this offset: resume there.
    CutInPlace {
        /// The end of the newest mark that holds.
        resume: u64,
    },
    /// The same file, emptied and written anew: a new generation from 0.
    Rewritten,
    /// The inode number went to another file: the old one is gone.
    Reused,
    /// The same content in another file: go on there.
    Moved,
    /// Another file.
    Other,
}

/// Returns the hash of a stretch of bytes as it is kept in marks. It is stable
/// over releases: it is on people's disks.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = fingerprinter();
    hasher.write(bytes);
    hasher.finish()
}

/// What [`fingerprint`] hashes with: for stretches of which one begins the next.
pub fn fingerprinter() -> impl Hasher + Clone {
    SipHasher13::new()
}

impl Mark {
    /// Whether a hash is that of so many zeros.
    fn is_hole(&self, hash: Option<u64>) -> bool {
        const ZEROS: [u8; 4096] = [0; 4096];
        let n_bytes = usize::try_from(self.end - self.start).ok();
        let zeros = n_bytes.and_then(|n_bytes| ZEROS.get(..n_bytes));
        zeros.is_some_and(|zeros| hash == Some(fingerprint(zeros)))
    }

    /// Makes the mark of `bytes` that begin at `start`.
    pub fn of(bytes: &[u8], start: u64) -> Self {
        Self {
            start,
            end: start + bytes.len() as u64,
            hash: fingerprint(bytes),
        }
    }
}

impl Identity {
    /// Starts to remember a file.
    pub fn of(facts: &Facts) -> Self {
        Self {
            place: facts.place,
            birth: facts.birth,
            head: Box::default(),
            marks: Box::default(),
        }
    }

    /// Whether a file at the same place was certainly made by another act.
    pub fn has_other_birth_than(&self, found: &Facts) -> bool {
        matches!((self.birth, found.birth), (Some(old), Some(new)) if old != new)
    }

    /// The marks to look at for a verdict: the head's, then the others, newest last.
    pub fn probes(&self) -> Vec<Mark> {
        self.head.iter().chain(&self.marks).copied().collect()
    }

    /// What is remembered of the first bytes, with what was found there of the hashes of
    /// [`Self::probes`]. Of a file that was too short for a head when it was read last, the
    /// marks from its first byte on tell how it begins.
    fn beginnings<'a>(&'a self, hashes: &'a [Option<u64>]) -> Vec<(&'a Mark, &'a Option<u64>)> {
        let (head, ladder) = hashes.split_at(self.head.len().min(hashes.len()));
        match self.head.is_empty() {
            true => (self.marks.iter().zip(ladder))
                .filter(|(mark, _)| mark.start == 0)
                .collect(),
            false => self.head.iter().zip(head).collect(),
        }
    }

    /// The mark that ends at `offset`, if there is one.
    pub fn mark_at(&self, offset: u64) -> Option<Mark> {
        self.marks.last().copied().filter(|mark| mark.end == offset)
    }

    /// Remembers marks of a stretch just read, in rising order of their ends. Old
    /// ones thin out, so that the ladder reaches far back with few steps.
    pub fn climb(&mut self, marks: &[Mark]) {
        let mut ladder = std::mem::take(&mut self.marks).into_vec();
        for mark in marks {
            ladder.retain(|old| old.end < mark.end);
            ladder.push(*mark);
        }
        while ladder.len() > MARKS_MAX {
            let newest = ladder.last().map_or(0, |mark| mark.end);
            // The step whose loss leaves the smallest gap, relative to its age.
            let step = (0..ladder.len() - 1)
                .min_by_key(|&idx| {
                    let below = idx.checked_sub(1).map_or(0, |i| ladder[i].end);
                    let gap = ladder[idx + 1].end - below;
                    let age = newest - ladder[idx].end;
                    (gap.saturating_mul(1024) / (age + 1), idx)
                })
                .unwrap_or(0);
            ladder.remove(step);
        }
        self.marks = ladder.into();
    }

    /// Remembers a stretch that begins at the first byte.
    pub fn learn_head(&mut self, mark: Mark) {
        let others = self.head.iter().filter(|old| old.end != mark.end);
        let mut head: Vec<Mark> = others.copied().chain([mark]).collect();
        head.sort_by_key(|mark| mark.end);
        self.head = head.into();
    }

    /// Takes the hashes of the probes for those of the head: some of it may have been
    /// punched out.
    pub fn relearn_head(&mut self, hashes: &[Option<u64>]) {
        for (mark, hash) in self.head.iter_mut().zip(hashes) {
            mark.hash = hash.unwrap_or(mark.hash);
        }
    }

    /// Forgets all marks beyond an offset.
    pub fn cut(&mut self, offset: u64) {
        let kept = |marks: &[Mark]| {
            let marks = marks.iter().filter(|mark| mark.end <= offset);
            marks.copied().collect()
        };
        (self.head, self.marks) = (kept(&self.head), kept(&self.marks));
    }
}

/// Judges a file found where the known one was, or might be.
///
/// `hashes` are those of [`Identity::probes`], in that order; `None` where the
/// stretch is beyond the end of the file. What was written before the machine was started
/// is not settled: where the power failed, the end of it may not have reached the disk.
pub fn judge(
    (known, offset): (&Identity, u64),
    is_settled: bool,
    found: &Facts,
    hashes: &[Option<u64>],
) -> Verdict {
    let same_place = known.place == found.place;
    let other_birth = known.has_other_birth_than(found);
    let (_, ladder) = hashes.split_at(known.head.len().min(hashes.len()));
    let n_marks = ladder.len().min(known.marks.len());
    let holds = |idx: usize| ladder[idx] == Some(known.marks[idx].hash);
    let heads = known.beginnings(hashes);
    let head_holds = heads.iter().all(|(mark, hash)| **hash == Some(mark.hash));
    let newest_holds = found.size >= offset && (n_marks == 0 || holds(n_marks - 1));
    if !same_place || other_birth {
        let proven = offset >= PROOF_BYTES_MIN && n_marks > 0;
        return match (proven && head_holds && newest_holds, same_place) {
            (true, _) => Verdict::Moved,
            (false, true) => Verdict::Reused,
            (false, false) => Verdict::Other,
        };
    }
    // What was read may be punched out of a file, to free its room.
    let head_is_hole = || {
        let mut heads = heads.iter();
        n_marks > 0 && heads.all(|(mark, hash)| **hash == Some(mark.hash) || mark.is_hole(**hash))
    };
    if newest_holds && (head_holds || head_is_hole()) {
        return Verdict::GoOn;
    }
    let n_reachable = (known.marks.iter().take(n_marks))
        .filter(|mark| mark.end <= found.size)
        .count();
    let n_held = (0..n_marks).take_while(|&idx| holds(idx)).count();
    let newest = n_held.checked_sub(1).map_or(0, |idx| known.marks[idx].end);
    let is_close = newest >= PROOF_BYTES_MIN && offset - newest.min(offset) <= EDIT_BYTES_MAX;
    let is_cut = match found.size < offset {
        true => n_held == n_reachable && found.size > offset / 2,
        // Whoever writes after a power cut writes where the end was lost.
        false => !is_settled && head_holds && newest > offset / 2,
    };
    match is_close && is_cut {
        true => Verdict::CutInPlace { resume: newest },
        false => Verdict::Rewritten,
    }
}

/// Whether a file begins with the known content, up to the position. How much of it is
/// proven is not asked: the name must say that it may be a copy.
pub fn holds(known: &Identity, offset: u64, found: &Facts, hashes: &[Option<u64>]) -> bool {
    let (_, ladder) = hashes.split_at(known.head.len().min(hashes.len()));
    let heads = known.beginnings(hashes);
    let newest = known
        .marks
        .iter()
        .zip(ladder)
        .nth(known.marks.len().wrapping_sub(1));
    found.size >= offset
        && heads.iter().all(|(mark, hash)| **hash == Some(mark.hash))
        && newest.is_some_and(|(mark, hash)| *hash == Some(mark.hash))
}

/// Whether a file may be the beginning of the known content, as a copy in the making
/// is: it ends before the position, and what can be compared of its head holds. One
/// too short to be compared may be anything.
pub fn may_become(known: &Identity, offset: u64, found: &Facts, hashes: &[Option<u64>]) -> bool {
    let head = known.head.iter().zip(hashes);
    let mut in_reach = head.filter(|(mark, _)| mark.end <= found.size);
    found.size < offset && in_reach.all(|(mark, hash)| *hash == Some(mark.hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "one line of the log, long enough to be proof of something\n\
                        two lines of the log, long enough to be proof of something\n\
                        three lines of the log, which is where it was left for now\n";

    /// A file of `text` at an inode, and what is remembered of reading `offset` bytes of it.
    fn facts(inode: u64, birth: Option<i64>, text: &str) -> Facts {
        Facts {
            place: Place { device: 1, inode },
            birth,
            size: text.len() as u64,
            modified: 0,
            links: 1,
        }
    }

    fn known(facts: &Facts, text: &str, line_ends: &[usize]) -> Identity {
        let mut identity = Identity::of(facts);
        if text.len() >= 64 {
            identity.learn_head(Mark::of(&text.as_bytes()[..64], 0));
        }
        for &end in line_ends {
            let start = end.saturating_sub(64);
            identity.climb(&[Mark::of(&text.as_bytes()[start..end], start as u64)]);
        }
        identity
    }

    fn hashes(identity: &Identity, text: &str) -> Vec<Option<u64>> {
        identity
            .probes()
            .iter()
            .map(|mark| {
                text.as_bytes()
                    .get(mark.start as usize..mark.end as usize)
                    .map(fingerprint)
            })
            .collect()
    }

    fn check(found_inode: u64, found_birth: Option<i64>, found_text: &str, expected: Verdict) {
        let verdict = judged(found_inode, found_birth, found_text, true);
        assert_eq!(verdict, expected, "{found_text:?}");
    }

    fn judged(
        found_inode: u64,
        found_birth: Option<i64>,
        found_text: &str,
        is_settled: bool,
    ) -> Verdict {
        let before = facts(7, Some(100), TEXT);
        let ends: Vec<usize> = TEXT.match_indices('\n').map(|(idx, _)| idx + 1).collect();
        let identity = known(&before, TEXT, &ends);
        let found = facts(found_inode, found_birth, found_text);
        judge(
            (&identity, TEXT.len() as u64),
            is_settled,
            &found,
            &hashes(&identity, found_text),
        )
    }

    #[test]
    fn verdicts() {
        let grown = format!("{TEXT}four\n");
        let two_lines = &TEXT[..=TEXT.match_indices('\n').nth(1).unwrap().0];
        let other = "x".repeat(400);
        let edited = format!("{two_lines}another third line, edited in place, that is long\n");
        let shared_tail = format!("{}{}", "z".repeat(60), &TEXT[60..]);
        let punched = format!("{}{}", "\0".repeat(64), &TEXT[64..]);
        let shared_head = format!("{}{}", &TEXT[..64], "y".repeat(400));
        for (inode, birth, text, expected) in [
            (7, Some(100), TEXT, Verdict::GoOn),
            (7, Some(100), grown.as_str(), Verdict::GoOn),
            (7, None, grown.as_str(), Verdict::GoOn),
            (7, Some(100), "", Verdict::Rewritten),
            (7, Some(100), punched.as_str(), Verdict::GoOn),
            (8, Some(101), punched.as_str(), Verdict::Other),
            (7, Some(100), other.as_str(), Verdict::Rewritten),
            (7, Some(100), &other[..100], Verdict::Rewritten),
            (7, Some(100), shared_head.as_str(), Verdict::Rewritten),
            // Lines of one kind often end alike.
            (7, Some(100), shared_tail.as_str(), Verdict::Rewritten),
            (
                7,
                Some(100),
                two_lines,
                Verdict::CutInPlace {
                    resume: two_lines.len() as u64,
                },
            ),
            (
                7,
                Some(100),
                edited.as_str(),
                Verdict::CutInPlace {
                    resume: two_lines.len() as u64,
                },
            ),
            (7, Some(101), TEXT, Verdict::Moved),
            (7, Some(101), other.as_str(), Verdict::Reused),
            (8, Some(101), grown.as_str(), Verdict::Moved),
            (8, Some(101), other.as_str(), Verdict::Other),
            (8, Some(101), shared_head.as_str(), Verdict::Other),
            (8, Some(101), "", Verdict::Other),
        ] {
            check(inode, birth, text, expected);
        }
    }

    #[test]
    fn a_short_file_is_known_by_how_it_begins() {
        let before = facts(7, None, TEXT);
        let ends: Vec<usize> = TEXT.match_indices('\n').map(|(idx, _)| idx + 1).collect();
        let mut identity = known(&before, TEXT, &ends);
        identity.head = Box::default();
        identity.marks[0] = Mark::of(&TEXT.as_bytes()[..40], 0);
        let other = format!("{}{}", "z".repeat(60), &TEXT[60..]);
        for (text, expected) in [(TEXT, Verdict::GoOn), (&other, Verdict::Rewritten)] {
            let found = facts(7, None, text);
            let hashes = hashes(&identity, text);
            let known = (&identity, TEXT.len() as u64);
            assert_eq!(judge(known, true, &found, &hashes), expected, "{text:?}");
        }
    }

    /// Only where it may have been lost is the end of a file believed to be lost: whoever
    /// writes a log anew may begin it with the same lines.
    #[test]
    fn an_end_that_did_not_reach_the_disk() {
        let end = TEXT.match_indices('\n').nth(1).unwrap().0 + 1;
        let kept = &TEXT[..end];
        let grown = format!(
            "{kept}{}",
            "another line, of the life after the power cut\n".repeat(3)
        );
        let nuls = format!("{kept}{}a line\n", "\0".repeat(200));
        let resume = end as u64;
        for text in [&grown, &nuls] {
            let found = |is_settled| judged(7, Some(100), text, is_settled);
            assert_eq!(found(false), Verdict::CutInPlace { resume });
            assert_eq!(found(true), Verdict::Rewritten);
            assert_eq!(judged(7, Some(101), text, false), Verdict::Reused);
        }
        let other = "x".repeat(400);
        assert_eq!(judged(7, Some(100), &other, false), Verdict::Rewritten);
        assert_eq!(judged(7, Some(100), TEXT, false), Verdict::GoOn);
    }

    #[test]
    fn little_content_is_no_proof_of_a_move() {
        let before = facts(7, None, "START\n");
        let identity = known(&before, "START\n", &[6]);
        let found = facts(8, None, "START\n");
        let verdict = judge((&identity, 6), true, &found, &hashes(&identity, "START\n"));
        assert_eq!(verdict, Verdict::Other);
    }

    #[test]
    fn only_marks_prove_a_move() {
        let before = facts(7, None, TEXT);
        let mut identity = known(&before, TEXT, &[]);
        let offset = TEXT.len() as u64;
        let found = facts(8, None, TEXT);
        let verdict = |identity: &Identity| {
            let hashes = hashes(identity, TEXT);
            judge((identity, offset), true, &found, &hashes)
        };
        assert_eq!(verdict(&identity), Verdict::Other);
        identity.climb(&[Mark::of(&TEXT.as_bytes()[100..], 100)]);
        assert_eq!(verdict(&identity), Verdict::Moved);
        // Nothing holds where nothing was remembered.
        let bare = known(&before, TEXT, &[]);
        assert!(!holds(&bare, offset, &found, &hashes(&bare, TEXT)));
        assert!(holds(&identity, offset, &found, &hashes(&identity, TEXT)));
        let short = facts(8, None, &TEXT[..150]);
        assert!(!holds(&identity, offset, &short, &hashes(&identity, TEXT)));
        // Nor is a head of NULs that of a file that was punched, where nothing else is known.
        let punched = "\0".repeat(TEXT.len());
        let found = facts(7, None, &punched);
        let hashes = hashes(&bare, &punched);
        let verdict = judge((&bare, offset), true, &found, &hashes);
        assert_eq!(verdict, Verdict::Rewritten);
    }

    #[test]
    fn a_copy_in_the_making_begins_as_the_log_does() {
        let identity = known(&facts(7, None, TEXT), TEXT, &[TEXT.len()]);
        let offset = TEXT.len() as u64;
        let other = "x".repeat(100);
        for (found, expected) in [
            ("", true),
            // Too short to be compared.
            ("x", true),
            (&TEXT[..64], true),
            (&TEXT[..100], true),
            (&other, false),
            // As long as the log, it is the copy or none.
            (TEXT, false),
        ] {
            let facts = facts(8, None, found);
            let hashes = hashes(&identity, found);
            let may = may_become(&identity, offset, &facts, &hashes);
            assert_eq!(may, expected, "{found:?}");
        }
    }

    #[test]
    fn the_ladder_stays_short_and_reaches_far() {
        let mut identity = Identity::default();
        for end in (1000..5_000_000).step_by(1000) {
            identity.climb(&[Mark {
                start: end - 64,
                end,
                hash: 1,
            }]);
            assert!(identity.marks.len() <= MARKS_MAX);
        }
        let ends: Vec<u64> = identity.marks.iter().map(|mark| mark.end).collect();
        assert_eq!(ends.last(), Some(&4_999_000));
        assert!(ends[ends.len() - 2] >= 4_990_000, "{ends:?}");
        assert!(ends[0] < 4_000_000, "{ends:?}");
    }
}
