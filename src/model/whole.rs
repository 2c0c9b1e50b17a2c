//! Whole numbers, however JSON spells them: 3, 3.0 and 3e0 are one number, and some languages write no other.

use serde::de::{Deserialize, Deserializer, Error as _};

struct Whole(u32);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(from)?;
        if number.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&number) {
            return Err(D::Error::custom(format!("{number} is not a whole number from 0 to {}", u32::MAX)));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole, and in range")]
        Ok(Self(number as u32))
    }
}

/// For a field that is always there.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    Whole::deserialize(from).map(|whole| whole.0)
}

/// For a field that may be `null`.
pub(super) fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<Whole>::deserialize(from)?.map(|whole| whole.0))
}

/// For a field in which `null` means something.
pub(super) fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<u32>>, D::Error> {
    optional(from).map(Some)
}

#[cfg(test)]
mod tests {
    use crate::model::endpoint::{EndpointDraft, RateLimit};

    #[test]
    fn a_whole_number_may_have_a_point() {
        for spelled in ["3", "3.0", "3e0", "30e-1"] {
            let json = format!(r#"{{"max_retries":{spelled},"in_flight":{spelled},"rate_limit":{{"max_requests":{spelled},"window":1}}}}"#);
            let draft: EndpointDraft = serde_json::from_str(&json).expect(&json);
            let limit = RateLimit { max_requests: 3, window: 1.0 };
            assert_eq!((draft.max_retries, draft.in_flight, draft.rate_limit), (Some(3), Some(Some(3)), Some(Some(limit))));
        }
        for spelled in ["3.5", "-1", "4294967296", "1e300", "\"3\"", "true"] {
            assert!(serde_json::from_str::<EndpointDraft>(&format!(r#"{{"max_retries":{spelled}}}"#)).is_err(), "{spelled}");
        }
        let none: EndpointDraft = serde_json::from_str(r#"{"max_retries":null,"in_flight":null}"#).expect("JSON");
        assert_eq!((none.max_retries, none.in_flight), (None, Some(None)));
    }
}
