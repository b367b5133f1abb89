//! Looks for patterns that hold no word, with one automaton for all of them.
//!
//! An automaton goes from state to state, a byte at a time, and each step has to
//! wait for the one before. So a text is cut into a few stretches of lines, and the
//! automaton goes through all of them at once: while one step waits, the others go on.
//!
//! All states are known before the first text comes. Patterns whose states would be too
//! many stand apart in an automaton of their own, or are left to others.

use std::collections::BTreeMap;
use std::ops::Range;

use regex_automata::hybrid::dfa;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

use super::generous::{Before, Generous};
use super::matcher::line_end;

/// Stretches that are walked at once.
const LANES: usize = 6;

/// The length from which on a text is walked in stretches.
const LANES_BYTES_MIN: usize = 4 << 10;

/// Bytes of each stretch that are walked before anyone looks whether anything was found.
const STEP_BYTES: usize = 32;

/// Cells of a table: all that two bytes can count. What is used of it shall fit a fast
/// cache.
const CELLS: usize = 1 << 16;

/// The state that is never left: something was found since.
const SINK: u16 = 0;

/// States that a pattern may have by itself.
const STATES_ALONE_MAX: usize = 1_000;

/// How many characters of a pattern are looked for, about, if it has too many states:
/// the first that will do.
const POSITIONS_MAX: [usize; 7] = [80, 56, 40, 24, 16, 10, 6];

/// How often one automaton of all is tried.
const TRIES_MAX: usize = 5;

/// Automata that a text is walked with, at most.
const WALKS_MAX: usize = 3;

/// Memory for making an automaton; one that needs more has too many states.
const MAKING_BYTES_MAX: usize = 8 << 20;

/// One automaton of some patterns.
pub(super) struct Walk {
    /// The class of each byte: the automaton does not tell its bytes apart.
    classes: Box<[u8; 256]>,
    /// The next state, by state and class. A state is where its row begins.
    table: Box<[u16; CELLS]>,
    /// The same, but for what tells that something was found: there the ways end at
    /// `SINK`.
    to_sink: Box<[u16; CELLS]>,
    /// The state in which a line begins.
    start: u16,
    /// The first of the states that tell that something was found.
    loud: u16,
    n_classes: u16,
    n_states: usize,
    /// What the states from `loud` on tell, by row.
    found: Vec<Vec<Found>>,
}

/// Where the records in a text end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// Where its lines do.
    Lines,
    /// Anywhere.
    Anywhere,
}

/// A pattern that may be found, if what follows is what it ends before.
#[derive(Debug, Clone, Copy)]
struct Found {
    number: u32,
    before: Before,
}

/// A pattern that is looked for.
#[derive(Debug, Clone)]
struct Sought {
    hir: Hir,
    found: Found,
}

/// A pattern that fits an automaton of its own.
#[derive(Debug, Clone)]
struct Fitting {
    generous: Generous,
    sought: Sought,
    n_states: usize,
    /// How many of `POSITIONS_MAX` are too many.
    n_passed: usize,
}

/// Makes automata of patterns, each with a number. Returns those that were left out.
pub(super) fn walks_of(patterns: Vec<(Generous, u32)>) -> (Vec<Walk>, Vec<(Generous, u32)>) {
    let mut left_out = Vec::new();
    let mut fitting = Vec::new();
    for (generous, number) in patterns {
        match Fitting::of(&generous, number, 0) {
            Some(alone) => fitting.push(alone),
            None => left_out.push((generous, number)),
        }
    }
    if fitting.is_empty() {
        return (Vec::new(), left_out);
    }
    // Each automaton takes its time with every byte, so one is tried first, with less of
    // the pattern that needs most.
    let mut together = fitting.clone();
    for _ in 0..TRIES_MAX {
        if let Some(walk) = Walk::of_all(&together, CELLS) {
            return (vec![walk], left_out);
        }
        let most = together.iter_mut().max_by_key(|pattern| pattern.n_states);
        if !most.is_some_and(Fitting::shorten) {
            break;
        }
    }
    let mut walks = Vec::new();
    let back = fitting.split_off(fitting.len() / 2);
    let mut waiting = vec![back, fitting];
    while let Some(mut patterns) = waiting.pop() {
        if patterns.is_empty() {
            continue;
        }
        let room = walks.len() < WALKS_MAX;
        match room.then(|| Walk::of_all(&patterns, CELLS)).flatten() {
            Some(walk) => walks.push(walk),
            None if room && patterns.len() > 1 => {
                let back = patterns.split_off(patterns.len() / 2);
                waiting.extend([back, patterns]);
            }
            None => {
                let patterns = patterns.into_iter();
                left_out.extend(patterns.map(|alone| (alone.generous, alone.sought.found.number)));
            }
        }
    }
    (walks, left_out)
}

