//! What is kept of a pipe: its beginning and its end, however much goes through.

use crate::engine::checks::finding::{Captured, HEAD_BYTES_MAX, TAIL_BYTES_MAX};

/// What was kept so far.
#[derive(Debug, Default)]
pub struct Capture {
    head: Vec<u8>,
    tail: Vec<u8>,
    n_bytes: u64,
}

impl Capture {
    /// Takes what comes next.
    pub fn take(&mut self, bytes: &[u8]) {
        self.n_bytes += bytes.len() as u64;
        let n_head = (HEAD_BYTES_MAX - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..n_head]);
        let rest = &bytes[n_head..];
        let last = &rest[rest.len().saturating_sub(TAIL_BYTES_MAX)..];
        let n_over = (self.tail.len() + last.len()).saturating_sub(TAIL_BYTES_MAX);
        self.tail.drain(..n_over);
        self.tail.extend_from_slice(last);
    }

    /// All of it as text; bytes that are none are replaced.
    pub fn captured(self) -> Captured {
        let n_kept = (self.head.len() + self.tail.len()) as u64;
        let n_cut = self.n_bytes - n_kept;
        // A character that lies across the border of both is whole where nothing is
        // missing between them.
        let (head, tail) = match n_cut {
            0 => ([self.head, self.tail].concat(), Vec::new()),
            _ => (self.head, self.tail),
        };
        Captured {
            head: String::from_utf8_lossy(&head).into_owned(),
            tail: String::from_utf8_lossy(&tail).into_owned(),
            n_cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_beginning_and_the_end() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
        for n_bytes in [0, 1, 4_096, 4_097, 16_384, 16_385, 100_000] {
            for chunk in [1, 7, 5_000, 100_000] {
                let mut capture = Capture::default();
                for piece in bytes[..n_bytes].chunks(chunk) {
                    capture.take(piece);
                }
                let captured = capture.captured();
                let n_cut = n_bytes.saturating_sub(HEAD_BYTES_MAX + TAIL_BYTES_MAX);
                assert_eq!(captured.n_cut, n_cut as u64);
                let n_head = n_bytes.min(HEAD_BYTES_MAX);
                let n_tail = n_bytes.min(TAIL_BYTES_MAX).min(n_bytes - n_head);
                let expected = [&bytes[..n_head], &bytes[n_bytes - n_tail..n_bytes]].concat();
                let kept = captured.head + &captured.tail;
                assert_eq!(kept.into_bytes(), expected, "{n_bytes} by {chunk}");
            }
        }
    }
}
