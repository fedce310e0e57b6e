//! What XREAD and XREADGROUP wait for. Whoever waits has been answered nil once; so of XREADGROUP only those wait who ask
//! for what nobody has got, of all of their streams.

use super::read::{By, Options};
use crate::command::blocking::{Awaited, Wanted};
use crate::keyspace::{Blob, Id};

pub(super) fn awaited(call: &[&[u8]]) -> Option<Awaited> {
    let options = Options::read(call, By::Client).ok()?;
    let (timeout_ms, count) = (options.block_ms?, options.count);
    let what = match options.group {
        Some((group, consumer)) => Wanted::Delivery {
            group: Blob::new(group),
            consumer: Blob::new(consumer),
            has_noack: options.has_noack,
            count,
        },
        None => {
            let behind = options
                .pairs(call)
                .map(|(_, id)| if id == b"$" { Some(None) } else { Id::parse(id, 0).map(Some) });
            Wanted::Entries { behind: behind.collect::<Option<_>>()?, count }
        }
    };
    Some(Awaited { keys: options.keys, what, timeout_ms })
}

#[cfg(test)]
mod tests {
    use crate::command::lookup;

    #[test]
    fn one_who_has_waited_asks_for_one_key() {
        for (call, expected) in [
            ("XREAD BLOCK 5 COUNT 2 STREAMS a b 1 2-3", "XREAD COUNT 2 STREAMS b 2-3"),
            ("xread block 0 streams a b 1-1 5", "XREAD COUNT 1000 STREAMS b 5-0"),
            ("XREAD COUNT 0 BLOCK 0 STREAMS a b 1 0", "XREAD COUNT 1000 STREAMS b 0-0"),
            (
                "XREADGROUP GROUP g c BLOCK 5 NOACK STREAMS a b > >",
                "XREADGROUP GROUP g c NOACK COUNT 1000 STREAMS b >",
            ),
            (
                "XREADGROUP COUNT 3 BLOCK 5 GROUP g c STREAMS a b > >",
                "XREADGROUP GROUP g c COUNT 3 STREAMS b >",
            ),
        ] {
            let call: Vec<&[u8]> = call.split(' ').map(str::as_bytes).collect();
            let awaited = lookup(call[0]).and_then(|row| row.blocks).unwrap()(&call).unwrap();
            let made = awaited.call_for(&call, &[1]).join(&b' ');
            assert_eq!(String::from_utf8(made).unwrap(), expected);
        }
        for call in ["XREAD STREAMS a 1", "XREAD BLOCK -1 STREAMS a 1", "XREAD BLOCK 1 STREAMS a >"] {
            let call: Vec<&[u8]> = call.split(' ').map(str::as_bytes).collect();
            assert_eq!(lookup(call[0]).and_then(|row| row.blocks).unwrap()(&call), None);
        }
    }
}
