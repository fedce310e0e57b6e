//! Strangers, impostors and misconfigured peers.

use super::*;
use crate::limits::MAX_UNGREETED_PEERS;

fn with_secret(node_id: NodeId, secret: &str) -> TransportConfig {
    TransportConfig { secret: Some(secret.to_string()), ..config(node_id) }
}

#[test]
fn what_is_not_a_handshake_is_turned_away() {
    run(async {
        let node = start(config(1)).await;
        let mut oversize = (64_u32 << 10).wrapping_add(1).to_le_bytes().to_vec();
        oversize.extend_from_slice(&[0; 5000]);
        let mut not_a_hello = Vec::new();
        Frame::Message(round(1)).put(&mut not_a_hello);
        let mut truncated = not_a_hello.clone();
        *truncated.last_mut().unwrap() ^= 1;
        let cases: [(&[u8], &str); 5] = [
            (b"GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n", "malformed frame length"),
            (&[0xff; 100_000], "malformed frame length"),
            (&oversize, "malformed frame length"),
            (&truncated, "malformed frame checksum"),
            (&not_a_hello, "the first frame is not a hello"),
        ];
        for (bytes, reason) in cases {
            let mut raw = Raw::connect(&node.address).await;
            let own: SocketAddr = raw.stream.local_addr().unwrap();
            // The other side may hang up in the middle of it.
            let _ = raw.stream.write_all(bytes).await;
            assert!(matches!(raw.frame().await, Some(Frame::Challenge(_))));
            match raw.frame().await {
                Some(Frame::Welcome(welcome)) => assert_eq!(welcome.refusal, reason),
                other => assert_eq!(other, None),
            }
            raw.until_closed().await;
            until("logged", || node.log.lines_with(reason) > 0).await;
            assert!(reason.ends_with("length") || node.log.lines_with(&own.to_string()) == 1);
        }
        assert_eq!(node.log.lines_with("malformed frame length"), 1, "the second and third are no news");
        assert_eq!(node.inbound.count(), 0);
    });
}

#[test]
fn a_hello_that_does_not_fit_is_refused_with_a_reason() {
    run(async {
        let node = start(config(1)).await;
        type Change = fn(&mut peer::Hello);
        let cases: [(Change, &str); 7] = [
            (|hello| hello.protocol = 99, "peer protocol 99"),
            (|hello| hello.to = 3, "this is node 1, not node 3"),
            (|hello| hello.group = 5, "group 5"),
            (|hello| hello.from = 1, "cannot be node 1"),
            (|hello| hello.from = 0, "cannot be node 0"),
            (|hello| hello.incarnation = vec![1; 3], "malformed identity"),
            (|hello| hello.cluster_id = vec![1; 16], "another cluster"),
        ];
        for (change, reason) in cases {
            for _ in 0..3 {
                let (mut raw, welcome) = Raw::dial(&node.address, None, Lane::Data, change).await;
                assert!(welcome.refusal.contains(reason), "{} for {reason}", welcome.refusal);
                raw.until_closed().await;
            }
            assert_eq!(node.log.lines_with(reason), 1, "one line for all three: {reason}");
        }
        let (_raw, welcome) = Raw::dial(&node.address, None, Lane::Data, |_| ()).await;
        assert_eq!((welcome.refusal.as_str(), welcome.from), ("", 1));
    });
}

#[test]
fn the_secret_is_asked_for_and_proved_both_ways() {
    run(async {
        let node = start(with_secret(1, "knot")).await;
        for wrong in [None, Some("not"), Some("")] {
            let (mut raw, welcome) = Raw::dial(&node.address, wrong, Lane::Data, |_| ()).await;
            assert!(welcome.refusal.contains("secret"), "{wrong:?}: {}", welcome.refusal);
            assert_eq!(welcome.secret_proof, [0; 0]);
            raw.until_closed().await;
        }
        let changed = |hello: &mut peer::Hello| hello.from = 3;
        let (_, welcome) = Raw::dial(&node.address, Some("knot"), Lane::Data, changed).await;
        assert!(welcome.refusal.contains("secret"), "a changed hello: {}", welcome.refusal);
        let (_raw, welcome) = Raw::dial(&node.address, Some("knot"), Lane::Data, |_| ()).await;
        assert_eq!((welcome.refusal.as_str(), welcome.secret_proof.len()), ("", 32));

        let (b, c) = (start(with_secret(2, "knot")).await, start(config(3)).await);
        node.transport.set_peers(&[(2, b.address.clone()), (3, c.address.clone())]);
        let status_of = |at: usize| node.transport.status().remove(at);
        until("connected to who knows it", || status_of(0).control.is_connected).await;
        until("not to who does not", || {
            status_of(1).control.last_error.is_some_and(|error| error.contains("does not prove"))
        })
        .await;
        node.send(2, round(4));
        until("arrived", || b.inbound.rounds() == [4]).await;
        assert!(node.inbound.welcomes.borrow().iter().all(|welcome| welcome.from == 2));
    });
}

