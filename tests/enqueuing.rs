//! Events come in through a Redis list, over HTTP and from the command line, with the limits and defaults of the contract.

mod accepted;
mod command_line;
mod durable;
mod fields;
mod keyed;
mod redis_list;
mod refused;
