//! Results on standard output: JSON for programs, aligned text for people.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Where results go, and in which form.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        Output { json }
    }

    /// Whether a program reads the results.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether somebody watches: then counts and times, which are no result, may go to standard error.
    pub(crate) fn is_watched(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// One object on a line of its own. It is flushed, because the reader may wait for it.
    pub(crate) fn object(&self, object: &impl Serialize) -> Result<(), Failure> {
        let mut line =
            serde_json::to_vec(object).map_err(|error| Failure::of_output(error.into()))?;
        line.push(b'\n');
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(&line)
            .and_then(|()| stdout.flush())
            .map_err(Failure::of_output)
    }

    /// A line for people.
    pub(crate) fn line(&self, line: impl fmt::Display) -> Result<(), Failure> {
        writeln!(io::stdout(), "{line}").map_err(Failure::of_output)
    }

    /// A piece of running text, shown at once.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(Failure::of_output)
    }

    /// Something that the user should know, and that is no failure.
    pub(crate) fn warn(&self, warning: impl fmt::Display) {
        // A warning that cannot be shown is not worth failing for.
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }

    /// A remark beside the results, for somebody who watches.
    pub(crate) fn remark(&self, remark: impl fmt::Display) {
        if self.is_watched() {
            // A remark that cannot be shown is not worth failing for.
            let _ = writeln!(io::stderr(), "{remark}");
        }
    }
}

/// A table whose columns are as wide as their widest cell. The last column may be of any width.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn row<const N: usize>(&mut self, cells: [&dyn fmt::Display; N]) {
        self.push(cells.iter().map(ToString::to_string).collect());
    }

    pub(crate) fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            let mut line = String::new();
            for (cell, &width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            formatter.write_str(line.trim_end())?;
        }
        Ok(())
    }
}

/// A number of bytes in the unit that gives one to three digits before the point.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", count as f64 / *size as f64),
        None => format!("{count} B"),
    }
}

/// Text on one line: control characters escaped, everything else as it is.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters_not_bytes() {
        let mut table = Table::default();
        table.row([&"größe", &1]);
        table.row([&"b", &"22"]);
        assert_eq!(table.to_string(), "größe  1\nb      22");
    }

    #[test]
    fn bytes_get_the_largest_unit_that_fits() {
        let shown: Vec<_> = [0, 1023, 1024, 98_362_432, 3 << 30].map(bytes).to_vec();
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "93.8 MiB", "3.0 GiB"]);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(one_line("a\n\u{1b}[2Jß"), "a\\n\\u{1b}[2Jß");
    }
}
