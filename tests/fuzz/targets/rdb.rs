//! The copy that an upstream sends. What is read must not depend on how it was cut into reads; a
//! file that was made is read as it was made; no length is believed before there are bytes for it.

use crate::source::{Source, pieces};
use bowline::keyspace::Forms;
use bowline::keyspace::rdb::{RdbError, RdbItem, RdbReader, value_of};
use bytes::BytesMut;

type Items = (Vec<RdbItem>, Option<RdbError>, usize);

fn read<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Items {
    let (mut reader, mut input, mut items) = (RdbReader::default(), BytesMut::new(), Vec::new());
    for read in reads {
        input.extend_from_slice(read);
        loop {
            match reader.next(&mut input) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error), 0),
            }
        }
    }
    (items, None, input.len())
}

/// Keys of plain strings, in a file without a checksum, with what may stand between them.
fn check_made(source: &mut Source<'_>) {
    let (mut file, mut expected, mut db) = (b"REDIS0010".to_vec(), Vec::new(), 0);
    for _ in 0..source.up_to(12) {
        let mut deadline_ms = 0;
        match source.up_to(5) {
            0 => {
                db = source.byte() % 16;
                file.extend_from_slice(&[254, db]);
            }
            1 => {
                deadline_ms = source.number().clamp(1, i64::MAX as u64);
                file.push(252);
                file.extend_from_slice(&deadline_ms.to_le_bytes());
            }
            2 => file.extend_from_slice(&[249, source.byte()]),
            3 => file.extend_from_slice(&[251, 0x41, source.byte(), 0]),
            _ => {}
        }
        let (key, value) = (source.some_bytes(), source.some_bytes());
        let mut written = vec![0];
        put_string(&mut written, value);
        file.push(0);
        put_string(&mut file, key);
        file.extend_from_slice(&written[1..]);
        let key = key.to_vec().into();
        expected.push(RdbItem::Key {
            db: u32::from(db),
            key,
            value: written.into(),
            deadline_ms,
            continues: false,
        });
    }
    file.extend_from_slice(&[255, 0, 0, 0, 0, 0, 0, 0, 0]);
    expected.push(RdbItem::End);
    let seed = source.byte();
    assert_eq!(read(pieces(&file, seed)), (expected, None, 0), "what was made");
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&[0x40 | (bytes.len() >> 8) as u8, bytes.len() as u8]);
    out.extend_from_slice(bytes);
}

pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let (how, seed) = (source.byte(), source.byte());
    if how & 1 == 1 {
        return check_made(&mut source);
    }
    let bytes = source.rest();
    let whole = read([bytes]);
    assert_eq!(whole, read(bytes.chunks(1)), "byte by byte");
    assert_eq!(whole, read(pieces(bytes, seed)), "in pieces");
    for item in &whole.0 {
        if let RdbItem::Key { value, continues: false, .. } = item {
            assert!(value_of(value, &Forms::default()).is_ok(), "a key that cannot be restored");
        }
    }
}
