//! Statements written in SQL that stay prepared: Diesel's own `sql_query` is planned anew every time.

use diesel::pg::Pg;
use diesel::serialize::{IsNull, Output, Result, ToSql};
use diesel::sql_types::{Json, Text};

use crate::model::event::Event;
use crate::model::trace::TraceContext;

/// JSON text as Postgres reads it: no tree is made of it, and it is not copied on the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawJson<'a>(pub(super) &'a str);

impl ToSql<Json, Pg> for RawJson<'_> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> Result {
        std::io::Write::write_all(out, self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

/// `traceparent` as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traceparent(TraceContext);

impl ToSql<Text, Pg> for Traceparent {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> Result {
        std::io::Write::write_fmt(out, format_args!("{}", self.0))?;
        Ok(IsNull::No)
    }
}

/// The column of the events' traces.
pub(super) fn traceparents<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Option<Traceparent>> {
    sparse(events.map(|event| event.traceparent.map(Traceparent)))
}

/// A column that has nothing but NULL in most batches, and is empty then: `unnest` fills up what is missing.
pub(super) fn sparse<T>(values: impl Iterator<Item = Option<T>>) -> Vec<Option<T>> {
    let values: Vec<_> = values.collect();
    if values.iter().all(Option::is_none) { Vec::new() } else { values }
}

/// Declares a struct that is a statement. Its fields are bound to the `?` of the text, in order, as the SQL type after `=>`.
/// The text must be constant: each connection prepares it once.
macro_rules! statement {
    (
        $(#[$meta:meta])*
        $name:ident $(<$life:lifetime>)? { $($field:ident: $rust:ty => $sql:ty),* $(,)? } -> $row:ty = $text:expr
    ) => {
        $(#[$meta])*
        struct $name $(<$life>)? { $($field: $rust),* }

        const _: () = {
            struct Id;

            impl $(<$life>)? diesel::query_builder::QueryId for $name $(<$life>)? {
                type QueryId = Id;
                const HAS_STATIC_QUERY_ID: bool = true;
            }

            impl $(<$life>)? diesel::query_builder::Query for $name $(<$life>)? {
                type SqlType = $row;
            }

            impl $(<$life>)? diesel::query_builder::QueryFragment<diesel::pg::Pg> for $name $(<$life>)? {
                fn walk_ast<'pass>(
                    &'pass self,
                    mut out: diesel::query_builder::AstPass<'_, 'pass, diesel::pg::Pg>,
                ) -> diesel::QueryResult<()> {
                    let mut pieces = $text.split('?');
                    $(
                        out.push_sql(pieces.next().unwrap_or_default());
                        out.push_bind_param::<$sql, _>(&self.$field)?;
                    )*
                    out.push_sql(pieces.next().unwrap_or_default());
                    Ok(())
                }
            }
        };
    };
}

pub(super) use statement;
