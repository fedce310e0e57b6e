//! Who may talk to whom: challenge (acceptor), hello (dialler), welcome (acceptor). The
//! shared secret is proved by both sides over both sides' nonces and never travels. This
//! module must never do IO: it makes and judges the three messages.

use super::{Refusal, TransportConfig};
use crate::wire::NodeId;
use crate::wire::frame::Lane;
use crate::wire::proto::peer;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Raised when peers of different versions could misread each other.
pub const PROTOCOL: u32 = 2;

const NONCE_BYTES: usize = 16;
/// Makes a dialler's proof useless as an acceptor's, and both useless elsewhere.
const DIALLER: &[u8] = b"bowline peer 1 dialler";
const ACCEPTOR: &[u8] = b"bowline peer 1 acceptor";

/// Random bytes that are used once.
pub(super) fn nonce() -> Result<Vec<u8>, String> {
    let mut nonce = vec![0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| format!("no random bytes: {error}"))?;
    Ok(nonce)
}

fn proof(secret: &str, label: &[u8], challenge: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    for part in [&[label, challenge], parts].concat() {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac
}

fn hello_proof(secret: &str, challenge: &[u8], hello: &peer::Hello) -> Hmac<Sha256> {
    let mut numbers = Vec::with_capacity(48);
    for number in
        [u64::from(hello.protocol), hello.from, hello.to, hello.boot, hello.group, hello.lane as u64]
    {
        numbers.extend_from_slice(&number.to_le_bytes());
    }
    let parts: [&[u8]; 5] =
        [&hello.nonce, &hello.cluster_id, &hello.incarnation, &numbers, hello.peer_addr.as_bytes()];
    proof(secret, DIALLER, challenge, &parts)
}

fn welcome_proof(
    secret: &str,
    challenge: &[u8],
    hello: &peer::Hello,
    welcome: &peer::Welcome,
) -> Hmac<Sha256> {
    let numbers = [&welcome.from.to_le_bytes()[..], &[u8::from(welcome.field_final)]].concat();
    let parts: [&[u8]; 6] = [
        &hello.nonce,
        &hello.secret_proof,
        welcome.refusal.as_bytes(),
        &welcome.cluster_id,
        &welcome.incarnation,
        &numbers,
    ];
    proof(secret, ACCEPTOR, challenge, &parts)
}

/// What the dialler says.
pub(super) fn hello(
    config: &TransportConfig,
    cluster_id: Option<[u8; 16]>,
    to: NodeId,
    lane: Lane,
    challenge: &peer::Challenge,
) -> Result<peer::Hello, String> {
    let mut hello = peer::Hello {
        protocol: PROTOCOL,
        from: config.node_id,
        to,
        cluster_id: cluster_id.map_or_else(Vec::new, |id| id.to_vec()),
        incarnation: config.incarnation.to_vec(),
        lane: match lane {
            Lane::Control => peer::Lane::CONTROL,
            Lane::Data => peer::Lane::DATA,
            Lane::Snapshot => peer::Lane::SNAPSHOT,
        },
        boot: config.boot,
        nonce: nonce()?,
        group: config.group,
        peer_addr: config.peer_addr.clone(),
        ..Default::default()
    };
    if let Some(secret) = &config.secret {
        hello.secret_proof = hello_proof(secret, &challenge.nonce, &hello).finalize().into_bytes().to_vec();
    }
    Ok(hello)
}

/// The lane that a hello asks for.
pub(super) fn lane(hello: &peer::Hello) -> Lane {
    match hello.lane {
        peer::Lane::CONTROL => Lane::Control,
        peer::Lane::DATA => Lane::Data,
        peer::Lane::SNAPSHOT => Lane::Snapshot,
    }
}

/// Whether the acceptor may believe a hello at all: version and secret. Nothing else is
/// said to someone who does not pass.
pub(super) fn authenticate(
    config: &TransportConfig,
    challenge: &[u8],
    hello: &peer::Hello,
) -> Result<(), Refusal> {
    if hello.protocol != PROTOCOL {
        let reason = format!("peer protocol {} is not spoken here, {PROTOCOL} is", hello.protocol);
        return Err(Refusal { reason, is_final: false });
    }
    let Some(secret) = &config.secret else { return Ok(()) };
    if hello.nonce.len() != NONCE_BYTES
        || hello_proof(secret, challenge, hello).verify_slice(&hello.secret_proof).is_err()
    {
        let reason = "the shared secret is missing or a different one".to_string();
        return Err(Refusal { reason, is_final: false });
    }
    Ok(())
}

/// Whether a hello that may be believed is meant for this node and group.
pub(super) fn check_address(config: &TransportConfig, hello: &peer::Hello) -> Result<(), Refusal> {
    let reason = if hello.to != config.node_id {
        format!("this is node {}, not node {}", config.node_id, hello.to)
    } else if hello.group != config.group {
        format!("this is group {}, not group {}", config.group, hello.group)
    } else if hello.from == 0 || hello.from == config.node_id {
        format!("a peer of node {} cannot be node {}", config.node_id, hello.from)
    } else if hello.incarnation.len() != 16 || !matches!(hello.cluster_id.len(), 0 | 16) {
        "a malformed identity".to_string()
    } else {
        return Ok(());
    };
    Err(Refusal { reason, is_final: false })
}

/// What the acceptor answers; proved only to a dialler that proved itself.
pub(super) fn welcome(
    config: &TransportConfig,
    cluster_id: Option<[u8; 16]>,
    challenge: &[u8],
    hello: &peer::Hello,
    refusal: Option<&Refusal>,
    authentic: bool,
) -> peer::Welcome {
    let mut welcome = peer::Welcome {
        refusal: refusal.map_or_else(String::new, |refusal| refusal.reason.clone()),
        field_final: refusal.is_some_and(|refusal| refusal.is_final),
        from: config.node_id,
        cluster_id: cluster_id.map_or_else(Vec::new, |id| id.to_vec()),
        incarnation: config.incarnation.to_vec(),
        ..Default::default()
    };
    if let Some(secret) = config.secret.as_ref().filter(|_| authentic) {
        let proof = welcome_proof(secret, challenge, hello, &welcome);
        welcome.secret_proof = proof.finalize().into_bytes().to_vec();
    }
    welcome
}

/// Judges the answer. `Ok` is a welcome whose `refusal` may still be set, but which may be
/// believed: a refusal without a proof cannot be final, or anyone could stop a node.
pub(super) fn check_welcome(
    config: &TransportConfig,
    cluster_id: Option<[u8; 16]>,
    challenge: &[u8],
    hello: &peer::Hello,
    mut welcome: peer::Welcome,
) -> Result<peer::Welcome, String> {
    if let Some(secret) = &config.secret
        && welcome_proof(secret, challenge, hello, &welcome).verify_slice(&welcome.secret_proof).is_err()
    {
        if welcome.refusal.is_empty() {
            return Err("the peer does not prove that it knows the shared secret".to_string());
        }
        welcome.field_final = false;
    }
    if !welcome.refusal.is_empty() {
        return Ok(welcome);
    }
    if welcome.from != hello.to {
        return Err(format!("node {} answers at the address of node {}", welcome.from, hello.to));
    }
    match cluster_id {
        Some(own) if !welcome.cluster_id.is_empty() && welcome.cluster_id != own => {
            Err("the peer belongs to another cluster".to_string())
        }
        _ => Ok(welcome),
    }
}
