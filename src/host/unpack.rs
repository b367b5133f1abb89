//! Compressed files, read as if they were not.
//!
//! A decoder only goes forward. It is kept between two turns, with the stretch that
//! the next region may begin in, so that an archive that is read region by region
//! is decompressed once. One turn goes on for [`STEP_BYTES_MAX`] at most: whoever
//! wants to be further asks again, and other files have their turns in between.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::files::{facts_of, has_mark, n_back};
use crate::engine::identity::{MARK_BYTES_MAX, Place, fingerprint};
use crate::engine::kinship::Packing;
use crate::engine::records::region_bytes_max;
use crate::engine::scan::{REGION_BYTES_MAX, scan};
use crate::engine::schedule::{self, Look, LookAt, ReadDone};

/// Decompressed bytes of one turn.
const STEP_BYTES_MAX: u64 = 4 << 20;

/// Memory that a decoder may ask for: `xz -9` and `zstd --long=27` need it.
const DECODER_BYTES_MAX: u64 = 160 << 20;

/// An archive that is being read.
pub(super) struct Unpacked {
    file: File,
    packing: Packing,
    decoder: Box<dyn Read + Send>,
    /// Decompressed bytes that may be asked for again.
    window: Vec<u8>,
    /// Where they begin.
    start: u64,
    /// Whether the archive ended, as it should.
    is_over: bool,
    /// Whether it could not be decompressed further: it may be in the making.
    has_failed: bool,
    /// How far was given out before it failed.
    told: u64,
}

/// How far a turn came.
#[derive(Debug, PartialEq, Eq)]
enum Reached<T> {
    /// There.
    Here(T),
    /// Not yet: ask again.
    Later,
}

impl Unpacked {
    /// Prepares to read an archive from its beginning.
    pub(super) fn new(file: File, packing: Packing) -> io::Result<Self> {
        let decoder = decoder(file.try_clone()?, packing)?;
        Ok(Self {
            file,
            packing,
            decoder,
            window: Vec::new(),
            start: 0,
            is_over: false,
            has_failed: false,
            told: 0,
        })
    }

