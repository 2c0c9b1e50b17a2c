//! Settings of the way to receivers: whom requests may reach, over which connections, and whom we trust.

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::reader::Reader;
use super::{ConnectionSettings, GuardSettings};

pub(super) fn guard(from: &mut Reader) -> GuardSettings {
    GuardSettings {
        allow: from.parsed_list("guard.allow", network),
        deny: from.parsed_list("guard.deny", network),
        https_only: from.flag("guard.https_only"),
    }
}

pub(super) fn connections(from: &mut Reader, idle_per_host: usize) -> ConnectionSettings {
    ConnectionSettings {
        kept: from.count("connections.kept", 0, 1_000_000),
        idle_per_host,
        idle: from.seconds("connections.idle", 0.0, 3600.0),
        more_roots: from.parsed_list("tls.ca_files", certificates).concat(),
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_error| "must be a network such as 10.0.0.0/8 or fd00::/8".to_owned())
}

/// All certificates of a file, each one that can be trusted.
fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("cannot be read as certificates (PEM): {error}");
    let file = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&file).collect::<Result<_, _>>().map_err(|error| unreadable(&error))?;
    if found.is_empty() {
        return Err("holds no certificate (PEM)".to_owned());
    }
    let mut roots = rustls::RootCertStore::empty();
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|error| unreadable(&error))?;
    }
    Ok(found)
}
