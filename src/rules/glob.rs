//! A pattern of file names.
//!
//! A pattern is matched name by name, because the rules about dots and `**` are
//! about whole names: `*` must not find `.secret`, and `**` must not walk into
//! `.git`. Within a name the work is done by `globset`. Braces are spelt out
//! first, so they may hold slashes.
//!
//! Names are bytes; `?` and `[]` stand for one byte.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// How many patterns a pattern with braces may stand for.
const ALTERNATIVES_MAX: usize = 256;

/// How many bytes a pattern may have.
const PATTERN_BYTES_MAX: usize = 4096;

/// A pattern of absolute file names: `*`, `**`, `?`, `[]` and `{a,b}`.
#[derive(Clone)]
pub struct Glob {
    text: String,
    root: PathBuf,
    /// The patterns without braces; any of them may match. Never empty.
    alternatives: Vec<Vec<Step>>,
}

/// What one name of a path must look like.
#[derive(Debug, Clone)]
enum Step {
    /// Exactly this.
    Name(String),
    /// Something like this.
    Like {
        matcher: GlobMatcher,
        takes_leading_dot: bool,
    },
    /// Any number of directories whose names do not begin with a dot.
    AnyDepth,
}

impl Glob {
    /// Parses a pattern; a relative one is meant from `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty file pattern".into());
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(format!(
                "a file pattern of more than {PATTERN_BYTES_MAX} bytes"
            ));
        }
        if text.contains('\0') {
            return Err("a file pattern with a NUL byte".into());
        }
        if text.ends_with('/') {
            return Err("a pattern that ends in `/` names a directory, not files".into());
        }
        let mut alternatives = Vec::new();
        for plain in spell_out_braces(text)? {
            let mut steps = Vec::new();
            if !plain.starts_with('/') {
                steps.extend(names_of(base)?.into_iter().map(Step::Name));
            }
            read_steps(&plain, &mut steps)?;
            alternatives.push(steps);
        }
        let text = if text.starts_with('/') {
            text.to_owned()
        } else {
            let base = names_of(base)?.join("/");
            format!("/{base}/{text}").replacen("//", "/", 1)
        };
        Ok(Self {
            text,
            root: common_root(&alternatives),
            alternatives,
        })
    }

    /// The pattern of one absolute path and of no other, whatever its letters.
    pub fn of_path(path: &Path) -> Self {
        let names = path.components().filter_map(|component| match component {
            Component::Normal(name) => Some(Step::Name(name.to_string_lossy().into_owned())),
            Component::RootDir
            | Component::CurDir
            | Component::ParentDir
            | Component::Prefix(_) => None,
        });
        let alternatives = vec![names.collect()];
        Self {
            text: path.to_string_lossy().into_owned(),
            root: common_root(&alternatives),
            alternatives,
        }
    }

    /// The absolute pattern as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The longest leading part without wildcards: where a search begins. For a
    /// pattern without wildcards this is the whole path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Tells whether the pattern has no wildcards.
    pub fn is_literal(&self) -> bool {
        match self.alternatives.as_slice() {
            [only] => only.iter().all(|step| matches!(step, Step::Name(_))),
            _ => false,
        }
    }

    /// Tells whether the pattern names this path. `*` and `?` match neither `/`
    /// nor a leading dot. Names are bytes.
    pub fn matches(&self, path: &Path) -> bool {
        self.alternatives
            .iter()
            .any(|steps| match steps.iter().any(Step::is_any_depth) {
                true => reached(steps, path).is_some_and(|at| at[steps.len()]),
                false => is_taken(steps, path),
            })
    }

    /// The names in a directory that the pattern names there. To ask for one of them costs
    /// a tenth of what it costs to ask for its whole path.
    pub fn names_in(&self, directory: &Path) -> Names<'_> {
        let mut names = Vec::new();
        for steps in &self.alternatives {
            if let (Some(at), Some(last)) = (reached(steps, directory), steps.last())
                && at[steps.len() - 1]
            {
                names.push(last);
            }
        }
        Names(names)
    }

    /// Tells whether the pattern may name something below this directory, so
    /// that a search can leave out the rest of the tree.
    pub fn may_match_below(&self, directory: &Path) -> bool {
        self.alternatives.iter().any(|steps| {
            reached(steps, directory).is_some_and(|at| at[..steps.len()].contains(&true))
        })
    }
}

