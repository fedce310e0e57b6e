//! A client of a node that is a stranger yet: two commands, and replies that may be anything.
//! This module must never trust a length or a depth that it reads, and never wait without end.

use super::JoinRequest;
use crate::limits;
use crate::storage::FirstMember;
use crate::wire::NodeId;
use std::fmt;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection, or the answer about a node's status, may take.
const SOON: Duration = Duration::from_secs(2);
/// Replies within replies: a status is a map of lists of maps.
const MAX_DEPTH: usize = 8;

/// Why a node did not let this one in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unasked {
    /// Perhaps the next time.
    Later(String),
    /// It is no node of such a cluster, and another of the list may be.
    Stranger(String),
    /// The cluster has said no.
    Never(String),
}

impl fmt::Display for Unasked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Later(reason) | Self::Stranger(reason) | Self::Never(reason)) = self;
        out.write_str(reason)
    }
}

/// What a node says of its cluster.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub cluster_id: [u8; 16],
    pub first_voters: Vec<NodeId>,
    pub members: Vec<FirstMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reply {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(String),
    Nil,
    Array(Vec<Reply>),
}

/// One conversation.
pub struct Ask<'a> {
    target: &'a str,
    patience: Duration,
    credentials: Option<(&'a str, &'a str)>,
    stream: Option<TcpStream>,
    input: Vec<u8>,
}

impl<'a> Ask<'a> {
    /// With `target`, as the user of `credentials`; a change of the members may take as long as `patience`.
    pub fn new(target: &'a str, patience: Duration, credentials: &'a Option<(String, String)>) -> Self {
        let credentials = credentials.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        Self { target, patience, credentials, stream: None, input: Vec::new() }
    }

    /// What the node knows of its cluster.
    pub async fn status(&mut self) -> Result<Answer, Unasked> {
        let target = self.target;
        let reply = self.call(&["RAFT", "STATUS"], SOON).await?;
        if let Reply::Error(text) = &reply {
            return Err(match is_passing(text) {
                true => Unasked::Later(format!("{target} says: {text}")),
                false => self.stranger(&format!("it says: {text}")),
            });
        }
        if !matches!(reply, Reply::Array(_)) {
            return Err(self.stranger("its status is none"));
        }
        let Some(cluster_id) = reply.text("cluster_id") else {
            return Err(Unasked::Later(format!("{target} does not know its cluster's id yet")));
        };
        answer(&reply, &cluster_id).ok_or_else(|| {
            self.stranger("its status lacks what a new node has to know; perhaps its version is another one")
        })
    }

    /// Has this node added to the members: its id.
    pub async fn add(&mut self, request: &JoinRequest) -> Result<NodeId, Unasked> {
        let target = self.target;
        let id = if request.node_id == 0 { "*".to_owned() } else { request.node_id.to_string() };
        let peer_port = request.peer_addr.rsplit_once(':').map_or("", |(_, port)| port);
        let address = format!("{}@{peer_port}", request.client_addr);
        let patience = self.patience;
        let reply = self.call(&["RAFT", "ADD", &id, &address], patience).await?;
        let node_id = match &reply {
            Reply::Int(id) => NodeId::try_from(*id).ok(),
            Reply::Simple(text) if text == "OK" => Some(request.node_id),
            // Accepted, and not in effect yet: the cluster goes on by itself.
            Reply::Simple(text) => {
                let id = text.strip_prefix("ACCEPTED node ").and_then(|rest| rest.split(' ').next());
                id.and_then(|id| id.parse().ok())
            }
            Reply::Error(text) if is_passing(text) => {
                return Err(Unasked::Later(format!("{target} says: {text}")));
            }
            Reply::Error(text) => return Err(Unasked::Never(format!("{target} says: {text}"))),
            _ => None,
        };
        node_id.filter(|id| *id != 0).ok_or_else(|| self.stranger("its answer to RAFT ADD is none"))
    }

    fn stranger(&self, why: &str) -> Unasked {
        Unasked::Stranger(format!(
            "{} is no node of a bowline cluster that can be joined: {why}",
            self.target
        ))
    }

