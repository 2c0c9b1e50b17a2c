//! Tables for people.

use std::io::{self, Write};

/// Wider cells are cut.
const MAX_WIDTH: usize = 60;

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

pub(super) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.iter().map(|cell| cut(&plain(cell))).collect());
    }

    /// Writes aligned columns, the last one without padding.
    pub(super) fn write(&self, out: &mut dyn Write, colour: bool) -> io::Result<()> {
        let widths: Vec<usize> = (0..self.header.len()).map(|column| self.width(column)).collect();
        self.write_header(out, &widths, colour)?;
        self.write_rows(out, &widths, colour)
    }

    fn write_header(&self, out: &mut dyn Write, widths: &[usize], colour: bool) -> io::Result<()> {
        let header: Vec<String> = self.header.iter().map(|&name| name.to_owned()).collect();
        line(out, &header, widths, |_| colour.then_some(BOLD))
    }

    fn write_rows(&self, out: &mut dyn Write, widths: &[usize], colour: bool) -> io::Result<()> {
        let colour_of = |cell: &str| if colour { colour_of(cell) } else { None };
        self.rows.iter().try_for_each(|row| line(out, row, widths, colour_of))
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.max().unwrap_or(0).max(self.header[column].chars().count())
    }
}

/// A table whose rows come little by little: a column gets wider when something wider comes.
pub(super) struct Growing {
    header: &'static [&'static str],
    widths: Vec<usize>,
    begun: bool,
}

impl Growing {
    pub(super) fn new(header: &'static [&'static str]) -> Self {
        Self { header, widths: vec![0; header.len()], begun: false }
    }

    /// Writes these rows below those that were written before.
    pub(super) fn write(&mut self, out: &mut dyn Write, rows: &[Vec<String>], colour: bool) -> io::Result<()> {
        let mut table = Table::new(self.header);
        rows.iter().for_each(|row| table.row(row));
        for (column, width) in self.widths.iter_mut().enumerate() {
            *width = table.width(column).max(*width);
        }
        if !std::mem::replace(&mut self.begun, true) {
            table.write_header(out, &self.widths, colour)?;
        }
        table.write_rows(out, &self.widths, colour)
    }
}

fn line(out: &mut dyn Write, cells: &[String], widths: &[usize], colour: impl Fn(&str) -> Option<&'static str>) -> io::Result<()> {
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let padding = if at + 1 == cells.len() { 0 } else { width + 2 - cell.chars().count() };
        match colour(cell) {
            Some(code) => write!(out, "{code}{cell}{RESET}{:padding$}", "")?,
            None => write!(out, "{cell}{:padding$}", "")?,
        }
    }
    writeln!(out)
}

/// The colour of a word that says how something went.
pub(super) fn colour_of(word: &str) -> Option<&'static str> {
    match word {
        "delivered" | "active" | "done" | "routed" => Some(GREEN),
        "pending" | "retrying" | "inactive" | "running" | "cancelled" | "accepted" => Some(YELLOW),
        "failed" | "set aside" => Some(RED),
        _ => None,
    }
}

/// The text without what could steer a terminal: names and answers come from strangers.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The same, with its line breaks.
pub(super) fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_WIDTH {
        return text.to_owned();
    }
    text.chars().take(MAX_WIDTH - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(colour: bool) -> String {
        let mut table = Table::new(&["ID", "STATUS", "NAME"]);
        table.row(&["1".into(), "delivered".into(), "é".into()]);
        table.row(&["12345".into(), "failed".into(), "\u{1b}[2Jx".into()]);
        let mut out = Vec::new();
        table.write(&mut out, colour).expect("a Vec takes everything");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn columns_are_aligned_and_control_characters_are_replaced() {
        assert_eq!(written(false), "ID     STATUS     NAME\n1      delivered  é\n12345  failed     \u{fffd}[2Jx\n");
    }

    #[test]
    fn a_growing_table_has_one_header_and_columns_that_only_get_wider() {
        let (mut table, mut out) = (Growing::new(&["ID", "NAME"]), Vec::new());
        for (id, name) in [("1", "a"), ("12345", "b"), ("2", "c")] {
            table.write(&mut out, &[vec![id.into(), name.into()]], false).expect("a Vec takes everything");
        }
        assert_eq!(String::from_utf8(out).expect("UTF-8"), "ID  NAME\n1   a\n12345  b\n2      c\n");
    }

    #[test]
    fn colours_do_not_move_columns() {
        assert!(written(true).contains("12345  \x1b[31mfailed\x1b[0m     \u{fffd}[2Jx"));
    }
}
