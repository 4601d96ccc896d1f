//! What all queries have in common.

use domain::ids::OrganizationId;

use crate::cursor::BadCursor;

/// Most items of one page.
pub const MAX_LIMIT: u32 = 500;

/// Whose rows a query may see: the first argument of every query that answers a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantScope(pub OrganizationId);

/// Whose rows a query of operation may see: an organisation its own, whoever runs the installation
/// those of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Organization(TenantScope),
    Installation,
}

impl Reach {
    /// The only organisation whose rows may be seen, if there is only one.
    pub(crate) fn org(self) -> Option<OrganizationId> {
        match self {
            Self::Organization(TenantScope(org)) => Some(org),
            Self::Installation => None,
        }
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    /// Clamped to 1..=[`MAX_LIMIT`].
    pub limit: u32,
    /// The `next_cursor` of the page before; none for the first.
    pub cursor: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// None when this is the last page.
    pub next_cursor: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("the database of the views failed")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Cursor(#[from] BadCursor),
}

impl Slice<'_> {
    pub(crate) fn limit(&self) -> usize {
        self.limit.clamp(1, MAX_LIMIT) as usize
    }

    /// One more than asked for tells whether there is a next page.
    pub(crate) fn fetch(&self) -> i64 {
        self.limit() as i64 + 1
    }
}

impl<T> Page<T> {
    /// Of the rows found by [`Slice::fetch`].
    pub(crate) fn of(mut rows: Vec<T>, limit: usize, cursor_at: impl Fn(&T) -> String) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(cursor_at);
        Self { items: rows, next_cursor }
    }
}

/// The error of a stored value that is not one of those the code writes.
pub(crate) fn unreadable(column: &str, value: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: format!("`{value}` is not a value of this column").into(),
    }
}
