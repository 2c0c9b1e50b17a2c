//! Every way to write an address that must not be reached is refused when the endpoint is registered.

use serde_json::json;

use crate::harness::both_modes;

/// Hosts that stand for an address that must not be reached: `http://<host>/`.
pub(super) const BLOCKED: &str = "
    127.0.0.1 127.0.0.2 127.1.2.3 127.255.255.254 127.1 127.0.1 127.65535 127.16777215 127.0.257 2130706433 2130706434 017700000001
    0177.0.0.1 0177.0.0.01 0177.0.1 0177.1 00000177.0.0.1 0177.00.00.01 0x7f000001 0X7F000001 0x7F.1 0x7f.0x0.0x0.0x1 0x7f.0.0.1
    0x7f.0.1 0x07f.0.0.0x1 127.0x1 127.0.0x1 127.0.0.0x1 127.00.00.01 0x7f.0377.1 127.0.0.1. 127.1. 2130706433. 0x7f000001.
    0177.0.0.1. %31%32%37.0.0.1 127%2E0%2E0%2E1 127.0.0.%31 %30x7f.1 127%2e1 １２７.０.０.１ １２７。０。０。１ 127。0。0。1 127．0．0．1
    127｡0｡0｡1 ①②⑦.⓪.⓪.① ①②⑦.0.0.1 𝟏𝟐𝟕.𝟎.𝟎.𝟏 ¹²⁷.0.0.1 ₁₂₇.0.0.1 ０x7f.1 0ｘ7f000001 １２７．１ ２１３０７０６４３３ 127.0.0.1:80 127.1:8080 0x7f.1:443
    0 0.0.0.0 0.0 0.0.0 0x0 00 0.0.0.1 0.255.255.255 0x00000000 000000000000 0.1 10.0.0.1 10.1 10.255.255.255 167772161 0x0a000001
    0xa.1 012.0.0.1 012.1 10.0x1 0xA.0xFF.0xFF.0xFF 172.16.0.1 172.31.255.255 2886729729 0xac100001 0254.020.0.1 172.1048577
    192.168.0.1 192.168.1 192.11010049 3232235521 0xc0a80001 0300.0250.0.1 0xc0.0xa8.0.1 192.168.257 169.254.169.254 169.254.43518
    169.16689662 2852039166 0xa9fea9fe 0xA9.0xFE.0xA9.0xFE 0251.0376.0251.0376 025177524776 0251.0376.43518 169.254.0xa9fe
    ①⑥⑨.②⑤④.①⑥⑨.②⑤④ 169。254。169。254 169.254.169.254. 169.254.170.2 100.64.0.1 100.100.100.200 0x646464c8 1684300232
    0144.0144.0144.0310 100.6579400 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1
    239.255.255.250 240.0.0.1 255.255.255.255 0xffffffff 4294967295 037777777777 255.255.65535 [::] [::0] [0:0:0:0:0:0:0:0] [::1] [0::1]
    [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::0001] [::0.0.0.1] [::127.0.0.1] [::7f00:1] [::ffff:127.0.0.1]
    [::FFFF:127.0.0.1] [::ffff:7f00:1] [::FFFF:7F00:0001] [0:0:0:0:0:ffff:127.0.0.1] [0:0:0:0:0:FFFF:7F00:1] [::ffff:0:127.0.0.1]
    [::ffff:10.0.0.1] [::ffff:a00:1] [::ffff:172.16.0.1] [::ffff:192.168.0.1] [::ffff:c0a8:1] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe]
    [::FFFF:A9FE:A9FE] [::ffff:100.100.100.200] [::ffff:0.0.0.0] [::a9fe:a9fe] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1]
    [64:FF9B::A9FE:A9FE] [64:ff9b::10.0.0.1] [64:ff9b:1::a9fe:a9fe] [2002:7f00:1::] [2002:7f00:0001::1] [2002:a9fe:a9fe::1] [2002:a00:1::1]
    [2002:C0A8:0001::1] [2001::1] [2001:0:a9fe:a9fe::1] [2001:0:808:808::80ff:fffe] [2001:2::1] [2001:db8::1] [2001:DB8:0:0:0:0:0:1] [3fff::1]
    [fc00::1] [fd00::1] [fd00:ec2::254] [FD00:EC2:0:0:0:0:0:254] [fd00:0ec2::0254] [fe80::1] [FE80::A] [febf::1] [fec0::1] [ff02::1]
    [ff05::1:3] [100::1] [::1]:8080 good.example@127.0.0.1 user:password@127.0.0.1 good.example%40127.0.0.1@127.0.0.1
    good.example:80@127.1 good.example@[::1] 8.8.8.8@169.254.169.254 8.8.8.8:80@10.0.0.1 %67ood.example@2130706433 127.0.0.1:80?@8.8.8.8
    127.0.0.1#@8.8.8.8 127.0.0.1\\@8.8.8.8 127.0.0.1\\8.8.8.8 127.0.0.1/@8.8.8.8 [::1]?8.8.8.8 1\u{ad}27.0.0.1 127\u{200b}.0.0.1";

