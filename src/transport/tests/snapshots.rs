//! Snapshot streams, and either side's vanishing.

use super::*;
use tokio::sync::{mpsc, oneshot};

type Parts = mpsc::Receiver<SnapshotPart>;
type Verdict = oneshot::Sender<Result<(), String>>;

fn message() -> Message {
    let mut message = Message { from: 1, to: 2, term: 4, ..Default::default() };
    message.set_msg_type(MessageType::MsgSnapshot);
    message.mut_snapshot().mut_metadata().index = 77;
    message
}

fn expect_snapshot(node: &TestNode, capacity: usize) -> (Parts, Verdict) {
    let (parts, chunks) = mpsc::channel(capacity);
    let (verdict, result) = oneshot::channel();
    node.inbound.sinks.borrow_mut().push(Ok(ChunkSink { parts, result }));
    (chunks, verdict)
}

fn chunk(i: usize, size_bytes: usize) -> Bytes {
    Bytes::from(vec![i as u8; size_bytes + i])
}

/// A helper thread that reads `count` chunks and then says `last`.
fn source(count: usize, size_bytes: usize, last: Option<Result<SnapshotPart, String>>) -> ChunkSource {
    let (sender, source) = mpsc::channel(2);
    std::thread::spawn(move || {
        for i in 0..count {
            if sender.blocking_send(Ok(SnapshotPart::Chunk(chunk(i, size_bytes)))).is_err() {
                return;
            }
        }
        if let Some(last) = last {
            let _ = sender.blocking_send(last);
        }
    });
    source
}

/// A helper thread that takes all parts, checks them, and gives the verdict at the end;
/// `Err`: how many chunks came when the stream was abandoned.
fn store(
    mut parts: Parts,
    verdict: Verdict,
    size_bytes: usize,
) -> std::thread::JoinHandle<Result<usize, usize>> {
    std::thread::spawn(move || {
        let mut count = 0;
        while let Some(part) = parts.blocking_recv() {
            match part {
                SnapshotPart::Chunk(bytes) => assert_eq!(bytes, chunk(count, size_bytes)),
                SnapshotPart::End => {
                    verdict.send(Ok(())).unwrap();
                    return Ok(count);
                }
            }
            count += 1;
        }
        Err(count)
    })
}

#[test]
fn some_hundred_chunks_arrive_beside_messages() {
    run(async {
        let (a, b) = pair().await;
        let (parts, verdict) = expect_snapshot(&b, 8);
        let stored = store(parts, verdict, 250_000);
        let source = source(400, 250_000, Some(Ok(SnapshotPart::End)));
        let sent = a.transport.send_snapshot(2, message(), source);
        let sent = tokio::task::spawn_local(sent);
        for i in 0..200 {
            a.send(2, round(i));
            until("control arrives", || b.inbound.rounds().len() as u64 == i + 1).await;
        }
        assert_eq!(soon("the verdict", sent).await.unwrap(), Ok(()));
        assert_eq!(stored.join().unwrap(), Ok(400));
        assert_eq!(b.inbound.snapshots.take(), [message()]);
    });
}

#[test]
fn a_receiver_that_does_not_take_holds_the_source_up() {
    run(async {
        let (a, b) = pair().await;
        let (mut parts, verdict) = expect_snapshot(&b, 1);
        let (sender, source) = mpsc::channel(1);
        let sent = tokio::task::spawn_local(a.transport.send_snapshot(2, message(), source));
        let taken = Rc::new(Cell::new(0));
        let count = taken.clone();
        tokio::task::spawn_local(async move {
            for i in 0..400 {
                sender.send(Ok(SnapshotPart::Chunk(chunk(i, 256 << 10)))).await.unwrap();
                count.set(i);
            }
            sender.send(Ok(SnapshotPart::End)).await.unwrap();
        });
        let (mut last, mut same) = (0, 0);
        until("nothing moves", || {
            same = if taken.get() == last && last > 0 { same + 1 } else { 0 };
            last = taken.get();
            same > 100
        })
        .await;
        assert!(last < 200, "{last} chunks of 400 on their way, mostly in the kernel");
        while parts.recv().await.unwrap() != SnapshotPart::End {}
        verdict.send(Ok(())).unwrap();
        assert_eq!(soon("the verdict", sent).await.unwrap(), Ok(()));
    });
}

#[test]
fn the_receivers_reasons_reach_the_sender() {
    run(async {
        let (a, b) = pair().await;
        let send = |source| a.transport.send_snapshot(2, message(), source);
        b.inbound.sinks.borrow_mut().push(Err("one at a time".to_string()));
        let refused = soon("the verdict", send(source(200, 250_000, None))).await;
        assert_eq!(refused, Err(TransportError::Refused("one at a time".to_string())));

        let (mut parts, verdict) = expect_snapshot(&b, 1);
        let disk_full = std::thread::spawn(move || {
            parts.blocking_recv().unwrap();
            drop(parts);
            verdict.send(Err("disk full".to_string())).unwrap();
        });
        let refused = soon("the verdict", send(source(200, 250_000, None))).await;
        assert_eq!(refused, Err(TransportError::Refused("disk full".to_string())));
        disk_full.join().unwrap();

        let (parts, verdict) = expect_snapshot(&b, 1);
        drop((parts, verdict));
        let refused = soon("the verdict", send(source(3, 100, Some(Ok(SnapshotPart::End))))).await;
        assert_eq!(refused, Err(TransportError::Refused("the storage gave up".to_string())));

        let unknown = a.transport.send_snapshot(8, message(), source(1, 1, None)).await;
        assert_eq!(unknown, Err(TransportError::UnknownPeer(8)));
    });
}

