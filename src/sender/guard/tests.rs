use super::*;

fn guard(allow: &[&str], deny: &[&str]) -> Guard {
    let parse = |list: &[&str]| list.iter().map(|network| network.parse().expect("a network")).collect();
    Guard::new(GuardSettings { allow: parse(allow), deny: parse(deny), https_only: false })
}

fn passes(guard: &Guard, address: &str) -> bool {
    guard.check(address.parse().expect(address)).is_ok()
}

/// First and last address of each network that nobody's public receiver is in, and what carries such an address inside.
const SPECIAL_ADDRESSES: &str = "
    0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 100.100.100.200 127.0.0.0 127.0.0.1 127.255.255.255
    169.254.0.0 169.254.169.254 169.254.170.2 169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.192 192.0.0.255
    192.0.2.0 192.0.2.255 192.88.99.0 192.88.99.255 192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.0
    198.51.100.255 203.0.113.0 203.0.113.255 224.0.0.0 224.0.0.1 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255
    :: ::1 ::2 ::127.0.0.1 ::10.0.0.1 ::8.8.8.8 ::ffff:0.0.0.0 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254
    ::ffff:192.168.1.1 ::ffff:7f00:1 ::FFFF:A9FE:A9FE ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8 64:ff9b::7f00:1 64:ff9b::10.0.0.1
    64:ff9b::169.254.169.254 64:ff9b:1::1 64:ff9b:1::8.8.8.8 100::1 100:0:0:1::1 1ff::1 200::1 3ff::1 400::1 7ff::1 800::1 1000::1
    1fff::1 2001::1 2001:0:a00:1::1 2001:0:0:0:0:0:80ff:fffe 2001:1::1 2001:2::1 2001:10::1 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff
    2001:db8::1 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2002:7f00:1::1 2002:a00:1:: 2002:a9fe:a9fe::1 2002:808:808::1 3fff::1
    3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff 4000::1 5f00::1 7fff::1 8000::1 bfff::1 c000::1 e000::1 f000::1 fc00::1 fd00:ec2::254
    fd12:3456:789a::1 fdff:ffff::1 fe00::1 fe80::1 febf::1 fec0::1 feff::1 ff00::1 ff02::1 ff05::2 ff0e::1";

const PUBLIC_ADDRESSES: &str = "
    1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
    172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
    198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 ::ffff:8.8.8.8 ::ffff:808:808 64:ff9b::808:808
    2000::1 2001:200::1 2001:4860:4860::8888 2001:db7:ffff::1 2001:db9::1 2003::1 2606:4700::1111 2a00:1450::1 3ffe:ffff::1";

#[test]
fn what_is_not_public_is_blocked_to_its_last_address() {
    let guard = guard(&[], &[]);
    for address in SPECIAL_ADDRESSES.split_whitespace() {
        assert!(!passes(&guard, address), "{address}");
    }
    for address in PUBLIC_ADDRESSES.split_whitespace() {
        assert!(passes(&guard, address), "{address}");
    }
}

#[test]
fn what_is_allowed_passes_and_what_is_denied_does_not_in_every_form() {
    let cases: [(&[&str], &[&str], &str, bool); 20] = [
        (&["127.0.0.0/8"], &[], "127.0.0.1", true),
        (&["127.0.0.0/8"], &[], "::ffff:127.0.0.1", true),
        (&["127.0.0.0/8"], &[], "10.0.0.1", false),
        (&["127.0.0.0/8"], &["127.0.0.1/32"], "127.0.0.1", false),
        (&["127.0.0.0/8"], &["127.0.0.1/32"], "127.0.0.2", true),
        (&["10.0.0.0/8"], &["::ffff:10.0.0.0/104"], "10.0.0.1", false),
        (&["10.0.0.0/8"], &["::ffff:10.0.0.0/104"], "::ffff:10.0.0.1", false),
        (&["::ffff:10.0.0.0/104"], &[], "10.200.0.1", true),
        (&["::ffff:10.0.0.0/104"], &[], "::ffff:a00:1", true),
        (&["::ffff:10.0.0.0/104"], &[], "11.0.0.1", true),
        (&["::ffff:10.0.0.0/104"], &[], "192.168.0.1", false),
        (&[], &["8.8.8.0/24"], "8.8.8.8", false),
        (&[], &["8.8.8.0/24"], "::ffff:8.8.8.8", false),
        (&[], &["8.8.8.0/24"], "64:ff9b::808:808", false),
        (&["2002::/16"], &["10.0.0.0/8"], "2002:a00:1::1", false),
        (&["2001::/32"], &["10.0.0.0/8"], "2001:0:808:808::f5ff:fffe", false),
        (&["2001::/32"], &["8.8.8.8/32"], "2001:0:808:808::f5ff:fffe", false),
        (&["::/8"], &["10.0.0.0/8"], "::10.0.0.1", false),
        (&["::/0"], &["64:ff9b::/96"], "64:ff9b::808:808", false),
        (&["fd00::/8"], &["fd00:ec2::254/128"], "fd00:ec2::254", false),
    ];
    for (allow, deny, address, expected) in cases {
        assert_eq!(passes(&guard(allow, deny), address), expected, "allow {allow:?}, deny {deny:?}: {address}");
    }
}

#[test]
fn https_only_refuses_what_is_not_encrypted() {
    let guard = Guard::new(GuardSettings { https_only: true, ..GuardSettings::default() });
    let check = |url: &str| guard.check_url(&Url::parse(url).expect(url));
    assert_eq!(check("http://example.com/"), Err(Blocked::Scheme { scheme: "http".to_owned() }));
    assert!(check("https://example.com/").is_ok());
    assert!(check("https://127.0.0.1/").is_err());
}
