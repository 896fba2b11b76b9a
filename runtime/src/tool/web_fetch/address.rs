//! Which addresses a name may stand for.
//!
//! A host name is somebody else's word: who runs its zone can have it say 127.0.0.1 or the address of a machine behind
//! our own firewall (server-side request forgery, CWE-918). A name is therefore good only if everything it stands for
//! is a public address. An address, or `localhost`, in the URL itself is what the grant named.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The one name that means this machine, and needs nobody to say so (RFC 6761 §6.3).
pub(super) const LOCALHOST: &str = "localhost";

/// What `localhost` stands for.
pub(super) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Blocks of IPv4 that are not public: the IANA special-purpose registry (RFC 6890), multicast and what is reserved.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // behind a carrier's address translation, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, where clouds hand out credentials
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, and broadcast
];

/// The one block of IPv6 that public addresses are given out of (RFC 4291 §2.4). Unique-local, link-local, multicast,
/// loopback, mapped and translated addresses all lie outside.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Blocks within it that are not public.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: any IPv4 address in disguise
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// NAT64 (RFC 6052): what a resolver of an IPv6-only network makes of an IPv4 address.
const TRANSLATED: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether a name may stand for `address`.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.into_iter().any(|block| is_in_v4(address, block)),
        IpAddr::V6(address) if is_in_v6(address, TRANSLATED) => is_public(IpAddr::V4(last_four(address))),
        IpAddr::V6(address) => {
            is_in_v6(address, PUBLIC_V6) && !NOT_PUBLIC_V6.into_iter().any(|block| is_in_v6(address, block))
        }
    }
}

/// Whether `address` is fetched from by nobody, even if a grant names it: at 169.254.169.254 clouds hand out the
/// credentials of the machine to whoever asks.
pub(super) const fn is_never_fetched(address: Ipv4Addr) -> bool {
    address.is_link_local()
}

const fn is_in_v4(address: Ipv4Addr, (block, len_bits): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ block.to_bits()) >> (32 - len_bits) == 0
}

const fn is_in_v6(address: Ipv6Addr, (block, len_bits): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ block.to_bits()) >> (128 - len_bits) == 0
}

const fn last_four(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_may_stand_for_what_is_not_public() -> Result<(), std::net::AddrParseError> {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "4000::1",
        ] {
            assert!(!is_public(address.parse()?), "{address}");
        }
        Ok(())
    }

    #[test]
    fn public_addresses_are_public() -> Result<(), std::net::AddrParseError> {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2a00:1450:4001::1",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(address.parse()?), "{address}");
        }
        Ok(())
    }

    #[test]
    fn link_local_is_never_fetched() {
        assert!(is_never_fetched(Ipv4Addr::new(169, 254, 169, 254)) && !is_never_fetched(Ipv4Addr::LOCALHOST));
    }
}
