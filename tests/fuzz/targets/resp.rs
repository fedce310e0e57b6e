//! Requests: what they mean must not depend on how they were cut into reads.

use crate::source::{Source, pieces};
use bowline::resp::{Decoder, Limits, ProtocolError};
use bytes::BytesMut;

type Requests = Vec<Vec<Vec<u8>>>;

fn decode<'a>(
    limits: Limits,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> (Requests, Option<ProtocolError>, usize) {
    let mut decoder = Decoder::new(limits);
    let mut input = BytesMut::new();
    let mut requests = Vec::new();
    for read in reads {
        input.extend_from_slice(read);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(request)) => requests.push(request.args().iter().map(|arg| arg.to_vec()).collect()),
                Ok(None) => break,
                Err(error) => return (requests, Some(error), 0),
            }
        }
    }
    (requests, None, input.len())
}

pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let (how, seed) = (source.byte(), source.byte());
    let small =
        Limits { max_multibulk: 6, max_bulk_bytes: 40, max_request_bytes: 90, unauthenticated: false };
    let limits = [Limits::AUTHENTICATED, Limits::UNAUTHENTICATED, small][usize::from(how >> 1) % 3];
    if how & 1 == 0 {
        let bytes = source.rest();
        let whole = decode(limits, [bytes]);
        assert_eq!(whole, decode(limits, bytes.chunks(1)), "byte by byte");
        assert_eq!(whole, decode(limits, pieces(bytes, seed)), "in pieces");
        return;
    }
    let mut requests = Vec::new();
    let mut bytes = Vec::new();
    while !source.is_empty() && requests.len() < 64 {
        let args: Vec<Vec<u8>> = (0..1 + source.up_to(7)).map(|_| source.some_bytes().to_vec()).collect();
        bytes.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
        for arg in &args {
            bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            bytes.extend_from_slice(arg);
            bytes.extend_from_slice(b"\r\n");
        }
        requests.push(args);
    }
    assert_eq!(decode(Limits::AUTHENTICATED, pieces(&bytes, seed)), (requests, None, 0), "what was sent");
}
