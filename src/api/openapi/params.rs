//! Parameters that several calls have.

use utoipa::IntoParams;

use super::shapes;

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes what handlers read")]
pub(in crate::api) struct EndpointPath {
    /// The endpoint.
    #[param(minimum = 1, example = 7)]
    id: i64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes what handlers read")]
pub(in crate::api) struct TriedPath {
    /// The endpoint.
    #[param(minimum = 1, example = 7)]
    endpoint_id: i64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes what handlers read")]
pub(in crate::api) struct RunPath {
    /// The run.
    #[param(format = "uuid")]
    id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes what handlers read")]
pub(in crate::api) struct DeliveryPath {
    /// The delivery, as receivers see it in `X-Webhook-Delivery`.
    #[param(format = "uuid")]
    id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes what handlers read")]
pub(in crate::api) struct EventPath {
    /// The event. What may not stand in a path is percent-encoded, slashes included (`%2F`).
    #[param(pattern = "^[!-~]{1,255}$", example = "order-1042-created")]
    id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what handlers read")]
pub(in crate::api) struct OfTenant {
    /// Whose it is: `default`, or that of the token, when it is left out.
    #[param(value_type = Option<shapes::Tenant>)]
    tenant: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what handlers read")]
pub(in crate::api) struct InTenant {
    /// Only this tenant. A token that is bound to one sees no other.
    #[param(value_type = Option<shapes::Tenant>)]
    tenant: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what handlers read")]
pub(in crate::api) struct Paging {
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
