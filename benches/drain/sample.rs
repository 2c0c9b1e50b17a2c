//! The events that are sent.

use std::fmt::Write as _;

pub(crate) const EVENT_TYPE: &str = "order.created";

/// From the end of the data on.
const END: &str = "\"},\"timestamp\":1763757296.12,\"source\":\"shop\",\"version\":\"1.0\"}";

/// So many events whose ids nobody else uses, alike but for those.
pub(crate) struct Sample {
    /// Names the ids, and the path of the receiver that these events go to.
    pub(crate) name: String,
    pub(crate) count: u32,
    rest: String,
}

impl Sample {
    pub(crate) fn new(name: &str, count: u32, body_bytes: usize) -> Self {
        let mut rest = format!(
            "\",\"event_type\":\"{EVENT_TYPE}\",\"data\":{{\"order\":184467440737,\"customer\":{{\"id\":90071,\"email\":\"someone@example.com\"}},\
             \"lines\":[{{\"sku\":\"A-100\",\"quantity\":2,\"price\":19.90}},{{\"sku\":\"B-7\",\"quantity\":1,\"price\":3.5}}],\
             \"total\":43.30,\"paid\":true,\"coupon\":null,\"note\":\""
        );
        let id_bytes = id(name, 0).len();
        let so_far = "{\"id\":\"".len() + id_bytes + rest.len() + END.len();
        let words = "please ring twice ".bytes().cycle().map(char::from);
        rest.extend(words.take(body_bytes.saturating_sub(so_far)));
        rest.push_str(END);
        Self { name: name.to_owned(), count, rest }
    }

    pub(crate) fn id(&self, number: u32) -> String {
        id(&self.name, number)
    }

    /// The event as every door takes it, which is also the body that its endpoint gets.
    pub(crate) fn body(&self, id: &str) -> String {
        let mut body = String::with_capacity(7 + id.len() + self.rest.len());
        // Writing to a String cannot fail.
        let _ = write!(body, "{{\"id\":\"{id}{}", self.rest);
        body
    }

    /// As [`Sample::body`], with another type.
    pub(crate) fn typed(&self, number: u32, event_type: &str) -> String {
        self.body(&self.id(number)).replacen(EVENT_TYPE, event_type, 1)
    }

    /// As [`Sample::typed`], of a tenant; its endpoint gets it without that.
    pub(crate) fn of_tenant(&self, number: u32, event_type: &str, tenant: &str) -> String {
        self.typed(number, event_type).replacen('{', &format!("{{\"tenant\":\"{tenant}\","), 1)
    }

    /// What is the same in all of them.
    pub(crate) fn data(&self) -> String {
        let (_, data) = self.rest.split_once("\"data\":").expect("every event has it");
        data.trim_end_matches(END).to_owned() + "\"}"
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = String> {
        (0..self.count).map(|number| self.id(number))
    }
}

/// Which of the sample's events has this id.
pub(crate) fn number_of(id: &str) -> Option<u32> {
    id.rsplit_once('_')?.1.parse().ok()
}

fn id(name: &str, number: u32) -> String {
    format!("evt_{name}_{number:08}")
}