    /// The bytes from `from` on, `len` of them or fewer if the archive ends, and
    /// whether it does.
    fn read(&mut self, from: u64, len: usize) -> io::Result<Reached<(&[u8], bool)>> {
        if from < self.start || self.has_failed {
            self.rewind()?;
        }
        let upto = from + len as u64;
        let mut n_step = 0;
        while self.end() < upto && !self.is_over {
            if n_step >= STEP_BYTES_MAX {
                return Ok(Reached::Later);
            }
            match self.go_on(from) {
                Ok(n_bytes) => n_step += n_bytes,
                // First what could be decompressed, then that no more can.
                Err(_) if self.end() > self.told.max(from) => {
                    self.told = self.end();
                    break;
                }
                Err(error) => {
                    self.has_failed = true;
                    return Err(error);
                }
            }
        }
        let begin = usize::try_from(from.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let begin = begin.min(self.window.len());
        let end = self.window.len().min(begin + len);
        let is_end = self.is_over && end == self.window.len();
        Ok(Reached::Here((&self.window[begin..end], is_end)))
    }

    /// The hashes of stretches, in their order; `None` where the archive is shorter.
    fn hashes(&mut self, stretches: &[(u64, u64)]) -> io::Result<Reached<Vec<Option<u64>>>> {
        let mut in_order: Vec<usize> = (0..stretches.len()).collect();
        in_order.sort_by_key(|&idx| stretches[idx]);
        let mut hashes = vec![None; stretches.len()];
        for idx in in_order {
            let (start, end) = stretches[idx];
            let len = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
            match self.read(start, len)? {
                Reached::Later => return Ok(Reached::Later),
                Reached::Here((bytes, _)) => {
                    hashes[idx] = (bytes.len() == len).then(|| fingerprint(bytes));
                }
            }
        }
        Ok(Reached::Here(hashes))
    }

    fn end(&self) -> u64 {
        self.start + self.window.len() as u64
    }

    fn rewind(&mut self) -> io::Result<()> {
        use std::io::Seek as _;
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        self.decoder = decoder(file, self.packing)?;
        self.window.clear();
        self.start = 0;
        self.is_over = false;
        self.has_failed = false;
        Ok(())
    }

    /// Decompresses a piece; forgets what lies well before `from`.
    fn go_on(&mut self, from: u64) -> io::Result<u64> {
        const PIECE: usize = 64 << 10;
        let n_kept = REGION_BYTES_MAX + MARK_BYTES_MAX as usize;
        let keep_from = from.saturating_sub(MARK_BYTES_MAX).min(self.end());
        let n_gone = usize::try_from(keep_from.saturating_sub(self.start)).unwrap_or(0);
        if n_gone >= n_kept {
            self.window.drain(..n_gone);
            self.start += n_gone as u64;
        }
        let n_before = self.window.len();
        self.window.resize(n_before + PIECE, 0);
        let read = loop {
            match self.decoder.read(&mut self.window[n_before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let n_read = *read.as_ref().unwrap_or(&0);
        self.window.truncate(n_before + n_read);
        self.is_over = read? == 0;
        Ok(n_read as u64)
    }
}

/// Looks at an archive; none if nothing is at its place any more.
pub(super) fn look(
    archive: Option<&mut Unpacked>,
    look: &LookAt,
    named: Option<Place>,
) -> io::Result<Look> {
    let mut found = Look {
        opened: None,
        named,
        hashes: Vec::new(),
        is_later: false,
        then: None,
    };
    if let Some(archive) = archive {
        found.opened = Some(facts_of(&archive.file)?);
        match archive.hashes(&look.stretches)? {
            Reached::Here(hashes) => found.hashes = hashes,
            Reached::Later => found.is_later = true,
        }
    }
    Ok(found)
}

/// Reads a region of what an archive holds, and searches it.
pub(super) fn read(archive: Option<&mut Unpacked>, read: &schedule::Read) -> io::Result<ReadDone> {
    let Some(archive) = archive else {
        return Ok(ReadDone::Changed);
    };
    let n_before = n_back(read);
    let begin = read.offset - n_before;
    let n_before = usize::try_from(n_before).unwrap_or(0);
    let n_wanted = n_before + region_bytes_max(read.searcher.reading());
    let (bytes, at_end) = match archive.read(begin, n_wanted)? {
        Reached::Here(found) => found,
        Reached::Later => return Ok(ReadDone::Later),
    };
    if bytes.len() < n_before {
        return Ok(ReadDone::Changed);
    }
    let (before, bytes) = bytes.split_at(n_before);
    if !has_mark(read, before) {
        return Ok(ReadDone::Changed);
    }
    let region = read.region(bytes, before);
    let scanned = scan(region, &read.searcher);
    Ok(ReadDone::Scanned { scanned, at_end })
}

impl std::fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacked")
            .field("packing", &self.packing)
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

/// Every format here may be several members one behind the other, as `cat a.gz b.gz`
/// makes them; all of them are read.
pub(crate) fn decoder(file: File, packing: Packing) -> io::Result<Box<dyn Read + Send>> {
    let file = BufReader::with_capacity(64 << 10, file);
    let kib_max = u32::try_from(DECODER_BYTES_MAX >> 10).unwrap_or(u32::MAX);
    Ok(match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
        Packing::Zstd => Box::new(Frames::new(file)),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(file, true, kib_max)),
    })
}

/// The frames of a zstd file, one behind the other.
struct Frames<R> {
    file: R,
    decoder: FrameDecoder,
    is_in_frame: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(file: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(DECODER_BYTES_MAX);
        Self {
            file,
            decoder,
            is_in_frame: false,
        }
    }

    /// Begins the next frame, if there is one.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.file.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.file) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let n_skipped = io::copy(
                        &mut (&mut self.file).take(u64::from(length)),
                        &mut io::sink(),
                    )?;
                    if n_skipped < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame {
                if !self.begin()? {
                    return Ok(0);
                }
                self.is_in_frame = true;
            }
            let strategy = BlockDecodingStrategy::UptoBytes(buffer.len());
            if !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.file, strategy)
                    .map_err(io::Error::other)?;
            }
            let n_read = self.decoder.read(buffer)?;
            if n_read > 0 {
                return Ok(n_read);
            }
            self.is_in_frame = !self.decoder.is_finished();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(text: &[u8]) -> Vec<u8> {
        let level = ::bzip2::Compression::fast();
        let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), level);
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        ruzstd::encoding::compress_to_vec(text, level)
    }

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    /// Lines that compress badly enough for several pieces.
    fn text(n_lines: u32) -> Vec<u8> {
        let lines = (0..n_lines).map(|n| format!("{n} {}\n", n.wrapping_mul(2_654_435_761)));
        lines.collect::<String>().into_bytes()
    }

    /// Reads all of it, region by region, as the agent does.
    fn read_all(archive: &mut Unpacked) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            match archive.read(all.len() as u64, REGION_BYTES_MAX)? {
                Reached::Later => {}
                Reached::Here((bytes, is_end)) => {
                    all.extend_from_slice(bytes);
                    if is_end {
                        return Ok(all);
                    }
                }
            }
        }
    }

    #[test]
    fn b7_members_behind_each_other_are_one_archive() {
        let text = text(100_000);
        let (one, other) = text.split_at(text.len() / 3);
        for (packing, pack) in [
            (Packing::Gzip, gzip as fn(&[u8]) -> Vec<u8>),
            (Packing::Bzip2, bzip2),
            (Packing::Zstd, zstd),
        ] {
            let file = file_of(&[pack(one), pack(other)].concat());
            let mut archive = Unpacked::new(file, packing).unwrap();
            assert!(read_all(&mut archive).unwrap() == text, "{packing:?}");
            // What lies behind is decompressed once more.
            let Reached::Here((bytes, _)) = archive.read(7, 10).unwrap() else {
                panic!("it is near the beginning");
            };
            assert_eq!(bytes, &text[7..17]);
        }
    }

    #[test]
    fn b7_of_one_that_is_cut_short_all_is_read_that_is_there() {
        let text = text(50_000);
        let whole = gzip(&text);
        let mut file = file_of(&whole[..whole.len() / 2]);
        let mut archive = Unpacked::new(file.try_clone().unwrap(), Packing::Gzip).unwrap();
        let mut n_read = 0;
        let error = loop {
            match archive.read(n_read, REGION_BYTES_MAX) {
                Ok(Reached::Here((bytes, is_end))) => {
                    assert!(!is_end);
                    n_read += bytes.len() as u64;
                }
                Ok(Reached::Later) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(n_read > text.len() as u64 / 3, "{n_read}");
        // It was in the making.
        file.seek(io::SeekFrom::End(0)).unwrap();
        file.write_all(&whole[whole.len() / 2..]).unwrap();
        assert!(read_all(&mut archive).unwrap() == text);
    }

    #[test]
    fn rubbish_is_an_error() {
        for packing in [Packing::Gzip, Packing::Bzip2, Packing::Zstd, Packing::Xz] {
            let mut archive = Unpacked::new(file_of(b"no archive at all, but text"), packing);
            let archive = archive.as_mut().unwrap();
            assert!(archive.read(0, 100).is_err(), "{packing:?}");
        }
    }
}