    /// Logs in first, if it is the first call.
    async fn call(&mut self, words: &[&str], patience: Duration) -> Result<Reply, Unasked> {
        if let Some((user, password)) = self.credentials.filter(|_| self.stream.is_none())
            && let Reply::Error(text) = self.one_call(&["AUTH", user, password], SOON).await?
        {
            return Err(self.not_admitted(&text));
        }
        match self.one_call(words, patience).await? {
            Reply::Error(text) if text.starts_with("NOAUTH ") || text.starts_with("NOPERM ") => {
                Err(self.not_admitted(&text))
            }
            reply => Ok(reply),
        }
    }

    fn not_admitted(&self, text: &str) -> Unasked {
        Unasked::Never(format!(
            "{} says: {text}; give --join-user and --join-password of a user that may run RAFT",
            self.target
        ))
    }

    async fn one_call(&mut self, words: &[&str], patience: Duration) -> Result<Reply, Unasked> {
        let target = self.target;
        match timeout(patience, self.exchange(words)).await {
            Ok(Ok(Some(reply))) => Ok(reply),
            Ok(Ok(None)) => Err(self.stranger("it does not speak the Redis protocol")),
            Ok(Err(error)) => Err(Unasked::Later(format!("{target}: {error}"))),
            Err(_) => Err(Unasked::Later(format!("{target} did not answer within {} s", patience.as_secs()))),
        }
    }

    /// None: what comes back is no reply.
    async fn exchange(&mut self, words: &[&str]) -> std::io::Result<Option<Reply>> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let connected = timeout(SOON, TcpStream::connect(self.target)).await;
                let timed_out = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time");
                self.stream.insert(connected.unwrap_or_else(|_| Err(timed_out()))?)
            }
        };
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        stream.write_all(request.as_bytes()).await?;
        loop {
            match parse(&self.input, 0) {
                Parsed::Whole(reply, rest) => {
                    self.input = rest.to_vec();
                    return Ok(Some(reply));
                }
                Parsed::Nonsense => return Ok(None),
                Parsed::Part if self.input.len() > limits::MAX_JOIN_REPLY_BYTES => return Ok(None),
                Parsed::Part => {}
            }
            if stream.read_buf(&mut self.input).await? == 0 {
                let ended = "it closed the connection instead of answering";
                return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, ended));
            }
        }
    }
}

/// Whether an error is over some time: what the node is or the cluster has said no otherwise.
fn is_passing(error: &str) -> bool {
    let code = error.split(' ').next().unwrap_or_default();
    ["CLUSTERDOWN", "UNKNOWN", "TRYAGAIN", "LOADING"].contains(&code)
        || error.contains("max number of clients")
}

fn answer(status: &Reply, cluster_id: &str) -> Option<Answer> {
    let cluster_id = u128::from_str_radix(cluster_id, 16).ok()?.to_be_bytes();
    let Some(Reply::Array(voters)) = status.field("first_voters") else { return None };
    let first_voters: Vec<NodeId> = voters.iter().map(Reply::id).collect::<Option<_>>()?;
    let Some(Reply::Array(rows)) = status.field("members") else { return None };
    let member = |row: &Reply| {
        Some(FirstMember {
            node: row.field("id")?.id()?,
            client_addr: row.text("client_addr")?,
            peer_addr: row.text("peer_addr")?,
        })
    };
    let mut members: Vec<FirstMember> = rows.iter().map(member).collect::<Option<_>>()?;
    members.retain(|member| !member.peer_addr.is_empty());
    (!first_voters.is_empty()).then_some(Answer { cluster_id, first_voters, members })
}

