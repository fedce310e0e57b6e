//! Messages over lanes: order, bounds, losses, reconnects.

use super::*;

#[test]
fn messages_arrive_in_order_on_each_lane() {
    run(async {
        let (a, b) = pair().await;
        for i in 0..2000 {
            a.transport.send(2, round(i));
            a.transport.send(2, forward(i, (i as usize * 7) % 3000));
            if i % 10 == 9 {
                a.transport.flush();
                tokio::task::yield_now().await;
            }
        }
        until("all has arrived", || b.inbound.count() == 4000).await;
        assert_eq!(b.inbound.rounds(), (0..2000).collect::<Vec<_>>());
        let messages = b.inbound.messages.take();
        let batches = messages.iter().filter(|(_, message)| matches!(message, PeerMessage::Forward(_)));
        for (i, (from, message)) in batches.enumerate() {
            assert_eq!((*from, message), (1, &forward(i as u64, (i * 7) % 3000)));
        }
        assert!(b.inbound.ends.get() < 2000, "one wake-up for what came together: {}", b.inbound.ends.get());
        let (sent, got) = (a.status(), b.status());
        assert_eq!((sent.control.sent_messages, sent.data.sent_messages), (2000, 2000));
        assert_eq!(got.received_messages, 4000);
        assert_eq!(got.received_bytes, sent.control.sent_bytes + sent.data.sent_bytes);
        assert_eq!((sent.data.queued_bytes, sent.data.dropped_messages, got.accepted), (0, 0, 2));
    });
}

#[test]
fn a_flush_sends_without_any_task() {
    run(async {
        let (node, _listener, control, _data) = with_raw_peer().await;
        node.send(2, round(1));
        assert_eq!(node.status().control.queued_bytes, 0);
        let std_stream = control.stream.into_std().unwrap();
        std_stream.set_nonblocking(false).unwrap();
        let mut bytes = [0; 64];
        assert!(std::io::Read::read(&mut &std_stream, &mut bytes).unwrap() > 8, "no task ran meanwhile");
    });
}

#[test]
fn control_passes_a_clogged_data_lane() {
    run(async {
        let (node, _listener, mut control, mut data) = with_raw_peer().await;
        for seq in 0..12 {
            node.send(2, forward(seq, 4 << 20));
        }
        assert!(node.status().data.queued_bytes > 20 << 20, "the peer does not read");
        node.send(2, round(1));
        assert_eq!(control.frame().await, Some(Frame::Message(round(1))));
        for seq in 0..12 {
            assert_eq!(data.frame().await, Some(Frame::Message(forward(seq, 4 << 20))), "batch {seq}");
        }
        until("all is gone", || node.status().data.queued_bytes == 0).await;
        assert!(node.inbound.unreachable.borrow().is_empty());
    });
}

#[test]
fn a_full_lane_drops_and_says_so_once() {
    run(async {
        let (node, _listener, mut control, _data) = with_raw_peer().await;
        for episode in 1..=2 {
            let before = node.status().control;
            while node.status().control.dropped_messages < before.dropped_messages + 50 {
                node.send(2, heartbeat(1, 2, 100_000));
            }
            assert!(node.status().control.queued_bytes <= MAX_CONTROL_QUEUE_BYTES);
            until("reported", || !node.inbound.unreachable.borrow().is_empty()).await;
            tokio::task::yield_now().await;
            assert_eq!(node.inbound.unreachable.take(), [2], "episode {episode}");
            for i in before.sent_messages..node.status().control.sent_messages {
                assert_eq!(control.frame().await, Some(Frame::Message(heartbeat(1, 2, 100_000))), "{i}");
            }
            until("drained", || node.status().control.queued_bytes == 0).await;
        }
        node.send(2, round(9));
        assert_eq!(control.frame().await, Some(Frame::Message(round(9))));
        assert!(node.status().control.is_connected);
    });
}

#[test]
fn without_a_connection_nothing_is_kept() {
    run(async {
        let node = start(config(1)).await;
        node.send(9, round(1));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        node.transport.set_peers(&[(2, listener.local_addr().unwrap().to_string())]);
        for i in 0..100 {
            node.send(2, round(i));
        }
        until("reported", || !node.inbound.unreachable.borrow().is_empty()).await;
        assert_eq!(node.inbound.unreachable.take(), [2], "and nothing of node 9, who is no peer");
        let control = node.status().control;
        assert_eq!((control.queued_bytes, control.sent_messages, control.dropped_messages), (0, 0, 100));
    });
}

