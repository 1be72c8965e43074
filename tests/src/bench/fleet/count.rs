//! How many runners have an open lease stream, and how many opened it since the server ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[derive(Default)]
pub(super) struct Count {
    connected: AtomicUsize,
    back: AtomicUsize,
    /// Counts the servers there were.
    server: AtomicU64,
}

impl Count {
    pub(super) fn connected(&self) -> usize {
        self.connected.load(Ordering::SeqCst)
    }

    pub(super) fn back(&self) -> usize {
        self.back.load(Ordering::SeqCst)
    }

    pub(super) fn begin_anew(&self) {
        self.server.fetch_add(1, Ordering::SeqCst);
        self.back.store(0, Ordering::SeqCst);
    }
}

/// Counts a runner for as long as its lease stream is open.
pub(super) struct Here {
    count: Arc<Count>,
    server: u64,
}

impl Here {
    pub(super) fn new(count: &Arc<Count>) -> Self {
        count.connected.fetch_add(1, Ordering::SeqCst);
        count.back.fetch_add(1, Ordering::SeqCst);
        Self {
            count: Arc::clone(count),
            server: count.server.load(Ordering::SeqCst),
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.count.connected.fetch_sub(1, Ordering::SeqCst);
        if self.server == self.count.server.load(Ordering::SeqCst) {
            self.count.back.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_an_earlier_server_are_not_back() {
        let count = Arc::new(Count::default());
        let old = [Here::new(&count), Here::new(&count)];
        count.begin_anew();
        let new = Here::new(&count);
        assert_eq!((count.connected(), count.back()), (3, 1));
        drop(old);
        assert_eq!((count.connected(), count.back()), (1, 1));
        drop(new);
        assert_eq!((count.connected(), count.back()), (0, 0));
    }
}