/// The names in one directory that a pattern names.
#[derive(Debug)]
pub struct Names<'g>(Vec<&'g Step>);

impl Names<'_> {
    /// Tells whether a name is one of them.
    pub fn contains(&self, name: &OsStr) -> bool {
        self.0.iter().any(|step| step.takes(name))
    }
}

/// Whether steps that each stand for one name are those of a path. Most patterns are
/// such, and they are asked for every file again and again.
fn is_taken(steps: &[Step], path: &Path) -> bool {
    let mut steps = steps.iter();
    path.is_absolute()
        && path.components().all(|component| match component {
            Component::Normal(name) => steps.next().is_some_and(|step| step.takes(name)),
            Component::RootDir | Component::CurDir => true,
            Component::ParentDir | Component::Prefix(_) => false,
        })
        && steps.next().is_none()
}

/// Returns which steps may come next after the names of a path, one flag for
/// each and one for the end; nothing for a path that is not absolute.
fn reached(steps: &[Step], path: &Path) -> Option<Vec<bool>> {
    if !path.is_absolute() {
        return None;
    }
    let mut at = vec![false; steps.len() + 1];
    at[0] = true;
    pass_over_any_depth(steps, &mut at);
    for component in path.components() {
        let name = match component {
            Component::Normal(name) => name,
            Component::RootDir | Component::CurDir => continue,
            Component::ParentDir | Component::Prefix(_) => return None,
        };
        let mut next = vec![false; steps.len() + 1];
        for (idx, step) in steps.iter().enumerate().filter(|(idx, _)| at[*idx]) {
            match step {
                Step::AnyDepth => next[idx] |= !has_leading_dot(name),
                Step::Name(_) | Step::Like { .. } => next[idx + 1] |= step.takes(name),
            }
        }
        pass_over_any_depth(steps, &mut next);
        at = next;
    }
    Some(at)
}

/// `**` may stand for no directory at all.
fn pass_over_any_depth(steps: &[Step], at: &mut [bool]) {
    for (idx, step) in steps.iter().enumerate() {
        if at[idx] && step.is_any_depth() {
            at[idx + 1] = true;
        }
    }
}

fn has_leading_dot(name: &OsStr) -> bool {
    name.as_bytes().first() == Some(&b'.')
}

impl Step {
    fn is_any_depth(&self) -> bool {
        matches!(self, Self::AnyDepth)
    }

    fn takes(&self, name: &OsStr) -> bool {
        match self {
            Self::Name(wanted) => name.as_bytes() == wanted.as_bytes(),
            Self::Like {
                matcher,
                takes_leading_dot,
            } => (*takes_leading_dot || !has_leading_dot(name)) && matcher.is_match(name),
            Self::AnyDepth => !has_leading_dot(name),
        }
    }
}

/// Returns the names of an absolute directory, `.` and `..` worked out.
fn names_of(base: &Path) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for component in base.components() {
        match component {
            Component::Normal(name) => match name.to_str() {
                Some(name) => names.push(name.to_owned()),
                None => {
                    return Err("a relative pattern in a directory whose name is not text".into());
                }
            },
            Component::ParentDir => {
                names.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(names)
}

fn read_steps(pattern: &str, steps: &mut Vec<Step>) -> Result<(), String> {
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => match steps.pop() {
                Some(Step::Name(_)) | None => {}
                Some(Step::Like { .. } | Step::AnyDepth) => {
                    return Err("`..` after a wildcard".into());
                }
            },
            "**" => {
                if !matches!(steps.last(), Some(Step::AnyDepth)) {
                    steps.push(Step::AnyDepth);
                }
            }
            part => steps.push(read_name(part)?),
        }
    }
    match steps.last() {
        // What ends in `**` means the files below, at any depth.
        Some(Step::AnyDepth) => steps.push(read_name("*")?),
        Some(Step::Name(_) | Step::Like { .. }) => {}
        None => return Err("a file pattern that names the root directory".into()),
    }
    Ok(())
}

