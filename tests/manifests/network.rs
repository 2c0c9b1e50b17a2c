//! Where pods may connect to, as their NetworkPolicies say.

use ipnet::IpNet;
use serde_json::Value;

use super::{Rendered, list, overlays, read, selects};

/// Ports of names, PostgreSQL and Redis: the only ones at which something inside may be reached.
const STORES: [u64; 3] = [53, 5432, 6379];

/// A block of addresses, and what is left out of it.
type Block = (IpNet, Vec<IpNet>);

/// Every network that the address guard calls private or special.
fn special() -> Vec<IpNet> {
    let source = read("src/sender/guard.rs");
    let list = source.split("static SPECIAL").nth(1).and_then(|rest| rest.split(".iter()").next()).expect("the guard's list");
    let networks: Vec<_> = list.split('"').skip(1).step_by(2).map(network).collect();
    assert!(networks.len() > 20 && networks.contains(&network("10.0.0.0/8")), "{networks:?}");
    networks
}

fn network(text: &str) -> IpNet {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What the policies that choose the pod of a component allow in one direction: `egress` or `ingress`.
fn rules<'a>(rendered: &'a Rendered, component: &str, direction: &str) -> Vec<&'a Value> {
    let labels = rendered.pod(component).labels.clone();
    let policies: Vec<_> = rendered.all("NetworkPolicy").filter(|policy| selects(&policy["spec"]["podSelector"], &labels)).collect();
    let typed = policies.iter().any(|policy| {
        list(&policy["spec"]["policyTypes"]).iter().any(|kind| kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(direction)))
    });
    assert!(typed, "{}: without a policy, {component} has every {direction}", rendered.overlay);
    policies.into_iter().flat_map(|policy| list(&policy["spec"][direction])).collect()
}

/// Blocks that may be reached at every port.
fn open(rendered: &Rendered, component: &str) -> Vec<Block> {
    let rules = rules(rendered, component, "egress").into_iter().filter(|rule| rule["ports"].is_null());
    let peers = rules.flat_map(|rule| {
        assert!(!list(&rule["to"]).is_empty(), "a rule without `to` is for everywhere");
        list(&rule["to"])
    });
    let blocks = peers.map(|peer| {
        let block = &peer["ipBlock"];
        let except = list(&block["except"]).iter().map(|except| network(except.as_str().unwrap()));
        (network(block["cidr"].as_str().expect("pods are reached at the ports of stores alone")), except.collect())
    });
    blocks.collect()
}

/// Whether any address of the network is in one of the blocks.
fn reached(blocks: &[Block], wanted: &IpNet) -> bool {
    blocks.iter().any(|(cidr, except)| {
        let common = match (cidr.contains(wanted), wanted.contains(cidr)) {
            (true, _) => wanted,
            (_, true) => cidr,
            _ => return false,
        };
        !except.iter().any(|except| except.contains(common))
    })
}

#[test]
fn a_network_is_reached_when_one_of_its_addresses_is() {
    let blocks = [(network("0.0.0.0/0"), vec![network("10.0.0.0/8")])];
    for (wanted, expected) in [("10.1.0.0/16", false), ("10.0.0.0/8", false), ("8.0.0.0/6", true), ("8.8.8.8/32", true), ("::/0", false)] {
        assert_eq!(reached(&blocks, &network(wanted)), expected, "{wanted}");
    }
}

#[tokio::test]
async fn requests_leave_for_public_addresses_and_for_none_that_the_guard_refuses() {
    for rendered in overlays().await {
        for component in ["api", "worker"] {
            let blocks = open(&rendered, component);
            for refused in special() {
                assert!(!reached(&blocks, &refused), "{}: {component} reaches {refused}", rendered.overlay);
            }
            for public in ["8.8.8.8/32", "1.0.0.0/8", "193.0.0.0/8", "223.255.255.255/32", "2606:4700::/32", "2001:4860::/32", "2a00::/12"]
            {
                assert!(reached(&blocks, &network(public)), "{}: {component} does not reach {public}", rendered.overlay);
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_closed_that_the_guard_would_let_through() {
    for rendered in overlays().await {
        let special = special();
        for (cidr, except) in open(&rendered, "worker") {
            let more: Vec<_> = except.iter().filter(|except| !special.contains(except)).collect();
            assert!(more.is_empty(), "{}: {cidr}: {more:?}", rendered.overlay);
        }
    }
}

#[tokio::test]
async fn what_is_inside_is_reached_at_the_ports_of_names_and_stores_alone() {
    for rendered in overlays().await {
        for component in ["api", "worker", "migrate"] {
            let rules = rules(&rendered, component, "egress").into_iter().filter(|rule| !rule["ports"].is_null());
            for rule in rules {
                let ports = list(&rule["ports"]);
                let known = |port: &Value| port["port"].as_u64().is_some_and(|port| STORES.contains(&port)) && port["endPort"].is_null();
                assert!(!ports.is_empty() && ports.iter().all(known), "{}: {component}: {rule}", rendered.overlay);
                assert!(!list(&rule["to"]).is_empty(), "{}: {component}: {rule}", rendered.overlay);
            }
        }
        assert!(open(&rendered, "migrate").is_empty(), "{}: a migration sends no requests", rendered.overlay);
    }
}

#[tokio::test]
async fn workers_are_reached_by_prometheus_alone_and_the_api_by_whoever_has_a_token() {
    for rendered in overlays().await {
        for (component, from) in [("migrate", None), ("worker", Some("monitoring")), ("api", Some("everywhere"))] {
            let rules = rules(&rendered, component, "ingress");
            assert_eq!(rules.len(), usize::from(from.is_some()), "{}: {component}", rendered.overlay);
            for rule in rules {
                assert_eq!(rule["ports"], serde_json::json!([{"protocol": "TCP", "port": 8000}]), "{}: {component}", rendered.overlay);
                let namespace = rule.pointer("/from/0/namespaceSelector/matchLabels").map(|labels| &labels["kubernetes.io/metadata.name"]);
                assert_eq!(
                    namespace.and_then(Value::as_str),
                    from.filter(|from| *from != "everywhere"),
                    "{}: {component}",
                    rendered.overlay
                );
            }
        }
    }
}
