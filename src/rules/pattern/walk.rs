//! Looks for patterns that hold no word, with one automaton for all of them.
//!
//! An automaton goes from state to state, a byte at a time, and each step has to
//! wait for the one before. So a text is cut into a few stretches of lines, and the
//! automaton goes through all of them at once: while one step waits, the others go on.
//!
//! All states are known before the first text comes. Patterns whose states would be too
//! many stand apart in an automaton of their own, or are left to others.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use regex_automata::hybrid::dfa;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

use super::generous::Generous;
use super::matcher::line_end;

/// Stretches that are walked at once.
const LANES: usize = 4;

/// The length from which on a text is walked in stretches.
const LANES_BYTES_MIN: usize = 4 << 10;

/// Bytes of each stretch that are walked before anyone looks at what was found.
const STEP_BYTES: usize = 16;

/// Cells of a table: all that two bytes can count. It shall fit a fast cache.
const CELLS: usize = 1 << 16;

/// From here on the states stand that tell that something was found.
const LOUD: u16 = 1 << 15;

/// States that a pattern may have by itself.
const STATES_ALONE_MAX: usize = 600;

/// How many characters of a pattern are looked for, about, if it has too many states:
/// the first that will do.
const POSITIONS_MAX: [usize; 5] = [40, 24, 16, 10, 6];

/// Automata that a text is walked with, at most: each takes its time with every byte.
const WALKS_MAX: usize = 3;

/// Memory for making an automaton; one that needs more has too many states.
const MAKING_BYTES_MAX: usize = 8 << 20;

/// One automaton of some patterns.
pub(super) struct Walk {
    /// The class of each byte: the automaton does not tell its bytes apart.
    classes: Box<[u8; 256]>,
    /// The next state, by state and class. A state is where its row begins.
    table: Box<[u16; CELLS]>,
    /// The state in which a line begins.
    start: u16,
    /// Classes in a row of the table, as a power of two.
    stride_bits: u32,
    /// What the states from `LOUD` on tell, by row.
    found: Vec<Vec<u32>>,
}

/// Hands out the rows of a table.
#[derive(Debug)]
struct Rows {
    stride: u32,
    quiet: u32,
    loud: u32,
}

/// Makes automata of patterns, each with a number. Returns those that were left out.
pub(super) fn walks_of(patterns: Vec<(Generous, u32)>) -> (Vec<Walk>, Vec<(Generous, u32)>) {
    // A pattern may have more states than all others together, by what it counts. Then a
    // shorter part of it must do.
    let mut left_out = Vec::new();
    let mut fitting = Vec::new();
    for (generous, number) in patterns {
        let shortened = POSITIONS_MAX.iter().find_map(|n_positions_max| {
            let alone = [(generous.shortened(*n_positions_max), number)];
            Walk::of(&alone, STATES_ALONE_MAX)?;
            let [alone] = alone;
            Some(alone)
        });
        match shortened {
            Some(alone) => fitting.push((alone, generous)),
            None => left_out.push((generous, number)),
        }
    }
    let mut walks = Vec::new();
    let mut waiting = vec![fitting];
    while let Some(mut patterns) = waiting.pop() {
        if patterns.is_empty() {
            continue;
        }
        let room = walks.len() < WALKS_MAX;
        let hirs: Vec<_> = patterns.iter().map(|(alone, _)| alone.clone()).collect();
        match room.then(|| Walk::of(&hirs, CELLS)).flatten() {
            Some(walk) => walks.push(walk),
            None if room && patterns.len() > 1 => {
                let back = patterns.split_off(patterns.len() / 2);
                waiting.extend([back, patterns]);
            }
            None => left_out.extend(patterns.into_iter().map(|((_, number), hir)| (hir, number))),
        }
    }
    (walks, left_out)
}