impl Fitting {
    /// A pattern may have more states than all others together, by what it counts. Then a
    /// shorter part of it must do. None if there is none that will.
    fn of(generous: &Generous, number: u32, n_passed: usize) -> Option<Self> {
        (n_passed..POSITIONS_MAX.len()).find_map(|n_passed| {
            let (hir, before) = generous.shortened(POSITIONS_MAX[n_passed]);
            let found = Found { number, before };
            let sought = Sought { hir, found };
            let walk = Walk::of(&[&sought], STATES_ALONE_MAX)?;
            Some(Self {
                generous: generous.clone(),
                sought,
                n_states: walk.n_states,
                n_passed,
            })
        })
    }

    /// Looks for less of it. Whether that can be done.
    fn shorten(&mut self) -> bool {
        let shorter = Self::of(&self.generous, self.sought.found.number, self.n_passed + 1);
        let is_shorter = shorter.is_some();
        *self = shorter.unwrap_or_else(|| self.clone());
        is_shorter
    }
}

impl Walk {
    fn of_all(patterns: &[Fitting], n_states_max: usize) -> Option<Self> {
        let sought: Vec<&Sought> = patterns.iter().map(|alone| &alone.sought).collect();
        Self::of(&sought, n_states_max)
    }

    /// None if it would have more states than it may, or its table too many cells.
    fn of(patterns: &[&Sought], n_states_max: usize) -> Option<Self> {
        let hirs: Vec<&Hir> = patterns.iter().map(|sought| &sought.hir).collect();
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
        let n_states_max = n_states_max.min(CELLS / members.len() - 2);
        let mut states = vec![begin];
        let mut known = BTreeMap::from([(begin, 0)]);
        let mut ways = Vec::new();
        let mut next = 0;
        while let Some(&state) = states.get(next) {
            next += 1;
            if states.len() > n_states_max {
                return None;
            }
            for member in &members {
                let reached = lazy.next_state(&mut cache, state, *member).ok()?;
                ways.push(*known.entry(reached).or_insert_with(|| {
                    states.push(reached);
                    states.len() - 1
                }));
            }
        }

        // The sink, the quiet states, the loud ones.
        let n_quiet = states.iter().filter(|state| !state.is_match()).count();
        let (mut quiet, mut loud) = (1, 1 + n_quiet);
        let places: Vec<u16> = (states.iter())
            .map(|state| {
                let row = match state.is_match() {
                    true => &mut loud,
                    false => &mut quiet,
                };
                *row += 1;
                ((*row - 1) * members.len()) as u16
            })
            .collect();
        let loud = ((1 + n_quiet) * members.len()) as u16;
        let mut table: Box<[u16; CELLS]> = vec![SINK; CELLS].into_boxed_slice().try_into().ok()?;
        let mut to_sink = table.clone();
        for (place, ways) in places.iter().zip(ways.chunks(members.len())) {
            for (class, way) in ways.iter().enumerate() {
                let at = usize::from(*place) + class;
                table[at] = places[*way];
                if table[at] < loud {
                    to_sink[at] = table[at];
                }
            }
        }
        let found = (states.iter().filter(|state| state.is_match()))
            .map(|&state| {
                (0..lazy.match_len(&cache, state))
                    .map(|idx| patterns[lazy.match_pattern(&cache, state, idx).as_usize()].found)
                    .collect()
            })
            .collect();
        Some(Self {
            classes,
            table,
            to_sink,
            start: places[0],
            loud,
            n_classes: members.len() as u16,
            n_states: states.len(),
            found,
        })
    }

