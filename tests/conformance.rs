//! Every sentence of the doc comments in `src/ports.rs`, for both backends.

mod backends;
mod catalog;
mod catalog_keys;
mod dead_letters;
mod fixtures;
mod long_lists;
mod outbox;
mod pacing;
mod pacing_slots;
mod postgres_plans;
mod queue_claims;
mod queue_events;
mod queue_schedule;
mod queue_settle;
mod records_event;
mod records_event_list;
mod records_events;
mod records_keyed;
mod records_lists;
mod records_owners;
mod records_put_back;
mod records_retention;
mod records_steps;
mod records_stopping;
mod records_totals;
mod redis_and_postgres;
mod redis_oldest;
mod runs;

/// Runs each of these sentences over Redis with Postgres, and over SQLite.
macro_rules! for_both_backends {
    ($($sentence:ident)+) => {
        mod redis_and_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $sentence() {
                super::$sentence($crate::conformance::backends::redis_and_postgres().await).await;
            })+
        }

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $sentence() {
                super::$sentence($crate::conformance::backends::sqlite().await).await;
            })+
        }
    };
}
use for_both_backends;

/// The same, and each over shards of a Redis Cluster.
macro_rules! for_all_queues {
    ($($sentence:ident)+) => {
        $crate::conformance::for_both_backends! { $($sentence)+ }

        mod sharded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $sentence() {
                super::$sentence($crate::conformance::backends::sharded().await).await;
            })+
        }
    };
}
use for_all_queues;
