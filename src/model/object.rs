//! Objects inside of bodies. serde would read their fields from an array as well, by their places.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A `T` that is spelled as an object.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}

/// For a field in which `null` means something.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Ok(Some(Option::<Object<T>>::deserialize(from)?.map(|object| object.0)))
}

#[cfg(test)]
mod tests {
    use crate::model::endpoint::{EndpointDraft, RateLimit};

    #[test]
    fn a_nested_object_is_no_array() {
        let read = |limit: &str| serde_json::from_str::<EndpointDraft>(&format!(r#"{{"rate_limit":{limit}}}"#));
        let limit = RateLimit { max_requests: 1, window: 2.0 };
        assert_eq!(read(r#"{"window":2,"max_requests":1}"#).expect("an object").rate_limit, Some(Some(limit)));
        assert_eq!(read("null").expect("null").rate_limit, Some(None));
        for wrong in ["[1,2]", "[]", "7", "\"x\"", "true", r#"{"max_requests":1}"#, r#"{"max_requests":1,"window":2,"more":3}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let said = read("[1,2]").expect_err("an array").to_string();
        assert!(said.contains("expected an object"), "{said}");
    }
}
