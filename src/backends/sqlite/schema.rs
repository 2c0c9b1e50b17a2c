//! The tables of `migrations/sqlite`, as Diesel sees them.

diesel::table! {
    webhook_endpoints (id) {
        id -> BigInt,
        tenant -> Text,
        name -> Text,
        url -> Text,
        is_active -> Bool,
        event_types -> Text,
        headers -> Text,
        timeout -> Double,
        max_retries -> BigInt,
        retry_delay -> Double,
        retry_schedule -> Nullable<Text>,
        rate_limit -> Nullable<Text>,
        in_flight -> Nullable<BigInt>,
        secret -> Text,
        disabled_reason -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        revision -> BigInt,
        failing_since -> Nullable<BigInt>,
        recovering -> Bool,
        previous_secrets -> Text,
    }
}

diesel::table! {
    webhook_catalog (id) {
        id -> BigInt,
        revision -> BigInt,
    }
}

diesel::table! {
    webhook_removed_endpoints (id) {
        id -> BigInt,
        revision -> BigInt,
    }
}

diesel::table! {
    webhook_events (seq) {
        seq -> BigInt,
        tenant -> Text,
        id -> Text,
        event_type -> Text,
        data -> Text,
        source -> Text,
        version -> Text,
        timestamp -> Double,
        created_at -> BigInt,
        routed_at -> Nullable<BigInt>,
        set_aside -> Nullable<Text>,
        traceparent -> Nullable<Text>,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> Binary,
        tenant -> Text,
        endpoint_id -> BigInt,
        event_id -> Text,
        event_type -> Text,
        status -> Text,
        attempt_count -> BigInt,
        last_attempt_at -> Nullable<BigInt>,
        response_status -> Nullable<BigInt>,
        response_body -> Nullable<Text>,
        response_time -> Nullable<Double>,
        error_message -> Nullable<Text>,
        reason -> Nullable<Text>,
        next_retry_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    webhook_past_attempts (delivery_id, attempt_number) {
        delivery_id -> Binary,
        attempt_number -> BigInt,
        attempted_at -> BigInt,
        response_status -> Nullable<BigInt>,
        response_body -> Nullable<Text>,
        response_time -> Double,
        error_message -> Nullable<Text>,
    }
}

diesel::table! {
    webhook_dead_letters (id) {
        id -> BigInt,
        reason -> Text,
        class -> Text,
        at -> BigInt,
        entry -> Binary,
    }
}

diesel::table! {
    webhook_idempotency_keys (key) {
        key -> Binary,
        body -> Binary,
        ids -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    webhook_totals (hour, endpoint_id, tenant) {
        hour -> BigInt,
        endpoint_id -> BigInt,
        tenant -> Text,
        total -> BigInt,
        delivered -> BigInt,
        failed -> BigInt,
        attempted -> BigInt,
        response_micros -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(webhook_deliveries, webhook_endpoints, webhook_events);
