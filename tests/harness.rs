//! What every test stands on: real servers, a scripted receiver, a proxy that cuts connections, and the program itself.
//!
//! Everything listens on 127.0.0.1 and lies below one temporary directory. A [`watchdog`] clears both away when the
//! test binary ends, however it ends.

pub(crate) mod api;
pub(crate) mod certificates;
pub(crate) mod cluster;
pub(crate) mod collector;
pub(crate) mod deliveries;
pub(crate) mod doors;
pub(crate) mod eventually;
pub(crate) mod gate;
pub(crate) mod places;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod received;
pub(crate) mod receiver;
pub(crate) mod redis;
pub(crate) mod reply;
pub(crate) mod server;
pub(crate) mod settled;
pub(crate) mod usage;
pub(crate) mod verifiers;
pub(crate) mod watchdog;
pub(crate) mod wire;
pub(crate) mod world;

pub(crate) use api::Api;
pub(crate) use certificates::Authority;
pub(crate) use cluster::Cluster;
pub(crate) use collector::{Collector, Span};
pub(crate) use deliveries::{seconds_between, time, wait_of};
pub(crate) use doors::Door;
pub(crate) use eventually::{LONG, eventually};
pub(crate) use gate::Gate;
pub(crate) use postgres::Postgres;
pub(crate) use process::{Launch, Process};
pub(crate) use prometheus::{Prometheus, promtool};
pub(crate) use proxy::Proxy;
pub(crate) use raw::Raw;
pub(crate) use received::Received;
pub(crate) use receiver::Receiver;
pub(crate) use redis::Redis;
pub(crate) use reply::Reply;
pub(crate) use world::{Setup, Stores, World, both_modes};
