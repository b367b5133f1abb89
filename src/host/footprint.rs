//! What only the start needed is given back.
//!
//! Most of the program's code is gone through once: settings are read, rules compiled,
//! the store is opened. What the kernel mapped for that stays and counts as the agent's
//! memory as long as it lives, though it is the file that it came from. Given back, it is
//! page cache like any other, the first to go where memory is short; what is gone through
//! again is mapped again.
#![expect(
    unsafe_code,
    reason = "no safe interface gives mapped code back; see `give_back`"
)]

use std::path::Path;

use rustix::mm::{Advice, madvise};

/// Gives back what is mapped of the program's own code. Where the system does not tell what
/// is mapped, nothing is done.
pub(super) fn give_back_code() {
    let Ok(program) = std::fs::read_link("/proc/self/exe") else {
        return;
    };
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for mapping in maps.lines().filter_map(|line| code_of(line, &program)) {
        give_back(mapping);
    }
}

/// A stretch of the program's code that is mapped.
struct Mapping {
    begin: usize,
    end: usize,
}

/// What a line of `/proc/self/maps` (`proc_pid_maps(5)`) tells of the code of a program.
fn code_of(line: &str, program: &Path) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (begin, end) = fields.next()?.split_once('-')?;
    // What may not be written to is as it is in the file, and "p" is what the loader maps.
    let is_code = fields.next()? == "r-xp";
    let is_program = Path::new(fields.nth(3)?.trim_start()) == program;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let (begin, end) = (address(begin)?, address(end)?);
    (is_code && is_program).then_some(Mapping { begin, end })
}

fn give_back(mapping: Mapping) {
    let begin = std::ptr::with_exposed_provenance_mut(mapping.begin);
    // SAFETY: what is named is mapped from the program's own file, for reading and running,
    // and stays so until the process ends: nobody unmaps the program or makes its code
    // writable. Its bytes are those of the file, which the kernel maps again wherever one
    // of them is touched. So nobody sees a difference, whatever the others do meanwhile.
    // What fails leaves all as it was.
    let _ = unsafe { madvise(begin, mapping.end - mapping.begin, Advice::LinuxDontNeed) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_the_program_is_given_back() {
        let program = Path::new("/usr/bin/log crier");
        for (line, expected) in [
            (
                "55d0f0a00000-55d0f1200000 r-xp 00280000 fe:01 1234    /usr/bin/log crier",
                Some((0x55d0_f0a0_0000, 0x55d0_f120_0000)),
            ),
            (
                "55d0f1300000-55d0f1400000 r--p 00a80000 fe:01 1234    /usr/bin/log crier",
                None,
            ),
            (
                "55d0f1400000-55d0f1500000 rw-p 00b80000 fe:01 1234    /usr/bin/log crier",
                None,
            ),
            (
                "55d0f0a00000-55d0f1200000 r-xs 00280000 fe:01 1234    /usr/bin/log crier",
                None,
            ),
            (
                "7f0000000000-7f0000100000 r-xp 00028000 fe:01 99      /usr/lib/libc.so.6",
                None,
            ),
            (
                "7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0     [vdso]",
                None,
            ),
            ("7f0000000000-7f0000100000 r-xp 00000000 00:00 0 ", None),
            ("no mapping", None),
            ("", None),
        ] {
            let found = code_of(line, program);
            let found = found.map(|mapping| (mapping.begin, mapping.end));
            assert_eq!(found, expected, "{line}");
        }
    }
}
