//! `logcrier rules`: the packs of rules that came with the program.

use std::io::{self, Write};

use super::Outcome;
use super::args::RulesCommand;
use crate::diagnostic::did_you_mean;

/// A file of rules, as it is kept in the program.
struct Pack {
    /// Its name, without the ending.
    name: &'static str,
    text: &'static str,
}

/// All of them, in the order of their names.
const PACKS: &[Pack] = &[
    Pack {
        name: "error",
        text: include_str!("../../rules/error.yaml"),
    },
    Pack {
        name: "host",
        text: include_str!("../../rules/host.yaml"),
    },
    Pack {
        name: "kernel",
        text: include_str!("../../rules/kernel.yaml"),
    },
    Pack {
        name: "nginx",
        text: include_str!("../../rules/nginx.yaml"),
    },
    Pack {
        name: "sshd",
        text: include_str!("../../rules/sshd.yaml"),
    },
];

/// What begins a rule in a pack.
const KEY: &str = "  - key: ";

/// Lists packs or shows one.
pub fn run(
    command: &RulesCommand,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    match command {
        RulesCommand::List => list(out)?,
        RulesCommand::Show { name } => match find(name) {
            Some(text) => write!(out, "{text}")?,
            None => {
                let names = PACKS.iter().flat_map(|pack| {
                    std::iter::once(pack.name).chain(pack.rules().map(|(key, _)| key))
                });
                let hint = match did_you_mean(name, names) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "`logcrier rules list` tells what there is".to_owned(),
                };
                writeln!(
                    err,
                    "error: no pack or rule `{name}` came with logcrier; {hint}"
                )?;
                return Ok(Outcome::Failed);
            }
        },
    }
    Ok(Outcome::Fine)
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    for (idx, pack) in PACKS.iter().enumerate() {
        if idx > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}: {}", pack.name, pack.about())?;
        for (key, text) in pack.rules() {
            let title = text
                .lines()
                .find_map(|line| line.strip_prefix("    title: "));
            let about = match title {
                Some(title) => title.trim_matches(['\'', '"']).replace("''", "'"),
                None => first_sentence(text),
            };
            writeln!(out, "  {key:<26} {about}")?;
        }
    }
    Ok(())
}

/// The first sentence of the comment above a rule, which checks have instead of a
/// title: their own output is one.
fn first_sentence(rule: &str) -> String {
    let comment: Vec<&str> = (rule.lines())
        .map_while(|line| line.trim_start().strip_prefix("# "))
        .collect();
    let comment = comment.join(" ");
    let sentence = comment.split(['.', ',']).next();
    sentence.unwrap_or_default().to_owned()
}

/// The text of a pack, or of one rule with the comment above it.
fn find(name: &str) -> Option<String> {
    let file = name.strip_suffix(".yaml").unwrap_or(name);
    if let Some(pack) = PACKS.iter().find(|pack| pack.name == file) {
        return Some(pack.text.to_owned());
    }
    let mut rules = PACKS.iter().flat_map(Pack::rules);
    let (_, text) = rules.find(|(key, _)| *key == name)?;
    Some(format!("rules:\n{text}\n"))
}

impl Pack {
    /// What it is about, as its first comment says.
    fn about(&self) -> &'static str {
        let mut comments = self.text.lines().filter_map(|line| line.strip_prefix("# "));
        let first = comments.find(|line| !line.starts_with("yaml-language-server"));
        first.unwrap_or_default()
    }

    /// Its rules: keys, and all of their text with the comments above.
    fn rules(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let (_, rules) = self.text.split_once("\nrules:\n").unwrap_or_default();
        // A blank line stands between two rules, and before the comment of the second.
        rules.split("\n\n").filter_map(|text| {
            let line = text.lines().find(|line| line.starts_with(KEY))?;
            Some((line[KEY.len()..].trim(), text.trim_end()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_packs_are_here() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let mut found: Vec<String> = (std::fs::read_dir(directory).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        let here: Vec<String> = PACKS
            .iter()
            .map(|pack| format!("{}.yaml", pack.name))
            .collect();
        assert_eq!(found, here);
    }

    #[test]
    fn a_rule_without_a_title_is_listed_by_its_comment() {
        let mut out = Vec::new();
        list(&mut out).unwrap();
        let listed = String::from_utf8(out).unwrap();
        let line = "  host-disk                  A file system is nearly full\n";
        assert!(listed.contains(line), "{listed}");
    }

    #[test]
    fn every_rule_can_be_shown() {
        for pack in PACKS {
            let n_keys = pack.text.matches(&format!("\n{KEY}")).count();
            assert_eq!(pack.rules().count(), n_keys, "{}", pack.name);
            assert!(!pack.about().is_empty());
            for (key, text) in pack.rules() {
                let shown = find(key).unwrap();
                let is_whole = ["    match:", "    command:"]
                    .iter()
                    .any(|what| shown.contains(what));
                assert!(is_whole, "{key}: {text}");
            }
        }
    }
}