    /// Tells of every pattern in every line of a text: somewhere in the line, and the
    /// pattern's number.
    #[inline(never)]
    pub(super) fn find(&self, text: &[u8], ends: Ends, on_hit: &mut impl FnMut(usize, u32)) {
        if text.len() < LANES_BYTES_MIN {
            self.stroll(text, 0..text.len(), self.start, ends, on_hit);
            return;
        }
        let lanes = lanes_of(text);
        let steps = lanes
            .clone()
            .map(|lane| text[lane].as_chunks::<STEP_BYTES>().0);
        let n_steps = steps.iter().map(|steps| steps.len()).min().unwrap_or(0);
        let mut states = [self.start; LANES];
        for nth in 0..n_steps {
            let before = states;
            self.step(steps.map(|steps| &steps[nth]), &mut states);
            if !states.contains(&SINK) {
                continue;
            }
            for idx in 0..LANES {
                if states[idx] == SINK {
                    let at = lanes[idx].start + nth * STEP_BYTES;
                    states[idx] = self.tell_of(&steps[idx][nth], at, before[idx], ends, on_hit);
                }
            }
        }
        for (lane, state) in lanes.into_iter().zip(states) {
            let rest = lane.start + n_steps * STEP_BYTES..lane.end;
            self.stroll(text, rest, state, ends, on_hit);
        }
    }

    /// Goes some bytes through all stretches at once.
    fn step(&self, steps: [&[u8; STEP_BYTES]; LANES], states: &mut [u16; LANES]) {
        for idx in 0..STEP_BYTES {
            for (state, step) in states.iter_mut().zip(steps) {
                let class = u16::from(self.classes[usize::from(step[idx])]);
                *state = self.to_sink[usize::from(state.wrapping_add(class))];
            }
        }
    }

    /// Goes some bytes from a state, telling of all that is found. Returns where it led.
    fn tell_of(
        &self,
        bytes: &[u8],
        at: usize,
        mut state: u16,
        ends: Ends,
        on_hit: &mut impl FnMut(usize, u32),
    ) -> u16 {
        for (idx, byte) in bytes.iter().enumerate() {
            state = self.next(state, *byte);
            self.tell(at + idx, *byte, state, ends, on_hit);
        }
        state
    }

    /// Goes through a stretch to its end, telling of all that is found.
    fn stroll(
        &self,
        text: &[u8],
        stretch: Range<usize>,
        state: u16,
        ends: Ends,
        on_hit: &mut impl FnMut(usize, u32),
    ) {
        let state = self.tell_of(&text[stretch.clone()], stretch.start, state, ends, on_hit);
        // A line that ends with the text lacks the byte by which it would be seen.
        if stretch.end > 0 && text[stretch.end - 1] != b'\n' {
            let state = self.next(state, b'\n');
            self.tell(stretch.end - 1, b'\n', state, ends, on_hit);
        }
    }

    /// Tells of what is found if a byte leads to a state, which is then known to be right
    /// before that byte.
    fn tell(
        &self,
        at: usize,
        byte: u8,
        state: u16,
        ends: Ends,
        on_hit: &mut impl FnMut(usize, u32),
    ) {
        if state < self.loud {
            return;
        }
        for found in &self.found[usize::from((state - self.loud) / self.n_classes)] {
            if ends == Ends::Anywhere || found.before.may_be(byte) {
                on_hit(at, found.number);
            }
        }
    }

    fn next(&self, state: u16, byte: u8) -> u16 {
        let class = u16::from(self.classes[usize::from(byte)]);
        self.table[usize::from(state.wrapping_add(class))]
    }
}

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk")
            .field("n_states", &self.n_states)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
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
