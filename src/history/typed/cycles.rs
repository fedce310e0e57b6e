//! Who must come before whom, and whether that goes round in a circle: then no order explains it. The
//! kinds of circles and their names are Adya's (Weak Consistency, 1999), found as Elle finds them (Kingsbury
//! and Alvaro, VLDB 2020): by what was written on, read from, or read before it was written, and by time.

use std::collections::VecDeque;

/// Why one operation comes before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The other wrote on top of what it wrote.
    Ww,
    /// The other read what it wrote.
    Wr,
    /// It read what the other then changed.
    Rw,
    /// It had ended before the other began.
    Time,
}

/// Operations, and what is known of their order.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// When each began and ended.
    spans: Vec<(u64, u64)>,
    /// Of each operation, and then of each moment at which one ended: whom it comes before.
    after: Vec<Vec<(u32, Kind)>>,
}

/// A circle: each operation comes before the next for that reason, and the last before the first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cycle {
    /// Such as `G-single-realtime`.
    pub(super) name: String,
    pub(super) operations: Vec<(u32, Kind)>,
}

impl Graph {
    pub(super) fn new(spans: Vec<(u64, u64)>) -> Self {
        let after = vec![Vec::new(); spans.len()];
        Self { spans, after }
    }

    pub(super) fn add(&mut self, before: u32, after: u32, kind: Kind) {
        if before != after {
            self.after[before as usize].push((after, kind));
        }
    }

    /// None: there is an order.
    pub(super) fn cycle(mut self) -> Option<Cycle> {
        self.add_time();
        let in_circles = self.in_circles();
        if !in_circles.contains(&true) {
            return None;
        }
        // The simplest first. What needs no clock to be wrong is worse than what does.
        for with_time in [false, true] {
            let kinds: [(&str, &[Kind], &[Kind]); 4] = [
                ("G0", &[Kind::Ww], &[Kind::Ww]),
                ("G1c", &[Kind::Ww, Kind::Wr], &[Kind::Ww, Kind::Wr]),
                ("G-single", &[Kind::Rw], &[Kind::Ww, Kind::Wr]),
                ("G2", &[Kind::Rw], &[Kind::Ww, Kind::Wr, Kind::Rw]),
            ];
            for (name, first, others) in kinds {
                let is_open = |kind: Kind| others.contains(&kind) || (with_time && kind == Kind::Time);
                if let Some(operations) = self.shortest(first, is_open, &in_circles) {
                    let suffix = if with_time { "-realtime" } else { "" };
                    return Some(Cycle { name: format!("{name}{suffix}"), operations });
                }
            }
        }
        None
    }

    /// A moment for each end, each before the next: so there are few edges.
    fn add_time(&mut self) {
        let operations = self.spans.len();
        let mut ends: Vec<(u64, u32)> = (0..)
            .zip(&self.spans)
            .filter(|(_, span)| span.1 < u64::MAX)
            .map(|(i, span)| (span.1, i))
            .collect();
        ends.sort_unstable();
        self.after.resize(operations + ends.len(), Vec::new());
        for (moment, (_, operation)) in ends.iter().enumerate() {
            let moment = (operations + moment) as u32;
            self.after[*operation as usize].push((moment, Kind::Time));
            if (moment as usize) + 1 < self.after.len() {
                self.after[moment as usize].push((moment + 1, Kind::Time));
            }
        }
        for (operation, (start_ns, _)) in (0u32..).zip(&self.spans) {
            let before = ends.partition_point(|(end_ns, _)| end_ns < start_ns);
            if before > 0 {
                self.after[operations + before - 1].push((operation, Kind::Time));
            }
        }
    }

    /// Who is left when whoever has nobody before it is taken away, again and again.
    fn in_circles(&self) -> Vec<bool> {
        let mut before = vec![0; self.after.len()];
        self.after.iter().flatten().for_each(|(to, _)| before[*to as usize] += 1);
        let mut free: Vec<u32> =
            (0..).zip(&before).filter(|(_, count)| **count == 0).map(|(i, _)| i).collect();
        let mut is_left = vec![true; self.after.len()];
        while let Some(node) = free.pop() {
            is_left[node as usize] = false;
            for (to, _) in &self.after[node as usize] {
                before[*to as usize] -= 1;
                if before[*to as usize] == 0 {
                    free.push(*to);
                }
            }
        }
        is_left
    }

    /// The shortest circle of an edge of one of the kinds of `first`, and open ones.
    fn shortest(
        &self,
        first: &[Kind],
        is_open: impl Fn(Kind) -> bool,
        in_circles: &[bool],
    ) -> Option<Vec<(u32, Kind)>> {
        let mut best: Option<Vec<(u32, Kind)>> = None;
        for from in (0..self.spans.len() as u32).filter(|node| in_circles[*node as usize]) {
            for (to, kind) in self.after[from as usize].iter().filter(|(_, kind)| first.contains(kind)) {
                let Some(mut circle) = self.path(*to, from, &is_open, in_circles) else { continue };
                circle.insert(0, (from, *kind));
                // Moments are no operations: time leads from one to the next.
                circle.retain(|(node, _)| (*node as usize) < self.spans.len());
                if best.as_ref().is_none_or(|best| best.len() > circle.len()) {
                    best = Some(circle);
                }
            }
        }
        best
    }

    /// The shortest way, each node with the kind of the edge that leaves it.
    fn path(
        &self,
        from: u32,
        to: u32,
        is_open: &impl Fn(Kind) -> bool,
        in_circles: &[bool],
    ) -> Option<Vec<(u32, Kind)>> {
        let mut came: Vec<Option<(u32, Kind)>> = vec![None; self.after.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let (mut way, mut at) = (Vec::new(), to);
                while at != from {
                    let (before, kind) = came[at as usize]?;
                    way.insert(0, (before, kind));
                    at = before;
                }
                return Some(way);
            }
            for (next, kind) in &self.after[node as usize] {
                let is_new = came[*next as usize].is_none() && *next != from;
                if is_new && is_open(*kind) && in_circles[*next as usize] {
                    came[*next as usize] = Some((node, *kind));
                    queue.push_back(*next);
                }
            }
        }
        None
    }
}
