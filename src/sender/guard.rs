//! The address guard: which addresses requests may reach.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use ipnet::{IpNet, Ipv4Net};
use url::{Host, Url};

use crate::config::GuardSettings;

/// Addresses that are nobody's public receiver: the special-purpose registries of IANA (RFC 6890 and what came after it).
static SPECIAL: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        // Outside of 2000::/3 nothing is allocated to the public.
        "::/8",
        "100::/8",
        "200::/7",
        "400::/6",
        "800::/5",
        "1000::/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "4000::/2",
        "8000::/1",
    ]
    .iter()
    .filter_map(|network| network.parse().ok())
    .collect()
});

/// What requests must not reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    #[error("{address} is {why}")]
    Address { address: IpAddr, why: &'static str },
    #[error("guard.https_only is set, and this URL starts with {scheme}:")]
    Scheme { scheme: String },
}

/// Decides over addresses.
#[derive(Debug, Clone)]
pub struct Guard(Arc<GuardSettings>);

impl Guard {
    #[must_use]
    pub fn new(mut settings: GuardSettings) -> Self {
        for network in settings.allow.iter_mut().chain(&mut settings.deny) {
            *network = plain(*network);
        }
        Self(Arc::new(settings))
    }

    /// Whether requests may reach the address. `guard.deny` goes before `guard.allow`, and that before what is private or special.
    ///
    /// # Errors
    /// [`Blocked`], with the reason.
    pub fn check(&self, address: IpAddr) -> Result<(), Blocked> {
        let within = |networks: &[IpNet], address: IpAddr| networks.iter().any(|network| network.contains(&address));
        if carried(address).into_iter().flatten().any(|form| within(&self.0.deny, form)) {
            return Err(Blocked::Address { address, why: "denied by guard.deny" });
        }
        let address = reached(address);
        if within(&self.0.allow, address) || !within(&SPECIAL, address) {
            Ok(())
        } else {
            Err(Blocked::Address { address, why: "private or reserved, and not in guard.allow" })
        }
    }

    /// The same for a URL: whether its scheme may be used, and whether the address may that stands in place of a name.
    /// Such a host is never resolved, so the resolver does not see it.
    ///
    /// # Errors
    /// [`Blocked`], with the reason.
    pub fn check_url(&self, url: &Url) -> Result<(), Blocked> {
        if self.0.https_only && url.scheme() != "https" {
            return Err(Blocked::Scheme { scheme: url.scheme().to_owned() });
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

/// `::ffff:a.b.c.d` reaches what `a.b.c.d` reaches, and so does `64:ff9b::a.b.c.d` behind a NAT64 (RFC 6052).
fn reached(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => joined(high, low).into(),
            _ => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        },
        IpAddr::V4(_) => address,
    }
}

/// The address and those that it carries inside, to which something on the way may take it: besides the above, IPv4-compatible
/// (RFC 4291), translated (RFC 2765), 6to4 (RFC 3056) and Teredo, server and client (RFC 4380).
fn carried(address: IpAddr) -> [Option<IpAddr>; 4] {
    let inside = match address {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(v6) => match v6.segments() {
            [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => [Some(joined(high, low)), None],
            [0x2002, high, low, ..] => [Some(joined(high, low)), None],
            [0x2001, 0, high, low, _, _, client_high, client_low] => [Some(joined(high, low)), Some(joined(!client_high, !client_low))],
            _ => [None, None],
        },
    };
    [Some(address), Some(reached(address)), inside[0].map(IpAddr::V4), inside[1].map(IpAddr::V4)]
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    (u32::from(high) << 16 | u32::from(low)).into()
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`: addresses are compared in the form in which they are reached.
fn plain(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let prefix = v6.prefix_len().checked_sub(96);
    let plain = v6.addr().to_ipv4_mapped().zip(prefix).and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    plain.map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests;
