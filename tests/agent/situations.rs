//! What happens to followed files in the field, and where that is tested.
//!
//! Every situation has a number, which stands in the names of its tests: `cargo test
//! b17_` runs those of B17. A to G are identity, rotation, truncation, lines and bytes,
//! events and scale, state and delivery, standard input and the journal.
//!
//! A test stands at the cheapest level that is honest:
//!
//! - `pure`: a table or a region of bytes, beside the code in `src`;
//! - `simulated`: a history in the world of `world`, in virtual time;
//! - `real`: the binary and a kernel, with inotify and with polling where the way of
//!   noticing matters (`watching`, `amounts`, `idle`, `kernel`);
//! - `on request`: needs root, a tool, or minutes.
//!
//! What drawn histories (`simulation`) do on top has no numbers: all of A to D, again and
//! again, in any order.
//!
//! Left out are what only journald does: its files are read by `journalctl`, which copes
//! with broken ones and opens them; what it passes on is tested in `journal`.
//!
//! | | what happens | tested in | how |
//! |---|---|---|---|
//! | A1 | its number goes to another file while we look | following::identity, kernel | real on request, simulated |
//! | A2 | the same while we are down | following::identity, kernel | real on request, simulated |
//! | A3 | the same, and the other is larger | following::identity, kernel | real on request, simulated |
//! | A4 | the same, and the other is as large | following::identity, kernel | real on request, simulated |
//! | A5 | two files with one banner | watching | real |
//! | A6 | cut, and begun with the same bytes | amounts, following::identity | real, simulated |
//! | A7 | empty, then half a line, then its end | following::identity | simulated |
//! | A8 | a few bytes, and thousands after a restart | following::identity | simulated |
//! | A9 | another device number after a mount | following::identity, kernel | real on request, simulated |
//! | A10 | one file, two names | process::files, scenarios::files | real, simulated |
//! | A11 | one file, two rules | following::identity | simulated |
//! | A12 | rules are changed between two lives | following::identity | simulated |
//! | A13 | an editor writes a new file over the old | scenarios::files | simulated |
//! | A14 | names that are no text | watching | real |
//! | A15 | two hundred restarts | following::identity | simulated |
//! | A16 | two files made in one instant | following::identity | simulated |
//! | B1 | moved aside, and its writer writes on | kernel, process::files, scenarios::files | real, real on request, simulated |
//! | B2 | three generations between two looks | following::rotation | simulated |
//! | B3 | much is unread when it is moved aside | amounts | real |
//! | B4 | moved aside while we are down | process::files | real |
//! | B5 | twice so | following::rotation, scenarios::files | simulated |
//! | B6 | moved aside and compressed while we are down | archives, following::rotation, kernel | real on request, simulated |
//! | B7 | archives half made, cut, of several members, gone | archives, following::rotation, host::unpack | pure, real on request, simulated |
//! | B8 | the pattern names what is moved aside | following::rotation | simulated |
//! | B9 | two files swap names | following::rotation | simulated |
//! | B10 | a name without a file for a minute | following::rotation | simulated |
//! | B11 | renamed over another; aside, a thousand times | following::rotation, watching | real, simulated |
//! | B12 | the whole directory is moved away | watching | real |
//! | B13 | links are turned, at any step | process::files, scenarios::files, watching | real, simulated |
//! | B14 | a thousand files moved aside together | amounts | real |
//! | B15 | deleted, and much is unread | watching | real |
//! | B16 | deleted, and all is read | following::rotation, watching | real, simulated |
//! | B17 | deleted while no space answers | amounts | real |
//! | B18 | a record ends in one file or begins in the next | records | simulated |
//! | B19 | a name changes between two questions | scenarios::files | simulated |
//! | B20 | a directory that cannot be listed for a while | following::rotation | simulated |
//! | B21 | a dated copy, compressed, gone | following::truncation, kernel, watching | real, real on request, simulated |
//! | B22 | mounted alone, and moved aside outside | kernel | real on request |
//! | B23 | more than 8 GiB, moved aside and deleted | amounts | real |
//! | B24 | memory while much is unread | amounts | real |
//! | B25 | two generations pass while no space answers | amounts | real |
//! | C1 | cut to nothing | following::truncation, process::files | real, simulated |
//! | C2 | cut and grown beyond its size between two looks | amounts | real |
//! | C3 | written anew to the same size | following::truncation | simulated |
//! | C4 | cut while we are down | following::truncation | simulated |
//! | C5 | a writer that keeps its offset leaves a hole | amounts, engine::scan | pure, real |
//! | C6 | the pattern names the copy as well | following::truncation | simulated |
//! | C7 | copied and cut twice, then a restart | following::truncation | simulated |
//! | C8 | written anew by a program that starts | following::identity, scenarios::files | simulated |
//! | C9 | sizes that are told too small for a while | following::truncation | simulated |
//! | C10 | its last line is taken out | watching | real |
//! | C11 | cut in the middle of a line | following::truncation | simulated |
//! | C12 | cut fifty times while it is busy | watching | real |
//! | C13 | a hole is punched into what was read | amounts | real |
//! | D1 | one line in several writes | following::truncation | simulated |
//! | D2 | a last line without an end | following::truncation, records, scenarios::files | simulated |
//! | D3 | and then its end comes | following::truncation, records, scenarios::files | simulated |
//! | D4 | a restart in the middle of a line | following::identity, scenarios::files | simulated |
//! | D5 | two bytes of a line's end, parted anywhere | engine::scan | pure |
//! | D6 | lines of 100 MiB | engine::scan, engine::scan::records, scenarios::files | pure, simulated |
//! | D7 | such a line, and the end of the file within | engine::scan | pure |
//! | D8 | bytes that are no UTF-8 | engine::scan | pure |
//! | D9 | UTF-16 | engine::scan::records, records | pure, real |
//! | D10 | a byte order mark | engine::scan | pure |
//! | D11 | a NUL in a line | engine::scan | pure |
//! | D12 | what is no text | engine::scan, watching | pure, real |
//! | D13 | stack traces, pauses and kills | engine::scan::records, records | pure, real, simulated |
//! | D14 | pieces of CRI, of two strands | engine::scan::records, records | pure, real |
//! | D15 | the longest line ends within a character | engine::scan | pure |
//! | D16 | empty lines | engine::scan | pure |
//! | D17 | lines that end in carriage returns | engine::scan, watching | pure, real |
//! | D18 | offsets beyond 4 GiB | engine::scan | pure |
//! | D19 | pieces of Docker | engine::scan::records | pure |
//! | E1 | the kernel's queue runs over | kernel | real on request |
//! | E2 | ten thousand files rest | idle | real, real on request |
//! | E3 | no watch is left, then some are | kernel | real on request |
//! | E4 | deep directories in one burst | kernel | real on request |
//! | E5 | written while a watch is made | kernel | real on request |
//! | E6 | a watched directory is made anew | watching | real |
//! | E7 | unmounted and mounted | following::identity, kernel | real on request, simulated |
//! | E8 | closed to us, then open | process::files, scenarios::files, watching | real, simulated |
//! | E9 | one busy file among thousands | idle | real |
//! | E10 | a first line after an hour | scenarios::files | simulated |
//! | E11 | quiet files beside a busy one | idle | real |
//! | E12 | fewer descriptors than files | watching | real |
//! | E13 | what other machines write to | host::file_systems, kernel | pure, real on request |
//! | E14 | a file of an image's layer | kernel | real on request |
//! | E15 | times that stand still or go back | watching | real |
//! | E16 | a hundred thousand files | idle | real on request |
//! | E17 | pipes, sockets, devices | watching | real |
//! | E18 | its own files in the pattern | watching | real |
//! | E19 | old files are written to | scenarios::files | simulated |
//! | E20 | sleep, and clocks that are set | scenarios::lives | simulated |
//! | E21 | a stale handle | kernel | real on request |
//! | E22 | one file that cannot be read | following::truncation, kernel | real on request, simulated |
//! | E23 | away for long, and back | following::identity | simulated |
//! | E24 | what rest costs, as a count | idle | real |
//! | F1 | killed at any moment | crash, process::lives, scenarios::lives | real, real on request, simulated |
//! | F2 | a power cut | crash, process::state | real, real on request |
//! | F3 | damaged state | process::state | real |
//! | F4 | no room for the state | crash, scenarios::lives | real on request, simulated |
//! | F5 | no place for the state | process::lives, process::state | real |
//! | F6 | two agents on one state | process::lives | real |
//! | F7 | state that may not be read | process::state | real |
//! | F8 | closed for want of descriptors, then written to | watching | real |
//! | F9 | written to as it is closed | watching | real |
//! | F10 | gone for minutes, and back | following::identity | simulated |
//! | F11 | a hundred thousand rotations | following::rotation | simulated, simulated on request |
//! | F12 | state of other releases | process::state | real |
//! | F13 | told to stop under load, and again | process::lives | real |
//! | F14 | rules read anew within a record | records | real |
//! | F15 | an hour of 429 | scenarios::spaces | simulated |
//! | F16 | answers that are lost | process::spaces, scenarios::spaces | real, simulated |
//! | F17 | a full outbox | scenarios::crowds | simulated |
//! | F18 | a first start beside old files | scenarios::files | simulated |
//! | F19 | away for days | records, scenarios::lives | real, simulated |
//! | F20 | a storm of old lines | scenarios::crowds | simulated |
//! | G6 | standard input ends | process::stdin, scenarios::stdin | real, simulated |

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How many there are by the letters of their numbers.
const SITUATIONS: [(char, u32); 6] = [
    ('A', 16),
    ('B', 25),
    ('C', 13),
    ('D', 19),
    ('E', 24),
    ('F', 20),
];

