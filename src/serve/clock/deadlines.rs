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
