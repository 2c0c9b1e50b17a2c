//! The tables as Diesel's query builder sees them: what lists and filters read.

diesel::table! {
    webhook_deliveries (id) {
        id -> Uuid,
        endpoint_id -> BigInt,
        created_at -> Timestamptz,
        next_retry_at -> Nullable<Timestamptz>,
        last_attempt_at -> Nullable<Timestamptz>,
        response_time -> Nullable<Double>,
        attempt_count -> Integer,
        response_status -> Nullable<Integer>,
        status -> Text,
        tenant -> Text,
        event_id -> Text,
        event_type -> Text,
        response_body -> Nullable<Text>,
        error_message -> Nullable<Text>,
        attempt_error -> Nullable<Text>,
    }
}

diesel::table! {
    webhook_past_attempts (delivery_id, attempt_number) {
        delivery_id -> Uuid,
        at -> Timestamptz,
        response_time -> Double,
        attempt_number -> Integer,
        response_status -> Nullable<Integer>,
        response_body -> Nullable<Text>,
        error_message -> Nullable<Text>,
    }
}

diesel::table! {
    webhook_endpoints (id) {
        id -> BigInt,
        revision -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        timeout -> Double,
        retry_delay -> Double,
        rate_limit_window -> Nullable<Double>,
        rate_limit_max_requests -> Nullable<Integer>,
        max_retries -> Integer,
        in_flight -> Nullable<Integer>,
        is_active -> Bool,
        tenant -> Text,
        name -> Text,
        url -> Text,
        event_types -> Array<Nullable<Text>>,
        headers -> Json,
        secret -> Text,
        retry_schedule -> Nullable<Array<Nullable<Double>>>,
        disabled_reason -> Nullable<Text>,
        failing_since -> Nullable<Timestamptz>,
        recovering -> Bool,
        previous_secrets -> Json,
    }
}

diesel::table! {
    webhook_catalog (revision) {
        revision -> BigInt,
    }
}

diesel::table! {
    webhook_removed_endpoints (revision, id) {
        id -> BigInt,
        revision -> BigInt,
    }
}
