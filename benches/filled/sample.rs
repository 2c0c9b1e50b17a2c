//! What is in the database: many tenants and endpoints of very different size, a few types that most events have, and things
//! that are rare.

use std::fmt::Write as _;
use std::sync::Arc;

use posthaste::model::clock::{self, Timestamp};
use posthaste::model::delivery::DeliveryId;
use posthaste::model::event::EventKey;

pub(crate) const TENANTS: u32 = 500;
pub(crate) const ENDPOINTS_OF_EACH: u32 = 5;
/// How long ago the first delivery was made.
pub(crate) const DAYS: u32 = 30;

pub(crate) const TYPES: [(&str, u32); 8] = [
    ("order.created", 420),
    ("order.paid", 250),
    ("order.shipped", 150),
    ("user.updated", 100),
    ("invoice.sent", 50),
    ("user.created", 25),
    ("order.refunded", 4),
    ("account.closed", 1),
];
/// The last of these has one event in so many.
const RARE: u32 = 200_000;
pub(crate) const RARE_TYPE: &str = "account.merged";
pub(crate) const RARE_TENANT: &str = "rare";
pub(crate) const RARE_ENDPOINT: u32 = TENANTS * ENDPOINTS_OF_EACH + 1;

/// `default` is the largest; a tenant has half of what the one with half its number has.
pub(crate) fn tenant(number: u32) -> String {
    if number == 0 { "default".to_owned() } else { format!("tenant-{number:03}") }
}

/// Rows as COPY reads them.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) events: String,
    pub(crate) deliveries: String,
    pub(crate) past_attempts: String,
    pub(crate) count: u32,
}

/// Makes events in the order of their time, each with its deliveries.
pub(crate) struct Maker {
    random: fastrand::Rng,
    started: f64,
    step: f64,
    made: u32,
    tenants: Vec<Arc<str>>,
}

impl Maker {
    pub(crate) fn new(deliveries: u32) -> Self {
        let seconds = f64::from(DAYS) * 86_400.0;
        let started = clock::unix_seconds(clock::now()) - seconds;
        let tenants = (0..TENANTS).map(|number| Arc::from(tenant(number))).collect();
        Self { random: fastrand::Rng::with_seed(7), started, step: seconds / f64::from(deliveries), made: 0, tenants }
    }

    /// At least so many deliveries more.
    pub(crate) fn rows(&mut self, count: u32) -> Rows {
        let mut rows = Rows::default();
        while rows.count < count {
            self.event(&mut rows);
        }
        rows
    }

    fn event(&mut self, rows: &mut Rows) {
        let number = self.made;
        let at = clock::from_unix_seconds(self.started + f64::from(number) * self.step);
        let (tenant, endpoints) = self.owner();
        let key = EventKey { tenant, id: Arc::from(format!("evt_{number:010}")) };
        let event_type = self.event_type();
        let time = at.format("%Y-%m-%d %H:%M:%S%.6f+00");
        writeln!(
            rows.events,
            "{:.6}\t{time}\t{time}\t{}\t{}\t{event_type}\tshop\t1.0\t{{\"order\":{number},\"customer\":{{\"id\":90071,\"email\":\
             \"someone@example.com\"}},\"lines\":[{{\"sku\":\"A-100\",\"quantity\":2,\"price\":19.90}}],\"total\":43.30}}",
            clock::unix_seconds(at),
            key.tenant,
            key.id
        )
        .expect("a String");
        for endpoint in endpoints {
            self.delivery(rows, at, &key, event_type, endpoint);
            rows.count += 1;
            self.made += 1;
        }
    }

    fn owner(&mut self) -> (Arc<str>, Vec<u32>) {
        if self.random.u32(0..RARE) == 0 {
            return (Arc::from(RARE_TENANT), vec![RARE_ENDPOINT]);
        }
        // Small numbers come much more often than large ones.
        let place = self.random.f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the number of tenants")]
        let tenant = (f64::from(TENANTS) * place * place * place) as u32;
        let first = self.random.u32(0..ENDPOINTS_OF_EACH);
        let endpoint = |step| tenant * ENDPOINTS_OF_EACH + (first + step) % ENDPOINTS_OF_EACH + 1;
        let fan_out = if self.random.bool() { 1 } else { 2 };
        (Arc::clone(&self.tenants[tenant as usize]), (0..fan_out).map(endpoint).collect())
    }

    fn event_type(&mut self) -> &'static str {
        if self.random.u32(0..RARE) == 0 {
            return RARE_TYPE;
        }
        let mut place = self.random.u32(0..1000);
        for (name, share) in TYPES {
            if place < share {
                return name;
            }
            place -= share;
        }
        TYPES[0].0
    }

    fn delivery(&mut self, rows: &mut Rows, at: Timestamp, key: &EventKey, event_type: &str, endpoint: u32) {
        let id = DeliveryId::of(at, key, i64::from(endpoint));
        let (created, took) = (at.format("%Y-%m-%d %H:%M:%S%.6f+00"), 0.01 + self.random.f64() * 0.2);
        let (status, attempts, code, error) = match self.random.u32(0..1000) {
            0..950 => ("delivered", 1 + u32::from(self.random.u32(0..50) == 0), "200", "\\N"),
            950..980 => ("failed", 3, "500", "the receiver answered 500"),
            980..998 => ("retrying", 1, "503", "the receiver answered 503"),
            _ => ("pending", 0, "\\N", "\\N"),
        };
        let due = if status == "retrying" || status == "pending" { "2099-01-01 00:00:00+00" } else { "\\N" };
        let body = if attempts == 0 { "\\N" } else { "{\"ok\":true}" };
        let (attempted, seconds) =
            if attempts == 0 { ("\\N".to_owned(), "\\N".to_owned()) } else { (created.to_string(), format!("{took:.6}")) };
        writeln!(
            rows.deliveries,
            "{id}\t{endpoint}\t{created}\t{due}\t{attempted}\t{seconds}\t{attempts}\t{code}\t{status}\t{}\t{}\t{event_type}\t{body}\t{error}",
            key.tenant, key.id
        )
        .expect("a String");
        for number in 1..attempts {
            writeln!(rows.past_attempts, "{id}\t{created}\t{took:.6}\t{number}\t503\t\\N\tthe receiver answered 503").expect("a String");
        }
    }
}