#[test]
fn a_wrong_node_or_cluster_at_an_address_is_not_sent_to() {
    run(async {
        let other_cluster = peer::Welcome { from: 2, cluster_id: vec![9; 16], ..Default::default() };
        let other_node = peer::Welcome { from: 3, ..Default::default() };
        for (welcome, reason) in [(other_cluster, "another cluster"), (other_node, "node 3 answers")] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let node = start(config(1)).await;
            node.transport.set_peers(&[(2, listener.local_addr().unwrap().to_string())]);
            for _ in 0..4 {
                let (mut raw, _) = Raw::accept_with(&listener, welcome.clone()).await;
                raw.until_closed().await;
            }
            let error = node.status().control.last_error.unwrap();
            assert!(error.contains(reason), "{error}");
            assert!(node.inbound.welcomes.borrow().is_empty());
        }
    });
}

#[test]
fn a_peer_is_found_at_the_first_of_its_addresses_that_is_its() {
    run(async {
        let empty = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (one, two, three) = (start(config(1)).await, start(config(2)).await, start(config(3)).await);
        one.transport.set_peers(&[(2, format!("{empty},{},{}", three.address, two.address))]);
        until("both lanes are up", || one.transport.status()[0].data.is_connected).await;
        assert_eq!(one.transport.status()[0].control.last_error, None);
    });
}

#[test]
fn a_peer_that_is_not_found_is_looked_for_where_it_says_that_it_is() {
    run(async {
        let empty = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer_addr = listener.local_addr().unwrap().to_string();
        let one = start(config(1)).await;
        one.transport.set_peers(&[(2, empty.to_string())]);
        until("it is not there", || one.transport.status()[0].control.last_error.is_some()).await;
        drop(listener);
        let two = start_at(TransportConfig { peer_addr: peer_addr.clone(), ..config(2) }, &peer_addr).await;
        two.transport.set_peers(&[(1, one.address.clone())]);
        until("it is found", || one.transport.status()[0].data.is_connected).await;
    });
}

#[test]
fn a_final_refusal_ends_the_dialling_if_it_is_proved() {
    run(async {
        let (a, b) = (start(with_secret(1, "knot")).await, start(with_secret(2, "knot")).await);
        let refusal = Refusal { reason: "node 1 was removed".to_string(), is_final: true };
        *b.inbound.refusal.borrow_mut() = Some(refusal);
        a.transport.set_peers(&[(2, b.address.clone())]);
        until("both lanes gave up", || a.log.lines_with("refuses this node for good") == 2).await;
        let welcomes = a.inbound.welcomes.take();
        assert_eq!(welcomes.len(), 2);
        assert!(welcomes.iter().all(|w| w.field_final && w.refusal == "node 1 was removed"));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        a.transport.set_peers(&[(2, listener.local_addr().unwrap().to_string())]);
        let mut unproved = peer::Welcome { from: 2, field_final: true, ..Default::default() };
        unproved.refusal = "go away\r\n".to_string();
        for _ in 0..6 {
            Raw::accept_with(&listener, unproved.clone()).await.0.until_closed().await;
        }
        assert!(a.inbound.welcomes.borrow().iter().all(|welcome| !welcome.field_final));
        assert_eq!(a.status().control.last_error.unwrap(), "refused: go away");
    });
}

#[test]
fn silence_is_timed_out_on_both_sides() {
    run(async {
        let timing = Timing { handshake: Duration::from_millis(100), ..config(1).timing };
        let node = start(TransportConfig { timing, ..config(1) }).await;
        let mut silent = Raw::connect(&node.address).await;
        let mut slow = Raw::connect(&node.address).await;
        slow.stream.write_all(&[40, 0, 0]).await.unwrap();
        silent.until_closed().await;
        slow.until_closed().await;
        until("logged", || node.log.lines_with("no handshake in time") == 1).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        node.transport.set_peers(&[(2, listener.local_addr().unwrap().to_string())]);
        until("timed out", || {
            node.status().data.last_error.is_some_and(|error| error == "no answer in time")
        })
        .await;
    });
}

