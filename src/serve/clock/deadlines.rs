//! Deadlines in order: a heap in which each can be found, to be moved or taken out.
//!
//! It knows nothing of clocks: moments are numbers, and what waits for one is any value.

/// Waits that are set, moved and taken out in logarithmic time. A wait keeps its place when it is over, so
/// that to set it again allocates nothing.
#[derive(Debug)]
pub(super) struct Deadlines<T> {
    /// Each is due no later than the [`ARITY`] below it.
    heap: Vec<Node>,
    /// One for each wait that was made, and those that were given back.
    places: Vec<Place<T>>,
    /// Those that were given back.
    free: Vec<usize>,
}

/// When, and whose.
#[derive(Clone, Copy, Debug)]
struct Node {
    at: u64,
    key: usize,
}

#[derive(Debug)]
struct Place<T> {
    /// Who waits; `None` while nothing is waited for.
    waiter: Option<T>,
    /// Where in the heap it is, while something is waited for.
    index: usize,
}

impl<T> Deadlines<T> {
    pub(super) fn new() -> Self {
        Self { heap: Vec::new(), places: Vec::new(), free: Vec::new() }
    }

    /// Makes a wait, for nothing yet. It is there until it is [removed](Self::remove).
    pub(super) fn add(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { waiter: None, index: 0 });
            self.places.len() - 1
        })
    }

    /// Sets who waits for what, and returns who waited before.
    pub(super) fn set(&mut self, key: usize, at: u64, waiter: T) -> Option<T> {
        let before = self.places[key].waiter.replace(waiter);
        match before {
            Some(_) => {
                let index = self.places[key].index;
                self.heap[index].at = at;
                self.settle(index);
            }
            None => {
                self.heap.push(Node { at, key });
                self.rise(self.heap.len() - 1);
            }
        }
        before
    }

    /// Gives a wait back, and returns who waits.
    pub(super) fn remove(&mut self, key: usize) -> Option<T> {
        let waiter = self.places[key].waiter.take();
        if waiter.is_some() {
            self.cut(self.places[key].index);
        }
        self.free.push(key);
        waiter
    }

    /// When the next is due.
    pub(super) fn first(&self) -> Option<u64> {
        self.heap.first().map(|node| node.at)
    }

    /// Who waits for the earliest moment, if that is not after `now`. Its wait is for nothing then.
    pub(super) fn pop(&mut self, now: u64) -> Option<T> {
        let node = *self.heap.first().filter(|node| node.at <= now)?;
        self.cut(0);
        self.places[node.key].waiter.take()
    }

    /// Takes the node at `index` out of the heap.
    fn cut(&mut self, index: usize) {
        self.heap.swap_remove(index);
        if index < self.heap.len() {
            self.settle(index);
        }
    }

    /// Moves the node at `index` to where it belongs.
    fn settle(&mut self, index: usize) {
        let index = self.rise(index);
        self.sink(index);
    }

    /// Moves the node at `index` up as far as it belongs.
    fn rise(&mut self, mut index: usize) -> usize {
        let node = self.heap[index];
        while index > 0 {
            let above = (index - 1) / ARITY;
            if self.heap[above].at <= node.at {
                break;
            }
            self.put(index, self.heap[above]);
            index = above;
        }
        self.put(index, node);
        index
    }

    /// Moves the node at `index` down as far as it belongs.
    fn sink(&mut self, mut index: usize) {
        let node = self.heap[index];
        loop {
            let below = index * ARITY + 1;
            let below = below..(below + ARITY).min(self.heap.len());
            let Some(least) = below.min_by_key(|below| self.heap[*below].at) else { break };
            if self.heap[least].at >= node.at {
                break;
            }
            self.put(index, self.heap[least]);
            index = least;
        }
        self.put(index, node);
    }

    fn put(&mut self, index: usize, node: Node) {
        self.heap[index] = node;
        self.places[node.key].index = index;
    }
}

/// Four nodes share a cache line, and the heap is half as deep as with two.
const ARITY: usize = 4;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// What may happen to one of a few waits. Moments are few, so that many are the same.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Set { which: usize, at: u64 },
        Remove { which: usize },
        Pass { time: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => (0..WAITS, 0..60_u64).prop_map(|(which, at)| Step::Set { which, at }),
            2 => (0..WAITS).prop_map(|which| Step::Remove { which }),
            1 => (0..8_u64).prop_map(|time| Step::Pass { time }),
        ]
    }

    const WAITS: usize = 24;

    /// Takes out everybody who is due: when they were due, and who.
    fn due(deadlines: &mut Deadlines<(u64, usize)>, now: u64) -> Vec<(u64, usize)> {
        std::iter::from_fn(|| deadlines.pop(now)).collect()
    }

    proptest! {
        /// Against a list that is searched: who is due comes out, in order, and nobody else.
        #[test]
        fn storms_of_changes_wake_who_is_due_in_order_and_never_early(steps in vec(step(), 0..400)) {
            let mut deadlines = Deadlines::new();
            // The keys of waits that were made, and what they wait for.
            let mut keys = BTreeMap::new();
            let mut waits = BTreeMap::new();
            let (mut now, mut most) = (0, 0);
            for step in steps {
                match step {
                    Step::Set { which, at } => {
                        let key = *keys.entry(which).or_insert_with(|| deadlines.add());
                        let before = waits.insert(which, now + at).map(|at| (at, which));
                        prop_assert_eq!(deadlines.set(key, now + at, (now + at, which)), before);
                        most = most.max(keys.len());
                    }
                    Step::Remove { which } => {
                        if let Some(key) = keys.remove(&which) {
                            let before = waits.remove(&which).map(|at| (at, which));
                            prop_assert_eq!(deadlines.remove(key), before);
                        }
                    }
                    Step::Pass { time } => {
                        now += time;
                        let woken = due(&mut deadlines, now);
                        prop_assert!(woken.is_sorted_by_key(|(at, _)| *at));
                        let passed = waits.extract_if(.., |_, at| *at <= now);
                        let passed: BTreeMap<usize, u64> = passed.collect();
                        let count = woken.len();
                        let woken: BTreeMap<_, _> = woken.into_iter().map(|(at, which)| (which, at)).collect();
                        prop_assert_eq!(count, woken.len(), "nobody is woken twice");
                        prop_assert_eq!(woken, passed);
                    }
                }
                prop_assert_eq!(deadlines.first(), waits.values().min().copied());
                prop_assert_eq!(deadlines.heap.len(), waits.len());
                prop_assert_eq!(deadlines.places.len(), most, "what is given back is used again");
            }
        }
    }

    #[test]
    fn a_wait_is_over_at_its_moment_and_not_before() {
        let mut deadlines = Deadlines::new();
        let key = deadlines.add();
        assert_eq!(deadlines.set(key, 10, "first"), None);
        assert_eq!(deadlines.pop(9), None);
        assert_eq!(deadlines.pop(10), Some("first"));
        assert_eq!((deadlines.pop(u64::MAX), deadlines.first()), (None, None));
        assert_eq!(deadlines.set(key, 30, "again"), None);
        assert_eq!(deadlines.set(key, 20, "sooner"), Some("again"));
        assert_eq!((deadlines.pop(19), deadlines.first()), (None, Some(20)));
        assert_eq!(deadlines.remove(key), Some("sooner"));
        assert_eq!(deadlines.pop(u64::MAX), None);
    }
}