/// The one of standard input.
const PIPED: &str = "G6";

/// Where the tests of a situation stand, and their levels.
#[derive(Debug, Default)]
struct Tested {
    rooms: BTreeSet<String>,
    levels: BTreeSet<String>,
}

/// The table is held against the tests that there are.
#[test]
fn every_situation_is_tested_where_the_table_says() {
    let tested = tested();
    let mut table: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for line in include_str!("situations.rs").lines() {
        let Some(row) = line.strip_prefix("//! | ") else {
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        if let [number, _, rooms, levels] = cells[..] {
            assert!(
                table.insert(number, (rooms, levels)).is_none(),
                "{number} stands there twice"
            );
        }
    }
    let all = SITUATIONS
        .iter()
        .flat_map(|&(letter, n)| (1..=n).map(move |n| format!("{letter}{n}")));
    for number in all.chain([PIPED.to_owned()]) {
        let found = tested.get(&number);
        let found = found.unwrap_or_else(|| panic!("{number} stands in the name of no test"));
        let join = |cells: &BTreeSet<String>| cells.iter().cloned().collect::<Vec<_>>().join(", ");
        let expected = (join(&found.rooms), join(&found.levels));
        let (rooms, levels) = table.remove(&*number).unwrap_or_default();
        assert_eq!((rooms.to_owned(), levels.to_owned()), expected, "{number}");
    }
    assert!(table.is_empty(), "no situations: {table:?}");
}

/// What the names of all tests tell.
fn tested() -> BTreeMap<String, Tested> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = BTreeMap::new();
    for directory in ["tests/agent", "src"] {
        let directory = root.join(directory);
        for path in sources(&directory) {
            let room = room_of(path.strip_prefix(&directory).unwrap());
            let is_pure = directory.ends_with("src");
            note_tests(
                &fs::read_to_string(&path).unwrap(),
                &room,
                is_pure,
                &mut all,
            );
        }
    }
    all
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.flat_map(|path| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    });
    found
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// `following/rotation.rs` is `following::rotation`.
fn room_of(path: &Path) -> String {
    let path = path.with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy());
    let parts = parts.filter(|part| part != "mod" && part != "tests");
    parts.collect::<Vec<_>>().join("::")
}

