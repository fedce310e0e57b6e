//! A connection to a server, through the relay of its client if it has one. One request is under way at a
//! time. Here replies become what the history knows; a reply must never be taken for another's: a
//! connection that missed one is not used again.

use super::relay::Relay;
use crate::config::{Address, ReadMode};
use crate::history::Value;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, RedisError, cmd};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// How to make connections.
#[derive(Debug, Clone)]
pub struct Dial {
    /// As whom; none: as `default`.
    pub user: Option<String>,
    /// With which password.
    pub password: Option<String>,
    /// What to ask of reads.
    pub read_mode: Option<ReadMode>,
    /// How long anything may take.
    pub patience: Duration,
}

/// What a server said.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It did what it was asked to.
    Of(redis::Value),
    /// `KEYEXISTS`, `VERSIONMISMATCH`: it did not, because of what it found.
    Conflict(String),
    /// An error: what it was asked for has not taken place.
    Refused(String),
    /// `UNKNOWN`: perhaps it has.
    Unknown(String),
}

/// Why there is no reply.
pub struct NoReply {
    /// What happened to the connection.
    pub text: String,
    /// The server took too long; another may be faster.
    pub is_late: bool,
}

/// See the module's text.
pub struct Connection {
    inner: MultiplexedConnection,
    patience: Duration,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Err: why there is none.
    pub async fn open(server: &Address, dial: &Dial, relay: Option<&Rc<Relay>>) -> Result<Self, String> {
        if let Some(relay) = relay {
            relay.arm(false);
        }
        let opened = tokio::time::timeout(dial.patience, Self::set_up(server, dial, relay)).await;
        let late = |_| format!("{server}: no connection within {} ms", dial.patience.as_millis());
        let opened = opened.map_err(late)??;
        if let Some(relay) = relay {
            relay.arm(true);
        }
        Ok(opened)
    }

    async fn set_up(server: &Address, dial: &Dial, relay: Option<&Rc<Relay>>) -> Result<Self, String> {
        let stream = TcpStream::connect((&*server.host, server.port)).await;
        let stream = stream.map_err(|error| format!("{server}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let info = RedisConnectionInfo {
            db: 0,
            username: dial.user.clone(),
            password: dial.password.clone(),
            protocol: ProtocolVersion::RESP2,
        };
        let config = AsyncConnectionConfig::new();
        let said = |error: RedisError| format!("{server}: {}", text_of(&error));
        let (inner, driver) = match relay {
            None => started(MultiplexedConnection::new_with_config(&info, stream, config).await),
            Some(relay) => {
                let near = relay.before(stream);
                started(MultiplexedConnection::new_with_config(&info, near, config).await)
            }
        }
        .map_err(said)?;
        let mut connection = Self { inner, patience: dial.patience, driver };
        if let Some(mode) = dial.read_mode {
            connection.choose(mode).await.map_err(|text| format!("{server}: {text}"))?;
        }
        Ok(connection)
    }

    async fn choose(&mut self, mode: ReadMode) -> Result<(), String> {
        let name = match mode {
            ReadMode::Linearizable => "linearizable",
            ReadMode::Lease => "lease",
        };
        match self.call(cmd("CLIENT").arg("CONSISTENCY").arg(name)).await {
            Ok(Reply::Of(_)) => Ok(()),
            Err(NoReply { text, .. }) => Err(text),
            Ok(Reply::Conflict(text) | Reply::Refused(text) | Reply::Unknown(text)) => {
                Err(format!("it does not know the read_mode of the configuration ({text}): leave it out"))
            }
        }
    }

    /// Err: nothing more can come over this connection.
    pub async fn call(&mut self, request: &Cmd) -> Result<Reply, NoReply> {
        let sent = self.inner.send_packed_command(request);
        let Ok(ended) = tokio::time::timeout(self.patience, sent).await else {
            let text = format!("no reply within {} ms", self.patience.as_millis());
            return Err(NoReply { text, is_late: true });
        };
        match ended {
            Ok(redis::Value::ServerError(error)) => {
                Ok(Reply::of_error(error.code(), error.details().unwrap_or_default()))
            }
            Ok(value) => Ok(Reply::Of(value)),
            Err(error) => match error.code() {
                Some(code) => Ok(Reply::of_error(code, error.detail().unwrap_or_default())),
                None => Err(NoReply { text: text_of(&error), is_late: false }),
            },
        }
    }
}

impl Reply {
    fn of_error(code: &str, detail: &str) -> Self {
        let text = if detail.is_empty() { code.to_owned() } else { format!("{code} {detail}") };
        match code {
            "UNKNOWN" => Self::Unknown(text),
            "KEYEXISTS" | "VERSIONMISMATCH" => Self::Conflict(text),
            _ => Self::Refused(text),
        }
    }
}

fn started<D: Future<Output = ()> + 'static>(
    made: Result<(MultiplexedConnection, D), RedisError>,
) -> Result<(MultiplexedConnection, JoinHandle<()>), RedisError> {
    made.map(|(connection, driver)| (connection, tokio::task::spawn_local(driver)))
}

/// In one line, and in words that are the same however a connection broke.
fn text_of(error: &RedisError) -> String {
    if error.is_connection_dropped() {
        return "the connection was closed".to_owned();
    }
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string().replace('\n', " "),
    }
}

/// What the history has of a reply. Strings go through `shorten`.
pub fn recorded(value: &redis::Value, shorten: impl Fn(&[u8]) -> String + Copy) -> Value {
    match value {
        redis::Value::Nil => Value::Nil,
        redis::Value::Int(number) => Value::Int(*number),
        redis::Value::Okay => Value::Ok,
        redis::Value::BulkString(bytes) => Value::Text(shorten(bytes).into()),
        redis::Value::SimpleString(text) => Value::Text(text.as_str().into()),
        redis::Value::Array(values) => {
            Value::Array(values.iter().map(|value| recorded(value, shorten)).collect())
        }
        // Of no command that clients here send, in RESP2.
        other => Value::Text(format!("{other:?}").into()),
    }
}
