//! One line of a tab-separated table, read from left to right.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::{FromStr, Split};

use super::{CatalogError, CatalogFile};
use crate::catalog::LabelError;
use crate::catalog::prices::Micros;

/// What stands in a cell that says nothing.
const ABSENT: &str = "-";

/// A line, and how far it has been read.
#[derive(Clone)]
pub(super) struct Row<'t> {
    file: CatalogFile,
    /// From 1.
    line: u32,
    text: &'t str,
    cells: Split<'t, char>,
}

/// The header of a table, and its lines.
pub(super) fn rows(file: CatalogFile, text: &str) -> Result<(Row<'_>, impl Iterator<Item = Row<'_>>), CatalogError> {
    let mut all = (1..).zip(text.lines()).map(move |(line, text)| Row { file, line, text, cells: text.split('\t') });
    let none = Row { file, line: 1, text: "", cells: "".split('\t') };
    let header = all.next().ok_or_else(|| none.refuse("header", "the table is empty"))?;
    Ok((header, all))
}

impl<'t> Row<'t> {
    /// The whole line.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// The next cell, if there is one more.
    pub(super) fn next(&mut self) -> Option<&'t str> {
        self.cells.next()
    }

    /// An error that stands here.
    pub(super) fn refuse(&self, column: &str, problem: impl Display) -> CatalogError {
        CatalogError { file: self.file, line: self.line, column: column.to_owned(), problem: problem.to_string() }
    }

    /// Places the error of a column's value.
    pub(super) fn field<T, E: Display>(&self, column: &str, value: Result<T, E>) -> Result<T, CatalogError> {
        value.map_err(|problem| self.refuse(column, problem))
    }

    /// The next cell, which must be there.
    pub(super) fn take(&mut self, column: &str) -> Result<&'t str, CatalogError> {
        let cell = self.cells.next().filter(|cell| !cell.is_empty());
        cell.ok_or_else(|| self.refuse(column, "the cell is missing"))
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self, column: &str) -> Result<(), CatalogError> {
        let rest = self.cells.next();
        rest.map_or(Ok(()), |_| Err(self.refuse(column, "a cell too many follows")))
    }

    /// A positive whole number.
    pub(super) fn number(&mut self, column: &str) -> Result<u32, CatalogError> {
        let cell = self.take(column)?;
        let number = cell.parse().ok().filter(|number| *number > 0);
        self.field(column, number.ok_or_else(|| format!("{cell:?} is no positive number")))
    }

    /// One word of an enum.
    pub(super) fn word<T: FromStr<Err = LabelError>>(&mut self, column: &str) -> Result<T, CatalogError> {
        let cell = self.take(column)?;
        self.field(column, cell.parse())
    }

    /// Words of an enum, separated by commas; at least one.
    pub(super) fn list<T: FromStr<Err = LabelError>>(&mut self, column: &str) -> Result<Vec<T>, CatalogError> {
        let cell = self.take(column)?;
        self.field(column, cell.split(',').map(str::parse).collect())
    }

    /// A cell that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        column: &str,
        parse: impl FnOnce(&'t str) -> Option<T>,
    ) -> Result<Option<T>, CatalogError> {
        let cell = self.take(column)?;
        if cell == ABSENT {
            return Ok(None);
        }
        self.field(column, parse(cell).map(Some).ok_or_else(|| format!("{cell:?} cannot be read")))
    }

    /// USD with at most six decimals; zero is refused, since unknown is written as absent.
    pub(super) fn usd(&mut self, column: &str) -> Result<Micros, CatalogError> {
        self.optional(column, |cell| {
            let (whole, part) = cell.split_once('.').unwrap_or((cell, ""));
            if part.len() > 6 || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let micros = part.bytes().chain(std::iter::repeat(b'0')).take(6);
            let micros = micros.fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
            NonZeroU32::new(whole.parse::<u32>().ok()?.checked_mul(1_000_000)?.checked_add(micros)?)
        })
    }
}