fn note_tests(text: &str, room: &str, is_pure: bool, all: &mut BTreeMap<String, Tested>) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (idx, line) in lines.iter().enumerate() {
        let Some((name, _)) = line
            .strip_prefix("fn ")
            .and_then(|line| line.split_once('('))
        else {
            continue;
        };
        let numbers: Vec<String> = name.split('_').map_while(number_of).collect();
        if numbers.is_empty() {
            continue;
        }
        let above = lines[..idx].iter().rev();
        let mut attributes: Vec<&str> = (above.copied())
            .take_while(|line| line.starts_with("#["))
            .collect();
        // In a list of tests that are made twice.
        let listed = lines.iter().position(|line| *line == format!("{name},"));
        attributes.extend(listed.map(|listed| lines[listed - 1]));
        let is_test = listed.is_some() || attributes.contains(&"#[test]");
        assert!(is_test, "{name} is no test");
        let body = lines[idx..]
            .iter()
            .take_while(|line| !line.starts_with("#[test]"));
        let is_simulated = room.starts_with("following")
            || room.starts_with("scenarios")
            || room == "records" && !body.clone().any(|line| line.contains("Space::new"));
        let level = match (is_pure, is_simulated) {
            (true, _) => "pure",
            (false, true) => "simulated",
            (false, false) => "real",
        };
        let on_request = match attributes.iter().any(|line| line.starts_with("#[ignore")) {
            true => " on request",
            false => "",
        };
        for number in numbers {
            let tested = all.entry(number).or_default();
            tested.rooms.insert(room.to_owned());
            tested.levels.insert(format!("{level}{on_request}"));
        }
    }
}

/// The number of a situation that a part of a name is: `b17` is B17.
fn number_of(part: &str) -> Option<String> {
    let letter = part
        .chars()
        .next()
        .filter(|letter| ('a'..='g').contains(letter))?;
    let digits = &part[1..];
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{}{digits}", letter.to_ascii_uppercase()))
}