fn read_name(part: &str) -> Result<Step, String> {
    if let Some(name) = plain_name(part) {
        return Ok(Step::Name(name));
    }
    let glob = GlobBuilder::new(part)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| format!("not a file pattern: {}", error.kind()))?;
    Ok(Step::Like {
        matcher: glob.compile_matcher(),
        takes_leading_dot: part.starts_with('.') || part.starts_with("\\."),
    })
}

/// Returns the name that a part without wildcards stands for.
fn plain_name(part: &str) -> Option<String> {
    let mut name = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(char) = chars.next() {
        match char {
            '*' | '?' | '[' => return None,
            '\\' => name.push(chars.next()?),
            other => name.push(other),
        }
    }
    Some(name)
}

/// Returns the longest directory (or file) that all alternatives begin with.
fn common_root(alternatives: &[Vec<Step>]) -> PathBuf {
    let mut common: Option<Vec<&str>> = None;
    for steps in alternatives {
        let names = steps.iter().map_while(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Like { .. } | Step::AnyDepth => None,
        });
        common = Some(match common {
            None => names.collect(),
            Some(known) => known
                .into_iter()
                .zip(names)
                .take_while(|(one, other)| one == other)
                .map(|(one, _)| one)
                .collect(),
        });
    }
    let mut root = PathBuf::from("/");
    root.extend(common.unwrap_or_default());
    root
}

/// Returns the patterns without braces that a pattern stands for.
fn spell_out_braces(pattern: &str) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        if done.len() + open.len() >= ALTERNATIVES_MAX {
            return Err(format!(
                "a file pattern whose braces stand for more than {ALTERNATIVES_MAX} patterns"
            ));
        }
        match first_braces(&pattern)? {
            None => done.push(pattern),
            Some(braces) => {
                for choice in braces.choices.iter().rev() {
                    open.push(format!(
                        "{}{choice}{}",
                        &pattern[..braces.start],
                        &pattern[braces.end..]
                    ));
                }
            }
        }
    }
    Ok(done)
}

/// The first outermost pair of braces in a pattern.
struct Braces {
    start: usize,
    end: usize,
    choices: Vec<String>,
}

fn first_braces(pattern: &str) -> Result<Option<Braces>, String> {
    let bytes = pattern.as_bytes();
    let mut start = None;
    let mut depth = 0_usize;
    let mut choice_start = 0;
    let mut choices = Vec::new();
    let mut idx = 0;
    while idx < bytes.len() {
        match bytes[idx] {
            b'\\' => idx += 1,
            b'[' => idx = end_of_class(bytes, idx),
            b'{' => {
                depth += 1;
                if depth == 1 {
                    start = Some(idx);
                    choice_start = idx + 1;
                }
            }
            b',' if depth == 1 => {
                choices.push(pattern[choice_start..idx].to_owned());
                choice_start = idx + 1;
            }
            b'}' if depth == 0 => return Err("a `}` without its `{`".into()),
            b'}' => {
                depth -= 1;
                if let (0, Some(start)) = (depth, start) {
                    choices.push(pattern[choice_start..idx].to_owned());
                    return Ok(Some(Braces {
                        start,
                        end: idx + 1,
                        choices,
                    }));
                }
            }
            _ => {}
        }
        idx += 1;
    }
    match start {
        Some(_) => Err("a `{` without its `}`".into()),
        None => Ok(None),
    }
}