#[test]
fn a_restarted_peer_is_found_again() {
    run(async {
        let (a, b) = pair().await;
        let address = b.address.clone();
        soon("shutdown", b.transport.shutdown()).await;
        until("noticed", || {
            !a.status().control.is_connected
                && !a.status().data.is_connected
                && a.inbound.unreachable.borrow().contains(&2)
        })
        .await;
        until("refused", || a.status().control.last_error.is_some_and(|e| e.contains("refused"))).await;
        assert!(TcpStream::connect(&address).await.is_err(), "the listener is closed");
        let retries = Instant::now();
        until("a few more retries", || retries.elapsed() > Duration::from_millis(100)).await;
        assert!(a.log.lines_with("cannot connect to peer") <= 4, "once per change, not per retry");
        let b = start_at(TransportConfig { boot: 2, ..config(2) }, &address).await;
        a.until_connected().await;
        a.send(2, round(5));
        until("arrived", || b.inbound.rounds() == [5]).await;
        assert_eq!(a.status().control.connects, 2);
        // By name now, and then not at all.
        let by_name = address.replace("127.0.0.1", "localhost");
        a.transport.set_peers(&[(2, by_name)]);
        a.until_connected().await;
        a.send(2, round(6));
        until("arrived", || b.inbound.rounds() == [5, 6]).await;
        a.transport.set_peers(&[]);
        until("closed", || b.log.lines_with("peer closed its connection") >= 2).await;
        a.send(2, round(7));
        assert!(a.transport.status().is_empty());
    });
}

#[test]
fn a_peer_that_comes_is_dialled_at_once() {
    run(async {
        let timing = Timing {
            backoff_min: Duration::from_secs(3600),
            backoff_max: Duration::from_secs(3600),
            ..Timing::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let b_address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let a = start(TransportConfig { timing, ..config(1) }).await;
        a.transport.set_peers(&[(2, b_address.clone())]);
        until("refused", || a.status().control.last_error.is_some() && a.status().data.last_error.is_some())
            .await;
        let b = start_at(config(2), &b_address).await;
        b.transport.set_peers(&[(1, a.address.clone())]);
        a.until_connected().await;
    });
}

#[test]
fn a_huge_message_does_not_hold_up_control() {
    run(async {
        let (a, b) = pair().await;
        a.send(2, forward(1, 70 << 20));
        let mut sent = 0;
        while b.inbound.rounds().len() == b.inbound.count() {
            sent += 1;
            a.send(2, round(sent));
            until("control arrives", || b.inbound.rounds().len() as u64 == sent).await;
        }
        assert!(sent > 2, "{sent} control messages beside the huge one");
        let messages = b.inbound.messages.take();
        assert!(messages.contains(&(1, forward(1, 70 << 20))));
        println!("{sent} control messages beside the huge one");
    });
}

#[test]
fn a_newer_connection_of_a_lane_ends_the_older() {
    run(async {
        let node = start(config(1)).await;
        let (mut older, _) = Raw::dial(&node.address, None, Lane::Data, |_| ()).await;
        let (mut other, _) = Raw::dial(&node.address, None, Lane::Control, |_| ()).await;
        let (mut newer, _) = Raw::dial(&node.address, None, Lane::Data, |_| ()).await;
        older.until_closed().await;
        newer.put(Frame::Message(forward(1, 10))).await;
        until("arrived", || node.inbound.count() == 1).await;
        other.put(Frame::Message(round(1))).await;
        until("arrived", || node.inbound.count() == 2).await;
    });
}

#[test]
fn shutdown_ends_everything() {
    run(async {
        let (node, _listener, mut control, mut data) = with_raw_peer().await;
        let (mut accepted, _) = Raw::dial(&node.address, None, Lane::Control, |_| ()).await;
        let mut silent = Raw::connect(&node.address).await;
        assert!(matches!(silent.frame().await, Some(Frame::Challenge(_))));
        node.transport.send(2, round(1));
        soon("shutdown", node.transport.shutdown()).await;
        assert_eq!(control.frame().await, Some(Frame::Message(round(1))), "a last flush");
        for raw in [&mut control, &mut data, &mut accepted, &mut silent] {
            raw.until_closed().await;
        }
        assert_eq!(Rc::strong_count(&node.transport.shared), 1, "no task is left");
        node.send(2, round(2));
        node.transport.set_peers(&[(2, node.address.clone())]);
        soon("shutdown", node.transport.shutdown()).await;
    });
}
