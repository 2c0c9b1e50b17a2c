//! An endpoint's row, which anybody may have written by SQL: it becomes an endpoint only when it is valid.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Json;

use super::schema::webhook_endpoints;
use crate::backends::vault::{Owner, Secrets, Stored, Vault};
use crate::model::clock::Timestamp;
use crate::model::endpoint::{Endpoint, EndpointDefaults, EndpointDraft, EndpointSpec, RateLimit, ScheduleDraft};
use crate::model::problem::Problem;

/// Every column has a value, so these are never used.
const NO_DEFAULTS: EndpointDefaults = EndpointDefaults { timeout: Duration::ZERO, max_retries: 0, retry_delay: Duration::ZERO };

/// JSON text as it is stored.
#[derive(Debug, diesel::deserialize::FromSqlRow, diesel::expression::AsExpression)]
#[diesel(sql_type = Json)]
pub(super) struct JsonText(pub(super) String);

impl diesel::deserialize::FromSql<Json, diesel::pg::Pg> for JsonText {
    fn from_sql(value: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
        Ok(Self(std::str::from_utf8(value.as_bytes())?.to_owned()))
    }
}

impl diesel::serialize::ToSql<Json, diesel::pg::Pg> for JsonText {
    fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
        std::io::Write::write_all(out, self.0.as_bytes())?;
        Ok(diesel::serialize::IsNull::No)
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook_endpoints, check_for_backend(diesel::pg::Pg))]
pub(super) struct EndpointRow {
    pub(super) id: i64,
    pub(super) deleted_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    timeout: f64,
    retry_delay: f64,
    rate_limit_window: Option<f64>,
    rate_limit_max_requests: Option<i32>,
    max_retries: i32,
    in_flight: Option<i32>,
    is_active: bool,
    tenant: String,
    name: String,
    url: String,
    event_types: Vec<Option<String>>,
    headers: JsonText,
    secret: String,
    retry_schedule: Option<Vec<Option<f64>>>,
    disabled_reason: Option<String>,
    failing_since: Option<Timestamp>,
    recovering: bool,
    previous_secrets: JsonText,
}

impl EndpointRow {
    /// The endpoint; `None`, and a word in the log for each bad field, when it is not valid.
    pub(super) fn into_valid(self, vault: &Vault) -> Option<Endpoint> {
        let id = self.id;
        match self.into_endpoint(vault) {
            Ok(endpoint) => Some(endpoint),
            Err(problems) => {
                for problem in problems {
                    tracing::warn!(
                        endpoint_id = id,
                        field = problem.field,
                        problem = problem.message,
                        "an endpoint's row is not valid, and is left out"
                    );
                }
                None
            }
        }
    }

    fn into_endpoint(self, vault: &Vault) -> Result<Endpoint, Vec<Problem>> {
        let stored = Stored { secret: self.secret, previous: self.previous_secrets.0 };
        let (Secrets { newest, earlier }, locked) = vault.unlock(Owner { id: self.id, tenant: &self.tenant }, &stored);
        let headers: BTreeMap<String, String> = serde_json::from_str(&self.headers.0)
            .map_err(|_line_and_column| vec![Problem::new("headers", "must be an object whose values are strings")])?;
        let rate_limit = match (self.rate_limit_max_requests, self.rate_limit_window) {
            (None, None) => None,
            // A half is no limit: 0 is refused below.
            (max_requests, window) => Some(RateLimit { max_requests: unsigned(max_requests.unwrap_or(0)), window: window.unwrap_or(0.0) }),
        };
        let seconds = |list: Vec<Option<f64>>| ScheduleDraft::Seconds(list.into_iter().map(|s| s.unwrap_or(f64::NAN)).collect());
        let draft = EndpointDraft {
            tenant: Some(self.tenant),
            name: Some(self.name),
            url: Some(self.url),
            event_types: Some(self.event_types.into_iter().map(Option::unwrap_or_default).collect()),
            secret: locked.is_none().then(|| newest.reveal().to_owned()),
            headers: Some(headers),
            timeout: Some(self.timeout),
            max_retries: Some(unsigned(self.max_retries)),
            retry_delay: Some(self.retry_delay),
            retry_schedule: Some(self.retry_schedule.map(seconds)),
            rate_limit: Some(rate_limit),
            in_flight: Some(self.in_flight.map(unsigned)),
            is_active: Some(self.is_active),
        };
        let new = draft.into_new(NO_DEFAULTS)?;
        Ok(Endpoint {
            id: self.id,
            tenant: new.tenant,
            spec: new.spec,
            secret: newest,
            earlier,
            locked,
            disabled_reason: self.disabled_reason,
            failing_since: self.failing_since,
            recovering: self.recovering,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// Numbers below 0 become 0, which is never valid.
fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// What an owner chose, as columns. All of them are written, `None` as NULL.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints, treat_none_as_null = true)]
pub(super) struct SpecColumns {
    timeout: f64,
    retry_delay: f64,
    rate_limit_window: Option<f64>,
    rate_limit_max_requests: Option<i32>,
    max_retries: i32,
    in_flight: Option<i32>,
    is_active: bool,
    name: String,
    url: String,
    event_types: Vec<String>,
    headers: JsonText,
    retry_schedule: Option<Vec<f64>>,
}

impl From<EndpointSpec> for SpecColumns {
    fn from(spec: EndpointSpec) -> Self {
        let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            timeout: spec.timeout.as_secs_f64(),
            retry_delay: spec.retry_delay.as_secs_f64(),
            rate_limit_window: spec.rate_limit.map(|limit| limit.window),
            rate_limit_max_requests: spec.rate_limit.map(|limit| signed(limit.max_requests)),
            max_retries: signed(spec.max_retries),
            in_flight: spec.in_flight.map(signed),
            is_active: spec.is_active,
            name: spec.name,
            url: spec.url.into(),
            event_types: spec.event_types.iter().map(ToString::to_string).collect(),
            headers: JsonText(serde_json::to_string(&spec.headers).unwrap_or_else(|_strings_always_serialize| "{}".into())),
            retry_schedule: spec.retry_schedule,
        }
    }
}