#[test]
fn a_vanishing_receiver_ends_the_stream() {
    run(async {
        let (a, b) = pair().await;
        let (mut parts, _verdict) = expect_snapshot(&b, 1);
        let sent = a.transport.send_snapshot(2, message(), source(400, 250_000, None));
        let sent = tokio::task::spawn_local(sent);
        for _ in 0..5 {
            assert!(soon("a chunk", parts.recv()).await.is_some());
        }
        soon("shutdown", b.transport.shutdown()).await;
        let error = soon("the error", sent).await.unwrap().unwrap_err();
        assert!(matches!(error, TransportError::Lost(_)), "{error}");
        while let Some(part) = soon("abandoned", parts.recv()).await {
            assert_ne!(part, SnapshotPart::End);
        }
        let error = a.transport.send_snapshot(2, message(), source(1, 1, None)).await.unwrap_err();
        assert!(matches!(error, TransportError::Connect(_)), "{error}");
    });
}

#[test]
fn a_vanishing_sender_leaves_no_whole_snapshot() {
    run(async {
        let (a, b) = pair().await;
        // The source fails, is given up, or the sender's future is dropped.
        for last in [Some(Err("bad disk".to_string())), None] {
            let (parts, verdict) = expect_snapshot(&b, 4);
            let stored = store(parts, verdict, 1000);
            let reason = last.clone().map_or("given up".to_string(), |error| error.unwrap_err());
            let sent = a.transport.send_snapshot(2, message(), source(50, 1000, last));
            assert_eq!(soon("the error", sent).await, Err(TransportError::Source(reason)));
            until("abandoned", || stored.is_finished()).await;
            assert!(stored.join().unwrap().is_err());
        }
        let (mut parts, _verdict) = expect_snapshot(&b, 4);
        let (sender, held) = mpsc::channel(4);
        sender.send(Ok(SnapshotPart::Chunk(chunk(0, 10)))).await.unwrap();
        let sent = tokio::task::spawn_local(a.transport.send_snapshot(2, message(), held));
        assert_eq!(soon("a chunk", parts.recv()).await, Some(SnapshotPart::Chunk(chunk(0, 10))));
        soon("shutdown", a.transport.shutdown()).await;
        assert_eq!(soon("the error", sent).await.unwrap(), Err(TransportError::ShutDown));
        assert_eq!(soon("abandoned", parts.recv()).await, None);
    });
}

#[test]
fn stalls_time_out() {
    run(async {
        let timing = Timing {
            snapshot_stall: Duration::from_millis(150),
            snapshot_result: Duration::from_millis(150),
            ..config(1).timing
        };
        let a = start(TransportConfig { timing, ..config(1) }).await;
        let b = start(TransportConfig { timing, ..config(2) }).await;
        a.transport.set_peers(&[(2, b.address.clone())]);
        // The source says nothing.
        let (mut parts, _verdict) = expect_snapshot(&b, 1);
        let (_sender, silent) = mpsc::channel(1);
        let error = soon("the timeout", a.transport.send_snapshot(2, message(), silent)).await;
        assert!(matches!(error, Err(TransportError::TimedOut(_) | TransportError::Lost(_))), "{error:?}");
        assert_eq!(soon("abandoned", parts.recv()).await, None);
        // The storage takes nothing; and takes all but gives no verdict.
        let (_parts, _verdict) = expect_snapshot(&b, 1);
        let error =
            soon("the timeout", a.transport.send_snapshot(2, message(), source(99, 250_000, None))).await;
        assert!(error.is_err());
        let (parts, verdict) = expect_snapshot(&b, 99);
        let ended = source(9, 10, Some(Ok(SnapshotPart::End)));
        let error = soon("the timeout", a.transport.send_snapshot(2, message(), ended)).await;
        assert!(error.is_err());
        drop((parts, verdict));
        // A sender that goes silent in the middle.
        let b = start(TransportConfig { timing, ..config(1) }).await;
        let (mut parts, _verdict) = expect_snapshot(&b, 1);
        let (mut raw, _) = Raw::dial(&b.address, None, Lane::Snapshot, |_| ()).await;
        let header = Message { from: 2, to: 1, ..message() };
        raw.put(Frame::SnapshotHeader(header)).await;
        raw.until_closed().await;
        assert_eq!(soon("abandoned", parts.recv()).await, None);
        assert_eq!(b.log.lines_with("no chunk of a snapshot in time"), 1);
    });
}

#[test]
fn a_stream_with_chunks_missing_is_not_stored() {
    run(async {
        let node = start(config(1)).await;
        let (mut parts, _verdict) = expect_snapshot(&node, 4);
        let (mut raw, _) = Raw::dial(&node.address, None, Lane::Snapshot, |_| ()).await;
        raw.put(Frame::SnapshotHeader(Message { from: 2, to: 1, ..message() })).await;
        raw.put(Frame::SnapshotChunk(chunk(1, 10))).await;
        raw.put(Frame::SnapshotEnd(peer::SnapshotEnd { chunks: 2, bytes: 22, ..Default::default() })).await;
        raw.until_closed().await;
        assert_eq!(soon("a chunk", parts.recv()).await, Some(SnapshotPart::Chunk(chunk(1, 10))));
        assert_eq!(soon("abandoned", parts.recv()).await, None);
        assert_eq!(node.log.lines_with("chunks missing"), 1);
    });
}
