//! A server of a few commands, with good and with bad manners: what `bowline stress` may meet that is no
//! bowline. It ends, with all its connections, when it is dropped.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How it behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// As a Redis that knows nothing of versions.
    Plain,
    /// It takes connections, and says nothing.
    Silent,
    /// It does not speak the protocol.
    Strange,
}

#[derive(Default)]
struct State {
    values: Mutex<BTreeMap<String, Vec<u8>>>,
    connections: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

/// See the module's text.
pub struct Server {
    pub addr: String,
    state: Arc<State>,
}

impl Server {
    /// An address at which nobody listens.
    pub fn nobody() -> String {
        let host = crate::harness::own_address();
        format!("{host}:{}", crate::harness::free_ports(&host, 1)[0])
    }

    pub fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind((&*crate::harness::own_address(), 0)).expect("a free port");
        let addr = listener.local_addr().expect("bound").to_string();
        let state = Arc::new(State::default());
        let of_thread = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if of_thread.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let kept = stream.try_clone().expect("a socket can be shared");
                of_thread.connections.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
                let state = of_thread.clone();
                std::thread::spawn(move || serve(stream, manners, &state));
            }
        });
        Self { addr, state }
    }

    /// The keys that it has.
    pub fn keys(&self) -> Vec<String> {
        self.state.values.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes whoever waits for connections; then nobody listens.
        let _ = TcpStream::connect(&self.addr);
        for connection in self.state.connections.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn serve(stream: TcpStream, manners: Manners, state: &State) {
    let mut out = stream.try_clone().expect("a socket can be shared");
    let mut input = BufReader::new(stream);
    while let Some(request) = read(&mut input) {
        let reply = match manners {
            Manners::Silent => continue,
            Manners::Strange => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Manners::Plain => answer(&request, state),
        };
        if out.write_all(&reply).is_err() {
            return;
        }
    }
}

/// The next request; none at the end.
fn read(input: &mut BufReader<TcpStream>) -> Option<Vec<Vec<u8>>> {
    let count = number(input, '*')?;
    (0..count)
        .map(|_| {
            let mut bytes = vec![0; number(input, '$')? + 2];
            input.read_exact(&mut bytes).ok()?;
            bytes.truncate(bytes.len() - 2);
            Some(bytes)
        })
        .collect()
}

fn number(input: &mut BufReader<TcpStream>, mark: char) -> Option<usize> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}

fn answer(request: &[Vec<u8>], state: &State) -> Vec<u8> {
    let words: Vec<String> = request.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut values = state.values.lock().unwrap_or_else(PoisonError::into_inner);
    match words.as_slice() {
        ["COMMAND", "INFO", _] => b"*1\r\n*-1\r\n".to_vec(),
        ["GET", key] => match values.get(*key) {
            None => b"$-1\r\n".to_vec(),
            Some(value) => [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat(),
        },
        ["SET", key, _] => {
            values.insert((*key).to_owned(), request[2].clone());
            b"+OK\r\n".to_vec()
        }
        ["DEL", keys @ ..] => {
            let removed = keys.iter().filter(|key| values.remove(**key).is_some()).count();
            format!(":{removed}\r\n").into_bytes()
        }
        _ => b"-ERR unknown command\r\n".to_vec(),
    }
}