/// What looks like an address and is none, or nothing at all: refused too.
const NO_URLS: &str = "
    http://[fe80::1%25eth0]/ http://[fe80::1%eth0]/ http://[::1%25lo]/ http://[::1%lo]/ http://[::ffff:127.0.0.1%251]/ http://[::1/
    http://::1/ http://[127.0.0.1]/ http://256.0.0.1/ http://127.0.0.256/ http://127.0.0.0.1/ http://0x100000000/ http://4294967296/
    http://127.0.0.1.1/ http://08.0.0.1/ http://0x7g.1/ http://127..1/ http://0x7f..1/ http:// http:/// http://:80/
    http://127.0.0.1:99999/ http://%00127.0.0.1/ http://127.0.0.1%00/ http://127.0.0.1%0a/ http://a%2fb/ http://a<b/ http://a^b/
    file:///etc/passwd ftp://127.0.0.1/ gopher://127.0.0.1:70/ ws://127.0.0.1/ unix:/run/x.sock data:,x javascript:0 //127.0.0.1/ 127.0.0.1";

const FINE: &str = "
    http://8.8.8.8/ http://134744072/ http://0x08080808/ http://010.8.8.8/ https://example.com/ http://127.0.0.1.example.com/
    http://[2606:4700::1111]/ http://[::ffff:8.8.8.8]/ https://１.１.１.１/ https://例え.テスト/ http://172.32.0.1/ http://192.169.0.1/";

both_modes! {
    async fn however_an_address_is_spelled_it_is_refused_at_registration(setup: Setup) {
        let world = setup.set("POSTHASTE__GUARD__ALLOW", "").await;
        let hosts: Vec<_> = BLOCKED.split_whitespace().collect();
        assert!(hosts.len() >= 150, "{}", hosts.len());
        let urls = hosts.iter().map(|host| format!("http://{host}/")).chain(NO_URLS.split_whitespace().map(str::to_owned));
        for url in urls {
            let endpoint = json!({"name": "a", "url": url, "event_types": ["*"]});
            let answer = world.api.post("/api/webhooks/endpoints", &endpoint).await;
            assert_eq!((answer.status, &answer.json["errors"][0]["field"]), (400, &json!("url")), "{url}: {}", answer.text);
        }
        for url in FINE.split_whitespace() {
            world.api.register(url, &json!({})).await;
        }
    }

    async fn the_refusal_names_the_address_and_the_reason(setup: Setup) {
        let world = setup.set("POSTHASTE__GUARD__ALLOW", "10.0.0.0/8").set("POSTHASTE__GUARD__DENY", "10.1.0.0/16,::ffff:10.2.0.0/112").await;
        let cases = [
            ("http://0x7f.1/", "127.0.0.1 is private or reserved, and not in guard.allow"),
            ("http://[::ffff:a9fe:a9fe]/", "169.254.169.254 is private"),
            ("http://10.1.2.3/", "10.1.2.3 is denied by guard.deny"),
            ("http://10.2.3.4/", "10.2.3.4 is denied by guard.deny"),
        ];
        for (url, reason) in cases {
            let answer = world.api.post("/api/webhooks/endpoints", &json!({"name": "a", "url": url, "event_types": ["*"]})).await;
            assert!(answer.text.contains(reason), "{url}: {}", answer.text);
        }
        world.api.register("http://10.3.0.1/", &json!({})).await;
        let registered = world.api.register("http://8.8.8.8/", &json!({"is_active": true})).await;
        let path = format!("/api/webhooks/endpoints/{}", registered.id);
        world.api.patch(&path, &json!({"url": "http://127.1/"})).await.expect(400);
    }
}