impl Reply {
    /// Of a map, which RESP2 shows as names and values in turn.
    fn field(&self, name: &str) -> Option<&Reply> {
        let Self::Array(items) = self else { return None };
        let mut pairs = items.chunks_exact(2);
        pairs.find(|pair| matches!(&pair[0], Self::Bulk(found) if found == name)).map(|pair| &pair[1])
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.field(name)? {
            Self::Bulk(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn id(&self) -> Option<NodeId> {
        match self {
            Self::Int(id) => NodeId::try_from(*id).ok(),
            _ => None,
        }
    }
}

enum Parsed<'b> {
    Whole(Reply, &'b [u8]),
    Part,
    Nonsense,
}

/// The reply at the beginning of `bytes`, in RESP2.
fn parse(bytes: &[u8], depth: usize) -> Parsed<'_> {
    let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else {
        let can_be = bytes.first().is_none_or(|kind| b"+-:$*".contains(kind));
        return if can_be && bytes.len() < limits::MAX_INLINE_BYTES {
            Parsed::Part
        } else {
            Parsed::Nonsense
        };
    };
    let Ok(line) = std::str::from_utf8(&bytes[..end]) else { return Parsed::Nonsense };
    let rest = &bytes[end + 2..];
    let (kind, text) = line.split_at_checked(1).unwrap_or_default();
    let number = || text.parse::<i64>().ok();
    match (kind, number()) {
        ("+", _) => Parsed::Whole(Reply::Simple(text.to_owned()), rest),
        ("-", _) => Parsed::Whole(Reply::Error(text.to_owned()), rest),
        (":", Some(number)) => Parsed::Whole(Reply::Int(number), rest),
        ("$" | "*", Some(-1)) => Parsed::Whole(Reply::Nil, rest),
        ("$", Some(len)) => match usize::try_from(len) {
            Ok(len) if len <= limits::MAX_JOIN_REPLY_BYTES => {
                let Some(bulk) = rest.get(..len) else { return Parsed::Part };
                let Some(after) = rest.get(len + 2..) else { return Parsed::Part };
                Parsed::Whole(Reply::Bulk(String::from_utf8_lossy(bulk).into_owned()), after)
            }
            _ => Parsed::Nonsense,
        },
        ("*", Some(len @ 0..)) if depth < MAX_DEPTH => {
            let (mut items, mut rest) = (Vec::new(), rest);
            for _ in 0..len {
                match parse(rest, depth + 1) {
                    Parsed::Whole(item, after) => {
                        items.push(item);
                        rest = after;
                    }
                    other => return other,
                }
            }
            Parsed::Whole(Reply::Array(items), rest)
        }
        _ => Parsed::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> Option<Reply> {
        match parse(text.as_bytes(), 0) {
            Parsed::Whole(reply, b"") => Some(reply),
            _ => None,
        }
    }

    #[test]
    fn a_status_tells_what_a_new_node_has_to_know() {
        let text = "*8\r\n$4\r\nterm\r\n:3\r\n$10\r\ncluster_id\r\n$2\r\n0f\r\n$12\r\nfirst_voters\r\n*1\r\n:1\r\n\
                    $7\r\nmembers\r\n*1\r\n*6\r\n$2\r\nid\r\n:1\r\n$11\r\nclient_addr\r\n$3\r\na:1\r\n\
                    $9\r\npeer_addr\r\n$3\r\na:2\r\n";
        let reply = status(text).unwrap();
        let found = answer(&reply, &reply.text("cluster_id").unwrap()).unwrap();
        let member = FirstMember { node: 1, client_addr: "a:1".into(), peer_addr: "a:2".into() };
        let cluster_id = 15_u128.to_be_bytes();
        assert_eq!(found, Answer { cluster_id, first_voters: vec![1], members: vec![member] });
        for cut in 0..text.len() {
            assert!(matches!(parse(&text.as_bytes()[..cut], 0), Parsed::Part), "cut at {cut}");
        }
        let without = status(&text.replace("first_voters", "first_vXters")).unwrap();
        assert_eq!(answer(&without, "0f"), None);
        assert_eq!(answer(&reply, "nonsense"), None);
    }

    #[test]
    fn what_is_no_reply_ends_at_once_and_costs_nothing() {
        for nonsense in
            ["HTTP/1.1 400 Bad Request\r\n", "hello", "$99999999999\r\n", "*x\r\n", "\r\n", ":\r\n"]
        {
            assert!(matches!(parse(nonsense.as_bytes(), 0), Parsed::Nonsense), "{nonsense:?}");
        }
        assert!(matches!(parse("*1\r\n".repeat(100_000).as_bytes(), 0), Parsed::Nonsense), "too deep");
        assert!(matches!(parse(b"*4000000000\r\n", 0), Parsed::Part), "no memory for what has not come");
    }
}
