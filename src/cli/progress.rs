//! How far bulk work is: a bar that is drawn over itself on a terminal, and a line now and then elsewhere.

use std::io::{self, Write};
use std::time::{Duration, Instant};

const WIDTH: u64 = 30;
/// How often somebody who reads a log wants to know.
const LINES: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    on_terminal: bool,
    what: &'static str,
    drawn: bool,
    last_line: Option<(Instant, u64)>,
}

impl Progress {
    /// `what` is being counted, as `deliveries`.
    pub(super) fn new(on_terminal: bool, what: &'static str) -> Self {
        Self { on_terminal, what, drawn: false, last_line: None }
    }

    pub(super) fn show(&mut self, out: &mut dyn Write, done: u64, total: Option<u64>) -> io::Result<()> {
        if self.on_terminal {
            self.drawn = true;
            // Back to the start of the line, and away with what was there.
            write!(out, "\r{}\x1b[K", bar(done, total, self.what))?;
        } else if self.last_line.is_none_or(|(at, shown)| shown != done && at.elapsed() >= LINES) {
            self.last_line = Some((Instant::now(), done));
            writeln!(out, "{}", said(done, total, self.what))?;
        }
        out.flush()
    }

    /// Leaves the bar as it is: what follows stands below it.
    pub(super) fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::take(&mut self.drawn) { writeln!(out) } else { Ok(()) }
    }
}

fn said(done: u64, total: Option<u64>, what: &str) -> String {
    match total {
        Some(total) => format!("{done} of {total} {what}"),
        None => format!("{done} {what}"),
    }
}

fn bar(done: u64, total: Option<u64>, what: &str) -> String {
    let Some(total) = total.filter(|total| *total > 0) else { return said(done, total, what) };
    let part = |of: u64| u64::try_from(u128::from(done.min(total)) * u128::from(of) / u128::from(total)).unwrap_or(of);
    let filled = part(WIDTH);
    let cells: String = (0..WIDTH).map(|cell| if cell < filled { '█' } else { '░' }).collect();
    format!("{cells} {:>3} %  {}", part(100), said(done, Some(total), what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_what_is_done() {
        assert_eq!(bar(1, Some(3), "deliveries"), format!("{}{}  33 %  1 of 3 deliveries", "█".repeat(10), "░".repeat(20)));
        assert_eq!(bar(5, Some(3), "x"), format!("{} 100 %  5 of 3 x", "█".repeat(30)));
        assert_eq!((bar(5, None, "x"), bar(0, Some(0), "x")), ("5 x".into(), "0 of 0 x".into()));
    }

    #[test]
    fn elsewhere_than_on_a_terminal_there_are_whole_lines_and_few_of_them() {
        let (mut progress, mut out) = (Progress::new(false, "deliveries"), Vec::new());
        for done in [0, 10, 20] {
            progress.show(&mut out, done, Some(20)).expect("a Vec takes everything");
        }
        progress.end(&mut out).expect("a Vec takes everything");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), "0 of 20 deliveries\n");
    }
}