impl Walk {
    /// None if it would have more states than it may, or its table too many cells.
    fn of(patterns: &[(Hir, u32)], n_states_max: usize) -> Option<Self> {
        let hirs: Vec<&Hir> = patterns.iter().map(|(hir, _)| hir).collect();
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(MAKING_BYTES_MAX)),
            )
            .build_many_from_hir(&hirs)
            .ok()?;
        let config = dfa::Config::new()
            .match_kind(MatchKind::All)
            .cache_capacity(MAKING_BYTES_MAX)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(0));
        let lazy = dfa::Builder::new()
            .configure(config)
            .build_from_nfa(nfa)
            .ok()?;
        let mut cache = lazy.create_cache();
        let at_line_start = start::Config::new()
            .anchored(Anchored::No)
            .look_behind(Some(b'\n'));
        let begin = lazy.start_state(&mut cache, &at_line_start).ok()?;

        let alphabet = lazy.byte_classes();
        let mut classes = Box::new([0; 256]);
        for byte in 0..=u8::MAX {
            classes[usize::from(byte)] = alphabet.get(byte);
        }
        let mut members = [None; 256];
        for byte in (0..=u8::MAX).rev() {
            members[usize::from(classes[usize::from(byte)])] = Some(byte);
        }
        let members: Vec<u8> = members.into_iter().map_while(|member| member).collect();

        // Every state that can be reached, in the order in which they are.
        let stride_bits = members.len().next_power_of_two().trailing_zeros();
        let mut rows = Rows::new(stride_bits);
        let mut states = vec![begin];
        let mut places = BTreeMap::from([(begin, rows.next(begin.is_match())?)]);
        let mut table: Box<[u16; CELLS]> = vec![0; CELLS].into_boxed_slice().try_into().ok()?;
        let mut next = 0;
        while let Some(&state) = states.get(next) {
            next += 1;
            if states.len() > n_states_max {
                return None;
            }
            let row = usize::from(places[&state]);
            for (class, member) in members.iter().enumerate() {
                let reached = lazy.next_state(&mut cache, state, *member).ok()?;
                let place = match places.entry(reached) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(unknown) => {
                        states.push(reached);
                        *unknown.insert(rows.next(reached.is_match())?)
                    }
                };
                table[row | class] = place;
            }
        }
        let found = (states.iter().filter(|state| state.is_match()))
            .map(|&state| {
                (0..lazy.match_len(&cache, state))
                    .map(|idx| patterns[lazy.match_pattern(&cache, state, idx).as_usize()].1)
                    .collect()
            })
            .collect();
        Some(Self {
            classes,
            table,
            start: places[&begin],
            stride_bits,
            found,
        })
    }

    /// Tells of every pattern in every line of a text: somewhere in the line, and the
    /// pattern's number.
    #[inline(never)]
    pub(super) fn find(&self, text: &[u8], on_hit: &mut impl FnMut(usize, u32)) {
        if text.len() < LANES_BYTES_MIN {
            self.stroll(text, 0..text.len(), self.start, on_hit);
            return;
        }
        let mut lanes = lanes_of(text);
        let mut states = [self.start; LANES];
        while let Some(steps) = steps_of(text, &lanes) {
            let before = states;
            let is_loud = self.step(steps, &mut states);
            for (idx, lane) in lanes.iter_mut().enumerate() {
                let begin = lane.start;
                lane.start += STEP_BYTES;
                if !is_loud {
                    continue;
                }
                let Some((at, state)) = self.first_loud(text, begin..lane.start, before[idx])
                else {
                    continue;
                };
                // From the byte that led there the line is walked to its end.
                let end = line_end(text, at).min(lane.end);
                self.tell(at, state, on_hit);
                self.stroll(text, at + 1..end, state, on_hit);
                lane.start = end;
                states[idx] = self.start;
            }
        }
        for (lane, state) in lanes.into_iter().zip(states) {
            self.stroll(text, lane, state, on_hit);
        }
    }

    /// Goes some bytes through all stretches at once. Tells whether anything was found.
    fn step(&self, steps: [&[u8; STEP_BYTES]; LANES], states: &mut [u16; LANES]) -> bool {
        let [a, b, c, d] = steps;
        let [mut one, mut two, mut three, mut four] = *states;
        let mut seen = 0;
        for idx in 0..STEP_BYTES {
            one = self.next(one, a[idx]);
            two = self.next(two, b[idx]);
            three = self.next(three, c[idx]);
            four = self.next(four, d[idx]);
            seen |= one | two | three | four;
        }
        *states = [one, two, three, four];
        seen & LOUD != 0
    }

    /// The first byte of a stretch by which something is found, and the state it leads to.
    fn first_loud(&self, text: &[u8], stretch: Range<usize>, from: u16) -> Option<(usize, u16)> {
        let mut state = from;
        stretch.into_iter().find_map(|at| {
            state = self.next(state, text[at]);
            (state & LOUD != 0).then_some((at, state))
        })
    }

    /// Goes through a stretch to its end, telling of all that is found.
    fn stroll(
        &self,
        text: &[u8],
        stretch: Range<usize>,
        mut state: u16,
        on_hit: &mut impl FnMut(usize, u32),
    ) {
        if stretch.is_empty() {
            return;
        }
        for (idx, byte) in text[stretch.clone()].iter().enumerate() {
            state = self.next(state, *byte);
            if state & LOUD != 0 {
                self.tell(stretch.start + idx, state, on_hit);
            }
        }
        // A line that ends with the text lacks the byte by which it would be seen.
        if text[stretch.end - 1] != b'\n' {
            state = self.next(state, b'\n');
            if state & LOUD != 0 {
                self.tell(stretch.end - 1, state, on_hit);
            }
        }
    }

    fn tell(&self, at: usize, state: u16, on_hit: &mut impl FnMut(usize, u32)) {
        for number in &self.found[usize::from((state - LOUD) >> self.stride_bits)] {
            on_hit(at, *number);
        }
    }

    #[inline(always)]
    fn next(&self, state: u16, byte: u8) -> u16 {
        let class = u16::from(self.classes[usize::from(byte)]);
        self.table[usize::from(state | class)]
    }
}

impl Rows {
    fn new(stride_bits: u32) -> Self {
        Self {
            stride: 1 << stride_bits,
            quiet: 0,
            loud: LOUD.into(),
        }
    }

    /// The row of another state. None if the table is full.
    fn next(&mut self, is_loud: bool) -> Option<u16> {
        let (row, end) = match is_loud {
            true => (&mut self.loud, CELLS as u32),
            false => (&mut self.quiet, LOUD.into()),
        };
        let place = u16::try_from(*row).ok()?;
        *row += self.stride;
        (*row <= end).then_some(place)
    }
}

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk")
            .field("stride_bits", &self.stride_bits)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

/// The next bytes of all stretches, if each has enough.
fn steps_of<'t>(
    text: &'t [u8],
    lanes: &[Range<usize>; LANES],
) -> Option<[&'t [u8; STEP_BYTES]; LANES]> {
    let [a, b, c, d] = lanes;
    Some([
        text[a.clone()].first_chunk()?,
        text[b.clone()].first_chunk()?,
        text[c.clone()].first_chunk()?,
        text[d.clone()].first_chunk()?,
    ])
}

/// Cuts a text into stretches of lines that are about as long.
fn lanes_of(text: &[u8]) -> [Range<usize>; LANES] {
    let mut begin = 0;
    std::array::from_fn(|idx| {
        let want = (text.len() * (idx + 1) / LANES).max(begin);
        let end = match want {
            0 => 0,
            _ => line_end(text, want - 1),
        };
        let lane = begin..end;
        begin = end;
        lane
    })
}
