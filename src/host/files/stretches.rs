//! Hashes of stretches of a file, with few reads.

use std::hash::Hasher as _;
use std::io;

use super::{At, read_full_at};
use crate::engine::identity::fingerprinter;

/// Stretches are read at once, with what is between them, up to so many bytes.
const AT_ONCE_BYTES: u64 = 8 << 10;

/// The hash of each stretch `(start, end)`; none where the file does not hold all of it.
/// Those that follow each other in a file are cheapest.
pub(super) fn hashes_of(file: &impl At, stretches: &[(u64, u64)]) -> io::Result<Vec<Option<u64>>> {
    let mut hashes = Vec::with_capacity(stretches.len());
    let mut bytes = Vec::new();
    let mut left = stretches;
    while let Some(&(start, _)) = left.first() {
        let n_together = together(left);
        let (now, later) = left.split_at(n_together);
        let end = now.iter().map(|&(_, end)| end).max().unwrap_or(start);
        bytes.resize(usize::try_from(end.saturating_sub(start)).unwrap_or(0), 0);
        let n_read = read_full_at(file, &mut bytes, start)?;
        hash(&bytes[..n_read], start, now, &mut hashes);
        left = later;
    }
    Ok(hashes)
}

/// How many of the first stretches are read at once: one at least.
fn together(stretches: &[(u64, u64)]) -> usize {
    let Some(&(start, _)) = stretches.first() else {
        return 0;
    };
    let is_near = |&&(from, end): &&(u64, u64)| from >= start && end <= start + AT_ONCE_BYTES;
    (stretches.iter().skip(1).take_while(is_near).count()) + 1
}

/// Hashes stretches of what was read from `begin` on.
fn hash(bytes: &[u8], begin: u64, stretches: &[(u64, u64)], hashes: &mut Vec<Option<u64>>) {
    // Heads of a file begin alike: what they share is hashed once.
    let mut before = (0..0, fingerprinter());
    for &(start, end) in stretches {
        let place = |at: u64| usize::try_from(at.saturating_sub(begin)).unwrap_or(usize::MAX);
        let (start, end) = (place(start), place(end));
        let Some(whole) = bytes.get(start..end) else {
            hashes.push(None);
            continue;
        };
        let (known, mut hasher) = match before.0.start == start && before.0.end <= end {
            true => before,
            false => (start..start, fingerprinter()),
        };
        hasher.write(&whole[known.len()..]);
        hashes.push(Some(hasher.finish()));
        before = (start..end, hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::identity::fingerprint;
    use std::cell::Cell;

    struct Bytes(Vec<u8>, Cell<usize>);

    impl At for Bytes {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            self.1.set(self.1.get() + 1);
            let rest = self.0.get(offset as usize..).unwrap_or_default();
            let n_read = rest.len().min(buffer.len()).min(1_000);
            buffer[..n_read].copy_from_slice(&rest[..n_read]);
            Ok(n_read)
        }

        fn data_from(&self, _: u64) -> Option<u64> {
            None
        }
    }

    #[test]
    fn each_stretch_has_its_hash() {
        let file = Bytes(
            (0..60_000_u32).map(|n| ((n * 31) >> 3) as u8).collect(),
            Cell::new(0),
        );
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..3_000 {
            let n_stretches = rng.usize(0..8);
            let stretches: Vec<(u64, u64)> = (0..n_stretches)
                .map(|_| {
                    let start = [0, rng.u64(0..200), rng.u64(0..62_000)][rng.usize(0..3)];
                    (start, start + rng.u64(0..5_000))
                })
                .collect();
            let expected: Vec<Option<u64>> = (stretches.iter())
                .map(|&(start, end)| file.0.get(start as usize..end as usize).map(fingerprint))
                .collect();
            assert_eq!(
                hashes_of(&file, &stretches).unwrap(),
                expected,
                "{stretches:?}"
            );
        }
    }

    #[test]
    fn what_is_near_is_read_at_once() {
        let file = Bytes(vec![7; 60_000], Cell::new(0));
        let heads = [(0, 64), (0, 256), (0, 500)];
        let marks = [(40_000, 40_064), (40_100, 40_164), (40_300, 40_364)];
        hashes_of(&file, &[heads, marks].concat()).unwrap();
        assert_eq!(file.1.get(), 2);
    }
}
