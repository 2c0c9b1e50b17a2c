//! What happens when the program starts, and not all is as it should be.

mod file;
mod port;
mod replicas;
mod servers;
