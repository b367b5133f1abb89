//! Writes the man pages of the command line, made of its own definition, into a
//! directory: `cargo run --example man-pages -- DIRECTORY`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use logcrier::cli::args::Args;

fn main() -> io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: man-pages DIRECTORY"));
    };
    fs::create_dir_all(&directory)?;
    let mut logcrier = Args::command();
    logcrier.build();
    write(&logcrier, &directory)
}

/// Writes the page of a command, and those of its own commands.
fn write(command: &Command, directory: &Path) -> io::Result<()> {
    for inner in command.get_subcommands() {
        if !inner.is_hide_set() && inner.get_name() != "help" {
            write(inner, directory)?;
        }
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    let source = format!("logcrier {}", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command.clone())
        .title(name.to_uppercase())
        .source(source)
        .manual("logcrier");
    let mut text = Vec::new();
    page.render(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let page = with_notes(&text) + &see_also(name);
    fs::write(directory.join(format!("{name}.1")), page)
}

/// Leads to the page of the command above, and to what is written in files.
fn see_also(name: &str) -> String {
    let above = name.rsplit_once('-').map(|(above, _)| (above, 1));
    let pages = [("logcrier.yaml", 5), ("logcrier-rules", 5)];
    let links = (above.into_iter().chain(pages))
        .map(|(page, section)| format!(".BR {} ({section})", page.replace('-', "\\-")));
    format!(".SH SEE ALSO\n{}\n", links.collect::<Vec<_>>().join(",\n"))
}

/// Leaves the examples that stand below the options as they are, line by line, and
/// lets the words beside them flow.
fn with_notes(page: &str) -> String {
    let Some((before, after)) = page.split_once(".SH EXTRA\n") else {
        return page.to_owned();
    };
    let (notes, rest) = match after.find("\n.SH ") {
        Some(end) => after.split_at(end + 1),
        None => (after, ""),
    };
    let mut page = format!("{before}.SH NOTES\n");
    for line in notes.lines() {
        let is_example = line.starts_with(' ');
        match (line.trim().is_empty(), is_example) {
            (true, _) => page.push_str(".PP\n"),
            (false, true) => page.push_str(&format!(".nf\n{line}\n.fi\n")),
            (false, false) => page.push_str(&format!(".br\n{line}\n")),
        }
    }
    page + rest
}
