//! How many nodes Redis's radix tree of a stream's nodes would have: clients see it (`XINFO STREAM`). There is no such tree
//! here. What such a tree is follows from its keys alone: the ids of nodes, as 16 bytes.

use super::{Id, Stream};

/// Bytes of a key.
const KEY_BYTES: u32 = 16;

impl Stream {
    /// See the module. Looks at the id of each node.
    pub fn radix_nodes(&self) -> usize {
        count(self.log.iter().map(|node| node.id()))
    }
}

/// Bytes that two keys begin with, of which the first is less.
fn shared_bytes(a: Id, b: Id) -> u32 {
    let differing = u128::from_be_bytes(a.to_bytes()) ^ u128::from_be_bytes(b.to_bytes());
    differing.leading_zeros() / 8
}

/// A leaf for each key, a node for each prefix at which keys part, and one for each row of bytes between two of those.
fn count(ids: impl Iterator<Item = Id>) -> usize {
    let mut nodes = 0;
    // Lengths of the prefixes at which the last key and keys around it part, each longer than the one before.
    let mut open: Vec<u32> = Vec::new();
    let mut last = None;
    let mut last_shared = None;
    for id in ids {
        if let Some(last) = last.replace(id) {
            let shared = shared_bytes(last, id);
            nodes += leaf(last_shared.max(Some(shared)));
            while let Some(len) = open.pop_if(|len| *len > shared) {
                nodes += part(len, Some(open.last().copied().unwrap_or(0).max(shared)));
            }
            if open.last() != Some(&shared) {
                open.push(shared);
            }
            last_shared = Some(shared);
        }
    }
    while let Some(len) = open.pop() {
        nodes += part(len, open.last().copied());
    }
    match last {
        Some(_) => nodes + leaf(last_shared),
        None => 1,
    }
}

/// Of a key that parts from the others behind so many bytes; None: there is no other.
fn leaf(behind: Option<u32>) -> usize {
    1 + usize::from(behind.map_or(KEY_BYTES, |len| KEY_BYTES - len - 1) > 0)
}

/// Of a prefix, below another one; None: below none.
fn part(len: u32, behind: Option<u32>) -> usize {
    1 + usize::from(behind.map_or(len, |behind| len - behind - 1) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As redis-server 7.0.15 says of streams with one entry a node.
    #[test]
    fn it_is_what_redis_counts() {
        let ids = |ids: &[(u64, u64)]| count(ids.iter().map(|&(ms, seq)| Id::new(ms, seq)));
        for (expected, nodes) in RECORDED {
            assert_eq!(ids(nodes), *expected, "{nodes:?}");
        }
    }

    const RECORDED: &[(usize, &[(u64, u64)])] = &[
        (1, &[]),
        (2, &[(1, 1)]),
        (4, &[(1, 1), (1, 2)]),
        (6, &[(1, 1), (2, 1)]),
        (6, &[(0, 1), (256, 0)]),
        (12, &[(1, 1), (1, 2), (1, 3), (2, 0), (1152921504606846976, 5)]),
        (8, &[(1, 1), (1, 3), (2, 0)]),
        (16, &[(0, 1), (0, 13366), (0, 61482), (2, 2), (2, 46994)]),
        (10, &[(0, 1), (0, 61482), (2, 2)]),
        (13, &[(36, 2), (64, 1), (93, 20920), (110, 36633), (293, 1)]),
        (8, &[(36, 2), (93, 20920), (110, 36633)]),
        (
            12,
            &[
                (368819182976, 41111),
                (432463014167, 39163),
                (437921213426, 1),
                (459584320434, 1),
                (790366625820, 21753),
            ],
        ),
        (8, &[(368819182976, 41111), (437921213426, 1), (459584320434, 1)]),
        (
            11,
            &[
                (2687725821288782739, 8538),
                (3248842131919680082, 2),
                (3408464632754983231, 61937),
                (5559094176864561769, 2),
                (5717714619408505062, 40117),
            ],
        ),
        (7, &[(2687725821288782739, 8538), (3408464632754983231, 61937), (5559094176864561769, 2)]),
        (
            24,
            &[(0, 1), (0, 2), (0, 11952), (0, 47997), (0, 52992), (1, 2), (1, 14163), (1, 68774), (2, 38780)],
        ),
        (18, &[(0, 1), (0, 11952), (0, 47997), (1, 2), (1, 14163), (2, 38780)]),
        (
            20,
            &[
                (40, 2),
                (41, 4172),
                (106, 67225),
                (121, 32796),
                (141, 2),
                (162, 23263),
                (185, 2),
                (233, 19088),
                (247, 1),
            ],
        ),
        (14, &[(40, 2), (106, 67225), (121, 32796), (162, 23263), (185, 2), (247, 1)]),
        (
            20,
            &[
                (233705587742, 2),
                (310503857213, 22190),
                (328019527128, 2),
                (599112985444, 8272),
                (698917902167, 35919),
                (736559249712, 1),
                (746756510268, 1),
                (829412131153, 2),
                (1032042083654, 19203),
            ],
        ),
        (
            14,
            &[
                (233705587742, 2),
                (328019527128, 2),
                (599112985444, 8272),
                (736559249712, 1),
                (746756510268, 1),
                (1032042083654, 19203),
            ],
        ),
        (
            19,
            &[
                (2616822021176478015, 1),
                (3295499555420912021, 2),
                (4885775946987462113, 44575),
                (6011884850224389819, 60679),
                (6417336536584959630, 45297),
                (6561484832065435810, 2),
                (6678254689482227493, 37075),
                (7534923536251759670, 22607),
                (8297051497912785373, 43823),
            ],
        ),
        (
            13,
            &[
                (2616822021176478015, 1),
                (4885775946987462113, 44575),
                (6011884850224389819, 60679),
                (6561484832065435810, 2),
                (6678254689482227493, 37075),
                (8297051497912785373, 43823),
            ],
        ),
    ];
}
