//! Events as they are listed and shown.

use diesel::prelude::*;

use crate::backends::sqlite::schema::webhook_events as e;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{micros, time};
use crate::model::event::{EventKey, intern_tenant};
use crate::model::event_view::{EventDetail, EventFilter, EventPlace, EventView};
use crate::model::page::Page;

type Row = (String, String, String, String, String, f64, i64, Option<i64>, Option<String>);

fn view_of((tenant, id, event_type, source, version, timestamp, created_at, routed_at, set_aside): Row) -> EventView {
    EventView {
        key: EventKey { tenant: intern_tenant(&tenant), id: id.into() },
        event_type,
        source,
        version,
        timestamp,
        created_at: time(created_at),
        routed_at: routed_at.map(time),
        set_aside,
    }
}

/// Newest first, starting after `after`.
pub(super) fn events(
    conn: &mut SqliteConnection,
    filter: &EventFilter,
    after: Option<&EventPlace>,
    limit: u32,
) -> Result<Page<EventView, EventPlace>, Trouble> {
    let mut query = e::table
        .order((e::created_at.desc(), e::tenant.desc(), e::id.desc()))
        .limit(i64::from(limit) + 1)
        .select((e::tenant, e::id, e::event_type, e::source, e::version, e::timestamp, e::created_at, e::routed_at, e::set_aside))
        .into_boxed();
    if let Some(tenant) = &filter.tenant {
        query = query.filter(e::tenant.eq(tenant));
    }
    if let Some(event_type) = &filter.event_type {
        query = query.filter(e::event_type.eq(event_type));
    }
    if let Some(source) = &filter.source {
        query = query.filter(e::source.eq(source));
    }
    if let Some(since) = filter.since {
        query = query.filter(e::created_at.ge(micros(since)));
    }
    if let Some(until) = filter.until {
        query = query.filter(e::created_at.lt(micros(until)));
    }
    if let Some(EventPlace { at, key }) = after {
        let at = micros(*at);
        let same_time = e::tenant.lt(&*key.tenant).or(e::tenant.eq(&*key.tenant).and(e::id.lt(&*key.id)));
        // The first bound is the one that the index can start from.
        query = query.filter(e::created_at.le(at)).filter(e::created_at.lt(at).or(same_time));
    }
    let rows: Vec<Row> = query.load(conn)?;
    Ok(Page::from_rows(rows.into_iter().map(view_of).collect(), limit, EventView::place))
}

/// One event with its data.
pub(super) fn event(conn: &mut SqliteConnection, key: &EventKey, max_bytes: usize) -> Result<Option<EventDetail>, Trouble> {
    let own = e::table.filter(e::id.eq(&*key.id)).filter(e::tenant.eq(&*key.tenant));
    let columns = (e::tenant, e::id, e::event_type, e::source, e::version, e::timestamp, e::created_at, e::routed_at, e::set_aside);
    let found: Option<(Row, String)> = own.select((columns, e::data)).first(conn).optional()?;
    Ok(found.map(|(row, data)| {
        let data_bytes = data.len();
        EventDetail { view: view_of(row), data: Some(data).filter(|_| data_bytes <= max_bytes), data_bytes: data_bytes as u64 }
    }))
}
