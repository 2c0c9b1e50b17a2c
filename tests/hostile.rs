//! One bad receiver can hurt neither the others nor us.

mod deadline;
mod http_2;
mod kept_connections;
mod mixture;
mod receivers;
