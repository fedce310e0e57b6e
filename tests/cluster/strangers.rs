//! Peers and clients that send nonsense, send too much, or leave in the middle.

use crate::harness::client::request;
use crate::harness::load::Load;
use crate::harness::{Cluster, Setup, Value, eventually};
use bowline::transport::PROTOCOL;
use bowline::wire::frame::{Frame, Lane};
use bowline::wire::proto::peer;
use bytes::BytesMut;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[track_caller]
fn peer_connection(cluster: &Cluster, id: u64) -> TcpStream {
    let stream = TcpStream::connect(&cluster.node(id).peer_addr).expect("the peer port is open");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream
}

fn frame_bytes(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.put(&mut bytes);
    bytes
}

#[track_caller]
fn read_frame(stream: &mut TcpStream) -> Frame {
    let mut bytes = BytesMut::new();
    loop {
        if let Some(frame) = Frame::take(&mut bytes, 1 << 16).expect("a frame") {
            return frame;
        }
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).expect("bytes");
        assert!(count > 0, "closed without an answer");
        bytes.extend_from_slice(&piece[..count]);
    }
}

fn hello(to: u64) -> peer::Hello {
    peer::Hello {
        protocol: PROTOCOL,
        from: 1 + to % 3,
        to,
        cluster_id: vec![7; 16],
        incarnation: vec![8; 16],
        boot: 1,
        nonce: vec![9; 16],
        group: 1,
        ..Default::default()
    }
}

#[test]
fn nonsense_on_the_peer_port_is_logged_and_changes_nothing() {
    let mut cluster = Setup::new().start();
    let before = cluster.terms();
    let load = Load::start(&cluster, "nonsense", 1, 10);
    let whole = frame_bytes(&Frame::Hello(hello(1)));
    let mut flipped = whole.clone();
    flipped[10] ^= 1;
    let nonsense: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
        vec![0; 100_000],
        vec![0xff; 100_000],
        (0..50_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
        u32::MAX.to_le_bytes().to_vec(),
        [&(1u32 << 30).to_le_bytes()[..], &[0; 64]].concat(),
        whole[..whole.len() / 2].to_vec(),
        whole[..3].to_vec(),
        flipped,
        Vec::new(),
    ];
    let mut held = Vec::new();
    for id in cluster.ids() {
        for bytes in &nonsense {
            let mut stream = peer_connection(&cluster, id);
            let _ = stream.write_all(bytes); // the node may have closed it already
            // Half of them stay; the handshake of those has to time out.
            if bytes.len().is_multiple_of(2) {
                held.push(stream);
            }
        }
        for _ in 0..100 {
            held.push(peer_connection(&cluster, id));
        }
        eventually("it is logged", || {
            cluster.node(id).read_log().contains("turned a connection away").then_some(())
        });
    }
    let outcomes = load.stop();
    outcomes.assert_no_errors();
    outcomes.check(&mut cluster);
    cluster.assert_running(&[1, 2, 3]);
    assert_eq!(cluster.terms(), before, "nobody has campaigned");
}

#[test]
fn a_node_of_another_cluster_is_turned_away() {
    let mut cluster = Setup::new().start();
    cluster.client(1).set("ours", "yes");
    cluster.await_caught_up();
    for lane in [Lane::Control, Lane::Data, Lane::Snapshot] {
        let mut stream = peer_connection(&cluster, 1);
        assert!(matches!(read_frame(&mut stream), Frame::Challenge(_)));
        let lane = match lane {
            Lane::Control => peer::Lane::CONTROL,
            Lane::Data => peer::Lane::DATA,
            Lane::Snapshot => peer::Lane::SNAPSHOT,
        };
        let hello = peer::Hello { lane, ..hello(1) };
        stream.write_all(&frame_bytes(&Frame::Hello(hello))).expect("sent");
        let Frame::Welcome(welcome) = read_frame(&mut stream) else { panic!("not a welcome") };
        assert!(welcome.refusal.contains("another cluster"), "{}", welcome.refusal);
        assert_eq!(stream.read(&mut [0; 64]).expect("the end"), 0, "nothing more is said");
    }
    cluster.assert_running(&[1, 2, 3]);
    cluster.client(2).set("ours", "still");
}

#[test]
fn a_node_with_a_wrong_secret_is_kept_out_until_it_has_the_right_one() {
    let mut cluster = Setup::new().flags(&["--secret", "right"]).prepare();
    let flags = cluster.node(3).flags.clone();
    cluster.node_mut(3).flags.last_mut().expect("the secret").replace_range(.., "wrong");
    for id in cluster.ids() {
        cluster.restart(id);
    }
    cluster.client(1).set("secret", "kept");
    eventually("both sides say why", || {
        let said = [1, 3].map(|id| cluster.node(id).read_log().contains("secret"));
        said.iter().all(|said| *said).then_some(())
    });
    for id in [1, 3] {
        assert!(!cluster.node(id).read_log().contains("right"), "the secret itself is not told");
    }
    let reply = cluster.client(3).try_call(&["GET", "secret"]).expect("a reply");
    assert!(reply.error().is_some_and(|text| text.starts_with("CLUSTERDOWN")), "{reply:?}");
    cluster.assert_running(&[1, 2, 3]);
    cluster.kill(3);
    cluster.node_mut(3).flags = flags;
    cluster.restart(3);
    cluster.await_ready();
    assert_eq!(cluster.client(3).get("secret"), Value::bulk("kept"));
}

/// Sends requests and never reads a reply, until the node takes no more.
fn flood(addr: &str, requests: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(addr).expect("the node takes connections");
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until && stream.write_all(requests).is_ok() {}
    stream
}

#[test]
fn clients_that_never_read_cost_bounded_memory_and_nobody_else_time() {
    let mut cluster = Setup::new().nodes(1).start();
    let mut client = cluster.client(1);
    client.set("long", "x".repeat(1 << 20));
    let before = cluster.node(1).resident_bytes();
    let requests = request(&["GET", "long"]).repeat(100);
    let addr = cluster.node(1).addr.clone();
    let slowest = std::thread::scope(|scope| {
        let floods: Vec<_> = (0..8).map(|_| scope.spawn(|| flood(&addr, &requests))).collect();
        let mut slowest = Duration::ZERO;
        while floods.iter().any(|flood| !flood.is_finished()) {
            let asked = Instant::now();
            client.set("short", "y");
            slowest = slowest.max(asked.elapsed());
        }
        let streams: Vec<TcpStream> =
            floods.into_iter().map(|flood| flood.join().expect("it ends")).collect();
        let grown = cluster.node(1).resident_bytes().saturating_sub(before);
        println!("8 clients that never read: {} MiB more, slowest SET elsewhere {slowest:?}", grown >> 20);
        assert!(grown < 512 << 20, "{grown} bytes for replies that nobody reads");
        drop(streams);
        slowest
    });
    assert!(slowest < Duration::from_secs(3), "others wait {slowest:?}");
    eventually("they are forgotten", || (client.info("connected_clients").ok()?? == "1").then_some(()));
    cluster.assert_running(&[1]);
}