/// Returns the index of the `]` that closes a class, or of its `[` when none does.
fn end_of_class(bytes: &[u8], open: usize) -> usize {
    let mut first = open + 1;
    if matches!(bytes.get(first), Some(b'!' | b'^')) {
        first += 1;
    }
    // A `]` that stands first is one of the class.
    let from = first + 1;
    bytes
        .iter()
        .skip(from)
        .position(|&byte| byte == b']')
        .map_or(open, |idx| from + idx)
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.text)
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl PartialOrd for Glob {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Glob {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::parse(text, Path::new("/base/dir")).unwrap()
    }

    #[test]
    fn names_what_it_should() {
        for (pattern, path, expected) in [
            ("/var/log/*.log", "/var/log/a.log", true),
            ("/var/log/*.log", "/var/log/a/b.log", false),
            ("/var/log/*.log", "/var/log/.a.log", false),
            ("/var/log/.*.log", "/var/log/.a.log", true),
            ("/var/log/?a", "/var/log/.a", false),
            ("/var/log/[.]a", "/var/log/.a", false),
            ("/var/log/[ab]x", "/var/log/bx", true),
            ("/var/log/[!ab]x", "/var/log/bx", false),
            ("/var/log/**/*.log", "/var/log/a.log", true),
            ("/var/log/**/*.log", "/var/log/x/y/a.log", true),
            ("/var/log/**/*.log", "/var/log/.x/y/a.log", false),
            ("/var/log/**", "/var/log/x/y", true),
            ("/var/log/**", "/var/log", false),
            ("/var/log/**", "/var/log/x/.y", false),
            ("/var/{log,tmp}/a", "/var/tmp/a", true),
            ("/var/{log/x,tmp}/a", "/var/log/x/a", true),
            ("/var/{log,{tmp,spool}}/a", "/var/spool/a", true),
            ("/var/{.log,x}*", "/var/.log2", true),
            ("/var/a[{]b", "/var/a{b", true),
            (r"/var/\*", "/var/*", true),
            (r"/var/\*", "/var/x", false),
            ("*.log", "/base/dir/x.log", true),
            ("../*.log", "/base/x.log", true),
            ("./x.log", "/base/dir/x.log", true),
            ("/var/log/a", "/var/log/a", true),
            ("/var//log/a", "/var/log/a", true),
            ("/var/log/a", "/var/log/ab", false),
            ("/var/log/*", "relative", false),
        ] {
            let (glob, path) = (glob(pattern), Path::new(path));
            assert_eq!(glob.matches(path), expected, "{glob:?} on {path:?}");
            let directory = path.parent().unwrap();
            let name = path.file_name().unwrap();
            let is_in = glob.names_in(directory).contains(name);
            assert_eq!(is_in, expected, "{glob:?} on {path:?}");
        }
    }

    #[test]
    fn takes_names_that_are_not_text() {
        let path = Path::new(OsStr::from_bytes(b"/var/log/\xff\xfe.log"));
        assert!(glob("/var/log/*.log").matches(path));
        assert!(!glob("/var/log/a*.log").matches(path));
    }

    #[test]
    fn knows_where_a_search_begins() {
        for (pattern, root, literal) in [
            ("/var/log/*.log", "/var/log", false),
            ("/var/log/a.log", "/var/log/a.log", true),
            (r"/var/log/\[a", "/var/log/[a", true),
            ("/var/{log,tmp}/x", "/var", false),
            ("*.log", "/base/dir", false),
            ("/*", "/", false),
        ] {
            assert_eq!(glob(pattern).root(), Path::new(root), "{pattern}");
            assert_eq!(glob(pattern).is_literal(), literal, "{pattern}");
        }
    }

    #[test]
    fn leaves_out_trees_that_cannot_match() {
        for (pattern, directory, expected) in [
            ("/var/log/*/a", "/var/log", true),
            ("/var/log/*/a", "/var/log/x", true),
            ("/var/log/*/a", "/var/log/x/y", false),
            ("/var/log/*/a", "/var", true),
            ("/var/log/*/a", "/etc", false),
            ("/var/log/**/a", "/var/log/x/y/z", true),
            ("/var/log/**/a", "/var/log/x/.git", false),
            ("/var/log/a", "/var/log/a", false),
        ] {
            assert_eq!(
                glob(pattern).may_match_below(Path::new(directory)),
                expected,
                "{pattern} below {directory}"
            );
        }
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for (pattern, reason) in [
            ("", "an empty file pattern"),
            (
                "/var/log/",
                "a pattern that ends in `/` names a directory, not files",
            ),
            ("/var/{a", "a `{` without its `}`"),
            ("/var/a}", "a `}` without its `{`"),
            ("/var/*/../x", "`..` after a wildcard"),
            ("/..", "a file pattern that names the root directory"),
        ] {
            assert_eq!(
                Glob::parse(pattern, Path::new("/")).unwrap_err(),
                reason,
                "{pattern}"
            );
        }
        assert!(Glob::parse("/var/[a", Path::new("/")).is_err());
        let bomb = "{a,b}".repeat(40);
        assert!(Glob::parse(&bomb, Path::new("/")).is_err());
    }
}
