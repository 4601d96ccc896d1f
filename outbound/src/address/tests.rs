use super::*;

fn policy(ranges: &[&str]) -> AddressPolicy {
    let allowed: Vec<_> = ranges.iter().map(|range| (*range).to_owned()).collect();
    AddressPolicy::new(&allowed).unwrap()
}

fn class(ip: &str) -> Option<AddressClass> {
    policy(&[]).check(ip.parse().unwrap()).err().map(|refused| refused.class)
}

#[test]
fn addresses_that_are_not_public_are_refused_by_class() {
    use AddressClass::*;
    let cases = [
        ("127.0.0.1", Loopback),
        ("127.255.255.254", Loopback),
        ("10.1.2.3", Private),
        ("172.16.0.1", Private),
        ("172.31.255.255", Private),
        ("192.168.1.1", Private),
        ("100.64.0.1", SharedCarrier),
        ("100.127.255.255", SharedCarrier),
        ("100.100.100.200", CloudMetadata),
        ("168.63.129.16", CloudMetadata),
        ("169.254.169.254", LinkLocal),
        ("0.0.0.0", Unspecified),
        ("0.1.2.3", Reserved),
        ("192.0.0.192", Reserved),
        ("192.0.2.1", Documentation),
        ("198.51.100.7", Documentation),
        ("203.0.113.7", Documentation),
        ("198.18.0.1", Benchmarking),
        ("198.19.255.255", Benchmarking),
        ("224.0.0.1", Multicast),
        ("240.0.0.1", Reserved),
        ("255.255.255.255", Broadcast),
        ("::", Unspecified),
        ("::1", Loopback),
        ("fe80::1", LinkLocal),
        ("fec0::1", Reserved),
        ("fc00::1", Private),
        ("fd00:ec2::254", Private),
        ("ff02::1", Multicast),
        ("2001:db8::1", Documentation),
        ("2001::1", Reserved),
        ("100::1", Reserved),
        ("64:ff9b:1::1", Reserved),
    ];
    for (ip, expected) in cases {
        assert_eq!(class(ip), Some(expected), "{ip}");
    }
}

#[test]
fn ipv6_forms_are_judged_by_the_ipv4_address_inside() {
    use AddressClass::*;
    let cases = [
        ("::ffff:127.0.0.1", Loopback),
        ("::ffff:169.254.169.254", LinkLocal),
        ("::10.0.0.1", Private),
        ("2002:7f00:1::", Loopback),
        ("2002:a9fe:a9fe::1", LinkLocal),
        ("64:ff9b::192.168.0.1", Private),
    ];
    for (ip, expected) in cases {
        assert_eq!(class(ip), Some(expected), "{ip}");
    }
    assert_eq!(class("::ffff:8.8.8.8"), None);
    assert_eq!(class("64:ff9b::8.8.8.8"), None);
}

#[test]
fn public_addresses_pass() {
    for ip in ["8.8.8.8", "1.1.1.1", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "2a00::1"] {
        assert_eq!(class(ip), None, "{ip}");
    }
}

#[test]
fn an_allowed_range_opens_exactly_itself() {
    let policy = policy(&["127.0.0.0/8", "10.2.0.0/16", "fd12::/16", "192.168.7.7"]);
    for ip in ["127.0.0.1", "10.2.3.4", "fd12::1", "192.168.7.7", "::ffff:127.0.0.1"] {
        assert_eq!(policy.check(ip.parse().unwrap()), Ok(()), "{ip}");
    }
    for ip in ["10.3.0.1", "::1", "fd13::1", "192.168.7.8", "169.254.169.254"] {
        assert!(policy.check(ip.parse().unwrap()).is_err(), "{ip}");
    }
}

#[test]
fn a_range_that_cannot_be_read_is_named() {
    let error = AddressPolicy::new(&["10.0.0.0/33".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("`10.0.0.0/33`"));
}

#[tokio::test]
async fn a_name_with_a_refused_address_is_refused() {
    let error = policy(&[]).resolve("localhost", 80).await.unwrap_err();
    assert!(error.to_string().contains("`localhost`"), "{error}");
    assert!(error.to_string().contains("loopback"), "{error}");
}

#[tokio::test]
async fn literals_are_checked_in_brackets_and_in_odd_forms() {
    let refusing = policy(&[]);
    assert!(matches!(refusing.resolve("[::1]", 80).await, Err(Error::Refused { .. })));
    for text in ["http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/"] {
        let url = url::Url::parse(text).unwrap();
        let result = refusing.resolve(url.host_str().unwrap(), 80).await;
        assert!(matches!(result, Err(Error::Refused { .. })), "{text}");
    }
}

#[tokio::test]
async fn an_allowed_literal_resolves_to_itself() {
    let addresses = policy(&["127.0.0.0/8"]).resolve("127.0.0.1", 8080).await.unwrap();
    assert_eq!(addresses, ["127.0.0.1:8080".parse::<SocketAddr>().unwrap()]);
}
