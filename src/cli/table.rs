//! Columns that stand below each other.

use std::fmt;

/// A table in the making.
#[derive(Debug)]
pub(super) struct Table {
    /// Whether each column holds numbers, which stand to the right.
    is_right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins with the names of the columns; `>` in front of one puts it to the right.
    pub(super) fn new<const N: usize>(names: [&str; N]) -> Self {
        Self {
            is_right: names.iter().map(|name| name.starts_with('>')).collect(),
            rows: vec![
                (names.iter())
                    .map(|name| name.trim_start_matches('>').to_owned())
                    .collect(),
            ],
        }
    }

    /// Adds a row. What a terminal would obey is shown and not obeyed.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let visible = |cell: String| match cell.contains(|char: char| char.is_control()) {
            true => cell.escape_debug().to_string(),
            false => cell,
        };
        self.rows.push(cells.into_iter().map(visible).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.is_right.len()).map(width).collect();
        for row in &self.rows {
            let cells: Vec<String> = (row.iter().zip(&widths).zip(&self.is_right))
                .map(|((cell, width), is_right)| match is_right {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                })
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(["NAME", ">N", "WHY"]);
        table.row(["a".into(), "1,000".into(), String::new()]);
        table.row(["bcdefg".into(), "7".into(), "\u{1b}[2J".into()]);
        let expected = "NAME        N  WHY\n\
                        a       1,000\n\
                        bcdefg      7  \\u{1b}[2J\n";
        assert_eq!(table.to_string(), expected);
    }
}
