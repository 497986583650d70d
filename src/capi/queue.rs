//! [`Queue`]: the events and requests of a run, from the library's threads to the host program.
//!
//! If it is full of events, the run waits, which slows the build but limits memory. Requests do not
//! count: a worker waits for its answer, so there are never more requests than workers.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use super::{notifier::Notifier, pending_request::PendingRequest};
use crate::{
    Error, Event, Summary,
    deploy::Deployment,
    util::lock::{lock, unpoisoned},
};

/// The maximum number of events in the queue. An event has at most 64 KiB of output.
const EVENTS_MAX: usize = 16;

/// An entry of the queue.
pub(super) enum Item {
    Event(Box<Event>),
    /// A request, with its sequence number among the events.
    Request {
        sequence: u64,
        pending: Arc<PendingRequest>,
    },
}

/// The result of a run.
pub(super) enum RunResult {
    Summary(Box<Summary>),
    Deployment(Box<Deployment>),
}

/// How a run ended.
pub(super) type End = Result<RunResult, Error>;

/// The next entry, if there is one.
pub(super) enum Next {
    Item(Item),
    /// No entry came within the time.
    TimedOut,
    /// The run has ended, and the queue is empty.
    Ended,
}

/// A bounded queue of events and requests.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Signals an entry, or the end.
    filled: Condvar,
    /// Signals room for an event, or that the queue is closed.
    drained: Condvar,
    notifier: Notifier,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    sequence: u64,
    events: usize,
    /// True if the host program no longer reads.
    closed: bool,
    ended: bool,
    end: Option<End>,
}

impl Queue {
    pub(super) fn new() -> Result<Self, Error> {
        let (filled, drained) = (Condvar::new(), Condvar::new());
        Ok(Self { state: Mutex::default(), filled, drained, notifier: Notifier::new()? })
    }

    /// Returns the descriptor that is readable whenever [`next`](Queue::next) would not wait.
    pub(super) fn fd(&self) -> i32 {
        self.notifier.fd()
    }

    /// Waits for room, then adds an event.
    pub(super) fn push_event(&self, mut event: Event) {
        let mut state = lock(&self.state);
        while state.events >= EVENTS_MAX && !state.closed {
            state = unpoisoned(self.drained.wait(state));
        }
        if state.closed {
            return;
        }
        state.events += 1;
        event.meta.sequence = state.next_number();
        self.push(&mut state, Item::Event(Box::new(event)));
    }

    /// Adds a request. If the queue is closed, the request stays unanswered.
    pub(super) fn push_request(&self, pending: &Arc<PendingRequest>) {
        let mut state = lock(&self.state);
        if state.closed {
            return pending.leave();
        }
        let (sequence, pending) = (state.next_number(), pending.clone());
        self.push(&mut state, Item::Request { sequence, pending });
    }

    fn push(&self, state: &mut State, item: Item) {
        if state.items.is_empty() {
            self.notifier.notify();
        }
        state.items.push_back(item);
        self.filled.notify_all();
    }

    /// Sets the result of the run: nothing is added afterwards.
    pub(super) fn end(&self, end: End) {
        let mut state = lock(&self.state);
        state.end = Some(end);
        state.ended = true;
        self.notifier.end();
        self.filled.notify_all();
    }

    /// Waits for the next entry until the limit; without a limit, until there is one.
    pub(super) fn next(&self, limit: Option<Instant>) -> Next {
        let mut state = lock(&self.state);
        loop {
            if let Some(item) = state.items.pop_front() {
                state.events -= usize::from(matches!(item, Item::Event(_)));
                self.drained.notify_all();
                if state.items.is_empty() {
                    self.notifier.clear();
                }
                return Next::Item(item);
            }
            if state.ended {
                return Next::Ended;
            }
            state = match limit.map(|limit| limit.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Next::TimedOut,
                Some(rest) => {
                    let waited = self.filled.wait_timeout(state, rest);
                    unpoisoned(waited).0
                }
                None => unpoisoned(self.filled.wait(state)),
            };
        }
    }

    /// Takes the result of the run, once.
    pub(super) fn take_end(&self) -> Option<End> {
        lock(&self.state).end.take()
    }

    /// Drops all entries, and those that are added later.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let dropped = std::mem::take(&mut state.items);
        self.drained.notify_all();
        drop(state);
        for item in dropped {
            if let Item::Request { pending, .. } = item {
                pending.leave();
            }
        }
    }

    /// Waits for the end of the run, at most for this time.
    pub(super) fn await_end(&self, time: Duration) -> bool {
        let state = lock(&self.state);
        let waited = self.filled.wait_timeout_while(state, time, |state| !state.ended);
        unpoisoned(waited).0.ended
    }
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::SystemTime};

    use super::*;
    use crate::{Event, EventKind, Outcome, event::EventMeta};

    fn event() -> Event {
        let meta = EventMeta {
            sequence: 0,
            time: SystemTime::UNIX_EPOCH,
            commit: None,
            job_id: None,
            step: None,
            label: None,
        };
        Event::new(meta, EventKind::Finished { outcome: Outcome::Success })
    }

    fn next_sequence(queue: &Queue) -> Option<u64> {
        match queue.next(Some(Instant::now())) {
            Next::Item(Item::Event(event)) => Some(event.meta.sequence),
            _ => None,
        }
    }

    #[test]
    fn a_full_queue_waits_for_its_host_and_loses_nothing() {
        let queue = Queue::new().unwrap();
        let count = 3 * EVENTS_MAX as u64;
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..count).for_each(|_| queue.push_event(event()));
                queue.end(Ok(RunResult::Summary(Box::default())));
            });
            for expected in 1..=count {
                let Next::Item(Item::Event(event)) = queue.next(None) else { panic!("too few") };
                assert_eq!(event.meta.sequence, expected);
                assert!(lock(&queue.state).events <= EVENTS_MAX);
            }
            assert!(matches!(queue.next(None), Next::Ended));
        });
        assert!(
            matches!(queue.take_end(), Some(Ok(RunResult::Summary(it))) if it.records.is_empty())
        );
    }

    #[test]
    fn nothing_waits_for_a_host_that_has_gone() {
        let queue = Queue::new().unwrap();
        (0..EVENTS_MAX).for_each(|_| queue.push_event(event()));
        thread::scope(|scope| {
            let pushing = scope.spawn(|| queue.push_event(event()));
            queue.close();
            pushing.join().unwrap();
        });
        assert_eq!(next_sequence(&queue), None);
        assert!(!queue.await_end(Duration::ZERO));
    }
}