#[test]
fn strangers_do_not_keep_peers_out() {
    run(async {
        let timing = Timing { handshake: Duration::from_secs(3600), ..config(1).timing };
        let node = start(TransportConfig { timing, ..config(1) }).await;
        let mut strangers = Vec::new();
        for _ in 0..MAX_UNGREETED_PEERS + 10 {
            let mut raw = Raw::connect(&node.address).await;
            assert!(matches!(raw.frame().await, Some(Frame::Challenge(_))));
            strangers.push(raw);
        }
        let (_raw, welcome) = Raw::dial(&node.address, None, Lane::Control, |_| ()).await;
        assert_eq!(welcome.refusal, "");
        for oldest in &mut strangers[..10] {
            oldest.until_closed().await;
        }
        assert!(node.transport.shared.accepted.borrow().ungreeted_count() <= MAX_UNGREETED_PEERS);
    });
}

#[test]
fn a_greeted_peer_that_sends_nonsense_is_closed() {
    run(async {
        let node = start(config(1)).await;
        let frame = |frame: Frame| {
            let mut out = Vec::new();
            frame.put(&mut out);
            out
        };
        let mut snapshot = Message { from: 2, to: 1, ..Default::default() };
        snapshot.set_msg_type(MessageType::MsgSnapshot);
        let cases = [
            (vec![0xff; 64], "malformed frame length"),
            (b"\x05\0\0\0\0\0\0\0\x63".to_vec(), "malformed frame checksum"),
            (frame(Frame::Message(heartbeat(3, 1, 0))), "from node 3 to node 1"),
            (frame(Frame::Message(heartbeat(2, 3, 0))), "from node 2 to node 3"),
            (frame(Frame::Message(PeerMessage::Raft(snapshot))), "a snapshot among the messages"),
            (frame(Frame::SnapshotChunk(Bytes::from_static(b"x"))), "not a message"),
        ];
        for (i, (bytes, reason)) in cases.into_iter().enumerate() {
            let (mut raw, welcome) = Raw::dial(&node.address, None, Lane::Control, |_| ()).await;
            assert_eq!(welcome.refusal, "");
            raw.put(Frame::Message(round(i as u64))).await;
            raw.stream.write_all(&bytes).await.unwrap();
            raw.until_closed().await;
            assert_eq!(node.inbound.rounds().len(), i + 1, "what came before the nonsense counts");
            assert!(node.log.lines_with(reason) > 0, "{reason}");
        }
        assert_eq!(node.inbound.count(), node.inbound.rounds().len());
    });
}

#[test]
fn a_peer_that_answers_on_a_lane_is_dropped_and_dialled_anew() {
    run(async {
        let (node, listener, mut control, _data) = with_raw_peer().await;
        control.put(Frame::Message(round(1))).await;
        until("noticed", || node.log.lines_with("the peer answers on a lane") == 1).await;
        let (_control, hello) = Raw::accept(&listener).await;
        assert_eq!(hello.lane, peer::Lane::CONTROL);
        assert_eq!(node.inbound.count(), 0);
    });
}

#[test]
fn well_framed_nonsense_never_panics() {
    use rand::{Rng, SeedableRng, rngs::SmallRng};
    let seed = getrandom::u64().unwrap();
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    run(async {
        let node = start(config(1)).await;
        for i in 0..300 {
            let mut body = vec![random.random_range(0..=15)];
            body.extend((0..random.random_range(0..60)).map(|_| random.random_range(0..40_u8)));
            let mut frame = (body.len() as u32 + 4).to_le_bytes().to_vec();
            frame.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
            frame.extend_from_slice(&body);
            let mut raw = if i % 4 == 0 {
                Raw::connect(&node.address).await
            } else {
                let lane = [Lane::Control, Lane::Data, Lane::Snapshot][i % 3];
                Raw::dial(&node.address, None, lane, |_| ()).await.0
            };
            raw.stream.write_all(&frame).await.unwrap();
            // What happens to be well formed does not close: the sender's end does.
            raw.stream.shutdown().await.unwrap();
            raw.until_closed().await;
        }
        let (_raw, welcome) = Raw::dial(&node.address, None, Lane::Control, |_| ()).await;
        assert_eq!(welcome.refusal, "");
        assert_eq!(node.log.lines_with("panicked"), 0);
    });
}
