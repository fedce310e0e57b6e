//! `host:port` as operators write it: names, IPv4, `[IPv6]`. Nothing here resolves a name.

use super::PEER_PORT_OFFSET;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A host and a port. Two addresses are equal when they are written alike (IP addresses:
/// when they are the same address).
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Address {
    /// A name in lower case, or an IP address without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

/// An item of the cluster list: `host:port`, or `host:port@peerport`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct MemberAddress {
    /// Where clients reach the member.
    pub client: Address,
    /// The port for peers, when it is not the client port + 10000.
    pub peer_port: Option<u16>,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing where an address should be.
    #[error("an address is empty: write host:port, and no comma without an address on either side")]
    Empty,
    /// No `:port`.
    #[error("the address {0:?} has no port: write host:port, such as 127.0.0.1:6379")]
    NoPort(String),
    /// No host.
    #[error("the address {0:?} has no host: write host:port, such as 127.0.0.1:6379")]
    NoHost(String),
    /// A port that is not a number from 1 to 65535.
    #[error("the address {0:?} has the port {1:?}, which is not a number from 1 to 65535")]
    Port(String, String),
    /// A host that is neither a name nor an IP address.
    #[error("the address {0:?} has the host {1:?}, which is neither a name nor an IP address")]
    Host(String, String),
    /// An IPv6 address without brackets.
    #[error("the address {0:?} looks like IPv6: write it in brackets, such as [::1]:6379")]
    Brackets(String),
    /// There is no port 10,000 higher.
    #[error(
        "the address {0} leaves no port for peers: {1} + 10000 is beyond 65535; choose a client port up to \
         55535, or name the port for peers (--peer-bind host:port, or host:port@peerport in --cluster)"
    )]
    NoPeerPort(Address, u16),
}

impl Address {
    /// The same host, another port.
    pub fn with_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port }
    }

    /// Where peers are served unless told otherwise.
    pub fn default_peer(&self) -> Result<Self, AddressError> {
        match self.port.checked_add(PEER_PORT_OFFSET) {
            Some(port) => Ok(self.with_port(port)),
            None => Err(AddressError::NoPeerPort(self.clone(), self.port)),
        }
    }

    /// The IP address, unless the host is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether this stands for every address of the machine, so that nobody can connect to it.
    pub fn is_wildcard(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(AddressError::Brackets(text.to_owned()));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| AddressError::NoPort(text.to_owned()))?;
        if text.ends_with(']') {
            return Err(AddressError::NoPort(text.to_owned()));
        }
        Ok(Self { host: parse_host(text, host)?, port: parse_port(text, port)? })
    }
}

impl FromStr for MemberAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.trim().split_once('@') {
            None => Ok(Self { client: text.parse()?, peer_port: None }),
            Some((client, port)) => {
                Ok(Self { client: client.parse()?, peer_port: Some(parse_port(text, port)?) })
            }
        }
    }
}

impl MemberAddress {
    /// Where peers reach this member.
    pub fn peer(&self) -> Result<Address, AddressError> {
        match self.peer_port {
            Some(port) => Ok(self.client.with_port(port)),
            None => self.client.default_peer(),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<String> for MemberAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

fn parse_port(text: &str, port: &str) -> Result<u16, AddressError> {
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(AddressError::Port(text.to_owned(), port.to_owned())),
    }
}

/// The host in the one form that is compared and shown.
fn parse_host(text: &str, host: &str) -> Result<String, AddressError> {
    let refused = || AddressError::Host(text.to_owned(), host.to_owned());
    if host.is_empty() {
        return Err(AddressError::NoHost(text.to_owned()));
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(refused)?;
        return inner.parse::<Ipv6Addr>().map(|ip| ip.to_string()).map_err(|_| refused());
    }
    if host.contains(':') {
        return Err(AddressError::Brackets(text.to_owned()));
    }
    let name = host.len() <= 253
        && host.split('.').all(|label| !label.is_empty() && label.len() <= 63)
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    // Digits and dots alone are meant as an IPv4 address: 127.0.0.256 is no name.
    let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match host.parse::<IpAddr>() {
        Ok(ip) => Ok(ip.to_string()),
        Err(_) if name && !numeric => Ok(host.to_ascii_lowercase()),
        Err(_) => Err(refused()),
    }
}
