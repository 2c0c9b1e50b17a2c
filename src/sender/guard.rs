//! The address guard: which addresses requests may reach.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
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

/// An address that requests must not reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {why}")]
pub struct Blocked {
    pub address: IpAddr,
    why: &'static str,
}

/// Decides over addresses.
#[derive(Debug, Clone)]
pub struct Guard(Arc<GuardSettings>);

impl Guard {
    #[must_use]
    pub fn new(settings: GuardSettings) -> Self {
        Self(Arc::new(settings))
    }

    /// Whether requests may reach the address. `guard.deny` goes before `guard.allow`, and that before what is private or special.
    ///
    /// # Errors
    /// [`Blocked`], with the reason.
    pub fn check(&self, address: IpAddr) -> Result<(), Blocked> {
        let address = unmapped(address);
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        if within(&self.0.deny) {
            Err(Blocked { address, why: "denied by guard.deny" })
        } else if within(&self.0.allow) || !within(&SPECIAL) {
            Ok(())
        } else {
            Err(Blocked { address, why: "private or reserved, and not in guard.allow" })
        }
    }

    /// The same for a URL whose host is an address: such a host is never resolved, so the resolver does not see it.
    ///
    /// # Errors
    /// [`Blocked`], with the reason.
    pub fn check_url(&self, url: &Url) -> Result<(), Blocked> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

/// `::ffff:a.b.c.d` reaches what `a.b.c.d` reaches, and so does `64:ff9b::a.b.c.d` behind a NAT64 (RFC 6052).
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => IpAddr::V4((u32::from(high) << 16 | u32::from(low)).into()),
            _ => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        },
        IpAddr::V4(_) => address,
    }
}

/// Why a name gave no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("{name} does not resolve: {source}")]
    Lookup {
        name: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{name} has no address that may be reached: {source}")]
    Blocked {
        name: String,
        #[source]
        source: Blocked,
    },
}

/// Resolves with the system's resolver and answers only addresses that the guard lets through. Checking here,
/// and not before, makes the address that is checked the one that is connected to.
pub(super) struct GuardedResolver(pub(super) Guard);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map(Iterator::collect::<Vec<_>>);
            let found = match found {
                Ok(found) => found,
                Err(source) => return Err(ResolveError::Lookup { name, source }.into()),
            };
            let (mut allowed, mut blocked) = (Vec::<SocketAddr>::new(), None);
            for address in found {
                match guard.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(reason) => blocked = Some(reason),
                }
            }
            match blocked {
                _ if !allowed.is_empty() => Ok(Box::new(allowed.into_iter()) as Addrs),
                Some(source) => Err(ResolveError::Blocked { name, source }.into()),
                None => {
                    let none = std::io::Error::new(std::io::ErrorKind::NotFound, "no address");
                    Err(ResolveError::Lookup { name, source: none }.into())
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str], deny: &[&str]) -> Guard {
        let parse = |list: &[&str]| list.iter().map(|network| network.parse().expect("a network")).collect();
        Guard::new(GuardSettings { allow: parse(allow), deny: parse(deny) })
    }

    #[test]
    fn private_and_special_addresses_are_blocked_unless_allowed() {
        let blocked = [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "::ffff:0:127.0.0.1",
            "4000::1",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
        ];
        for address in blocked {
            assert!(guard(&[], &[]).check(address.parse().expect(address)).is_err(), "{address}");
        }
        assert!(guard(&[], &[]).check(std::net::Ipv6Addr::UNSPECIFIED.into()).is_err());
        for address in ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"] {
            assert!(guard(&[], &[]).check(address.parse().expect(address)).is_ok(), "{address}");
        }
        assert!(guard(&["127.0.0.0/8"], &[]).check("::ffff:127.0.0.1".parse().expect("v6")).is_ok());
        assert!(guard(&["127.0.0.0/8"], &["127.0.0.1/32"]).check("127.0.0.1".parse().expect("v4")).is_err());
    }

    #[test]
    fn addresses_in_urls_are_checked_however_they_are_spelled() {
        for url in [
            "http://127.1/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://2130706433/",
            "http://[::ffff:127.0.0.1]/",
            "http://①②⑦.0.0.1/",
        ] {
            assert!(guard(&[], &[]).check_url(&Url::parse(url).expect(url)).is_err(), "{url}");
        }
    }
}
