//! The pump delivers events from the workers to the observer, in order, on the thread that called
//! `run`.
//!
//! One bounded channel carries the events. A slow observer fills it and so slows down the builds.
//! Events are never dropped, and memory use is bounded. The pump runs until the channel is closed,
//! so it never blocks a worker forever.
//!
//! Before a worker calls the host, the observer must have received all earlier events. So the
//! worker sends a marker after its events, and waits until the pump reaches it.

use std::{
    any::Any,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, SystemTime},
};

use crate::{
    model::{
        cancel::CancelToken,
        event::{Event, EventKind, EventMeta, Observer},
        outcome::Outcome,
        request_context::RequestContext,
    },
    trace::EventTracer,
};

/// Capacity of the channel in events. An output event contains at most [`OUTPUT_MAX`] bytes.
const CHANNEL_EVENTS: usize = 64;

/// Maximum size of one output event in bytes.
const OUTPUT_MAX: usize = 64 * 1024;

/// How long an incomplete line waits for its end before it is delivered.
const PARTIAL_LINE_WAIT: Duration = Duration::from_millis(100);

/// How often a worker that waits for its marker checks its deadline and its cancellation.
const FLUSH_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// An item of the channel.
pub(in crate::engine) enum Item {
    Event(Event),
    /// Answered when the observer has received all earlier events of this job.
    Marker {
        job_id: Arc<str>,
        seen: SyncSender<()>,
    },
}

/// The sending end of the channel, for workers.
#[derive(Clone)]
pub(in crate::engine) struct Sender(SyncSender<Item>);

impl Sender {
    pub(in crate::engine) fn send(&self, event: Event) {
        // The pump outlives every sender, so this fails only while a panic unwinds.
        let _ = self.0.send(Item::Event(event));
    }

    /// Sends an event that belongs to no job.
    pub(in crate::engine) fn emit(&self, kind: EventKind) {
        self.send(Event::new(meta(), kind));
    }

    /// Waits until the observer has received all earlier events of this job. The error is the
    /// outcome that ended the wait: a cancellation or an expired deadline.
    pub(in crate::engine) fn flush(&self, context: &RequestContext) -> Result<(), Outcome> {
        let (seen, reached) = sync_channel(1);
        let mut marker = Item::Marker { job_id: context.job_id.clone(), seen };
        while let Err(TrySendError::Full(item)) = self.0.try_send(marker) {
            marker = item;
            within_limits(context)?;
            thread::sleep(FLUSH_POLL_INTERVAL);
        }
        while reached.recv_timeout(FLUSH_POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            within_limits(context)?;
        }
        Ok(())
    }
}

/// Fails if the step is canceled or late, so that no step waits for an observer beyond its limits.
fn within_limits(context: &RequestContext) -> Result<(), Outcome> {
    match (context.is_canceled(), context.is_late()) {
        (true, _) => Err(Outcome::Canceled),
        (_, true) => Err(Outcome::TimedOut),
        _ => Ok(()),
    }
}

/// Creates a channel between the threads of a run and its pump.
pub(in crate::engine) fn channel() -> (Sender, Receiver<Item>) {
    let (sender, receiver) = sync_channel(CHANNEL_EVENTS);
    (Sender(sender), receiver)
}

/// Returns the metadata of an event before the pump numbers it.
pub(in crate::engine) fn meta() -> EventMeta {
    EventMeta::at(SystemTime::now())
}

/// Delivers events to an observer until every sender is gone.
pub(in crate::engine) struct Pump<'a> {
    observer: &'a mut dyn Observer,
    /// Sends each event to the host's log right before the observer receives it.
    tracer: EventTracer,
    /// Canceled once, by the observer's first `Break` or by its panic.
    cancel: &'a CancelToken,
    sequence: u64,
    stopped: bool,
    panic: Option<Box<dyn Any + Send>>,
    /// Output that is not yet delivered, at most one event per source. Each contains less than
    /// [`OUTPUT_MAX`] bytes, or an incomplete line.
    pending: Vec<Event>,
}

impl<'a> Pump<'a> {
    pub(in crate::engine) fn new(observer: &'a mut dyn Observer, cancel: &'a CancelToken) -> Self {
        Self {
            observer,
            tracer: EventTracer::default(),
            cancel,
            sequence: 0,
            stopped: false,
            panic: None,
            pending: Vec::new(),
        }
    }

    /// Runs until the channel closes. Returns the payload if the observer panicked.
    pub(in crate::engine) fn run(mut self, items: &Receiver<Item>) -> Option<Box<dyn Any + Send>> {
        loop {
            let next = if self.pending.is_empty() {
                items.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                items.recv_timeout(PARTIAL_LINE_WAIT)
            };
            match next {
                Ok(item) => {
                    self.take(item);
                    items.try_iter().for_each(|item| self.take(item));
                    self.flush_lines();
                }
                Err(RecvTimeoutError::Timeout) => self.flush_all(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.flush_all();
        self.panic
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Event(event) if is_output(&event) => self.take_output(event),
            Item::Event(event) => {
                self.flush_job(event.meta.job_id.as_deref());
                self.deliver(event);
            }
            Item::Marker { job_id, seen } => {
                self.flush_job(Some(&job_id));
                // This fails if the worker no longer waits, because it was canceled or is late.
                let _ = seen.send(());
            }
        }
    }

    /// Appends to the pending output of the same job, step and stream, and delivers full pieces.
    fn take_output(&mut self, event: Event) {
        let mut pending = match self.pending.iter().position(|pending| same_source(pending, &event))
        {
            Some(index) => self.pending.swap_remove(index),
            None => return self.buffer(event),
        };
        let kinds = (&mut pending.kind, event.kind);
        if let (EventKind::Output { bytes, .. }, EventKind::Output { bytes: more, .. }) = kinds {
            bytes.extend_from_slice(&more);
        }
        self.buffer(pending);
    }

    /// Delivers full pieces, and buffers the rest.
    fn buffer(&mut self, mut event: Event) {
        while let Some(piece) = take_piece(&mut event, OUTPUT_MAX) {
            self.deliver(piece);
        }
        self.pending.push(event);
    }

    /// Delivers all complete lines in the buffer.
    fn flush_lines(&mut self) {
        for mut event in std::mem::take(&mut self.pending) {
            if let Some(lines) = take_piece(&mut event, 0) {
                self.deliver(lines);
            }
            if !output_bytes(&event).is_empty() {
                self.pending.push(event);
            }
        }
    }

    fn flush_all(&mut self) {
        for event in std::mem::take(&mut self.pending) {
            self.deliver(event);
        }
    }

    /// Delivers the buffered output of a job, so that later events do not overtake it.
    fn flush_job(&mut self, job_id: Option<&str>) {
        let (of_job, others) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|pending| pending.meta.job_id.as_deref() == job_id);
        self.pending = others;
        let of_job: Vec<Event> = of_job;
        of_job.into_iter().for_each(|event| self.deliver(event));
    }

    fn deliver(&mut self, mut event: Event) {
        self.sequence += 1;
        event.meta.sequence = self.sequence;
        // The host's log continues after a panic of the observer, because it may be the only trace
        // of it.
        let observer = self.panic.is_none().then_some(&mut *self.observer);
        let delivered = catch_unwind(AssertUnwindSafe(|| {
            self.tracer.event(&event);
            observer.map_or(ControlFlow::Continue(()), |observer| observer.event(&event))
        }));
        match delivered {
            Ok(flow) if flow.is_break() => self.stop(),
            Ok(_) => {}
            Err(panic) => {
                self.panic.get_or_insert(panic);
                self.stop();
            }
        }
    }

    /// Cancels only once. A second cancel would kill `after_all`, even if the observer just
    /// repeats its `Break`.
    fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopped, true) {
            self.cancel.cancel();
        }
    }
}

fn is_output(event: &Event) -> bool {
    matches!(event.kind, EventKind::Output { .. })
}

fn output_bytes(event: &Event) -> &[u8] {
    match &event.kind {
        EventKind::Output { bytes, .. } => bytes,
        _ => &[],
    }
}

fn same_source(one: &Event, other: &Event) -> bool {
    let (a, b) = (&one.meta, &other.meta);
    match (&one.kind, &other.kind) {
        (EventKind::Output { stream: x, .. }, EventKind::Output { stream: y, .. }) => {
            a.job_id == b.job_id && a.step == b.step && a.label == b.label && x == y
        }
        _ => false,
    }
}

/// Takes a piece of complete lines from buffered output if it has more than `min` bytes. Cuts a
/// line that is longer than [`OUTPUT_MAX`].
fn take_piece(pending: &mut Event, min: usize) -> Option<Event> {
    let EventKind::Output { stream, bytes } = &mut pending.kind else { return None };
    if bytes.len() <= min {
        return None;
    }
    let within = &bytes[..bytes.len().min(OUTPUT_MAX)];
    let end = match within.iter().rposition(|byte| *byte == b'\n') {
        Some(newline) => newline + 1,
        None if bytes.len() > OUTPUT_MAX => OUTPUT_MAX,
        None => return None,
    };
    let rest = bytes.split_off(end);
    let piece = std::mem::replace(bytes, rest);
    let kind = EventKind::Output { stream: *stream, bytes: piece };
    Some(Event::new(pending.meta.clone(), kind))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;
    use crate::model::{executor::Stream, outcome::Outcome};

    fn output(run: &str, text: &str) -> Event {
        let meta = EventMeta { job_id: Some(Arc::from(run)), ..meta() };
        Event::new(meta, EventKind::Output { stream: Stream::Stdout, bytes: text.into() })
    }

    fn finished(run: &str) -> Event {
        let meta = EventMeta { job_id: Some(Arc::from(run)), ..meta() };
        Event::new(meta, EventKind::Finished { outcome: Outcome::Success })
    }

    /// Returns what an observer receives: `run:text` for output, `run.` for other events.
    fn observe(events: Vec<Event>) -> Vec<String> {
        let mut seen = Vec::new();
        let mut observer = |event: &Event| {
            let run = event.meta.job_id.as_deref().unwrap_or("-").to_owned();
            seen.push(match &event.kind {
                EventKind::Output { bytes, .. } => {
                    format!("{run}:{}", String::from_utf8_lossy(bytes))
                }
                _ => format!("{run}."),
            });
        };
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            scope.spawn(move || events.into_iter().for_each(|event| sender.send(event)));
            Pump::new(&mut observer, &CancelToken::new()).run(&receiver);
        });
        seen
    }

    #[test]
    fn output_is_passed_on_in_order_and_before_what_follows_it() {
        let seen =
            observe(vec![output("a", "on"), output("a", "e\ntw"), output("b", "x"), finished("a")]);
        let of_a: String = seen.iter().filter_map(|line| line.strip_prefix("a:")).collect();
        assert_eq!(of_a, "one\ntw");
        let end_of_a = seen.iter().position(|line| line == "a.");
        let last_of_a = seen.iter().rposition(|line| line.starts_with("a:"));
        assert!(last_of_a < end_of_a, "{seen:?}");
        assert!(seen.contains(&"b:x".to_owned()));
    }

    #[test]
    fn long_output_comes_in_bounded_pieces_of_whole_lines() {
        let line = format!("{}\n", "x".repeat(1000));
        let text = format!("{}{}", line.repeat(200), "y".repeat(3 * OUTPUT_MAX));
        let mut pieces = Vec::new();
        let mut observer = |event: &Event| pieces.push(output_bytes(event).to_vec());
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            let text = text.as_bytes();
            scope.spawn(move || {
                for chunk in text.chunks(7777) {
                    sender.send(output("a", &String::from_utf8_lossy(chunk)));
                }
            });
            Pump::new(&mut observer, &CancelToken::new()).run(&receiver);
        });
        assert!(pieces.iter().all(|piece| piece.len() <= OUTPUT_MAX && !piece.is_empty()));
        assert_eq!(pieces.concat(), text.as_bytes());
        let whole = pieces.iter().take_while(|piece| !piece.contains(&b'y'));
        assert!(whole.clone().count() > 0 && whole.clone().all(|piece| piece.ends_with(b"\n")));
    }

    #[test]
    fn a_break_raises_one_cancel_and_events_go_on() {
        let cancel = CancelToken::new();
        let mut count = 0;
        let mut observer = |_: &Event| {
            count += 1;
            ControlFlow::Break(())
        };
        let (sender, receiver) = channel();
        (0..3).for_each(|_| sender.send(finished("a")));
        drop(sender);
        Pump::new(&mut observer, &cancel).run(&receiver);
        assert_eq!((count, cancel.level()), (3, 1));
    }

    #[test]
    fn a_panic_cancels_and_the_rest_is_drained() {
        let cancel = CancelToken::new();
        let mut observer = |_: &Event| -> () { panic!("the host is broken") };
        let (sender, receiver) = channel();
        let panic = thread::scope(|scope| {
            scope.spawn(move || (0..500).for_each(|_| sender.send(finished("a"))));
            Pump::new(&mut observer, &cancel).run(&receiver)
        });
        assert!(panic.is_some());
        assert_eq!(cancel.level(), 1);
    }

    #[test]
    fn events_are_numbered_without_gaps() {
        let mut numbers = Vec::new();
        let mut observer = |event: &Event| numbers.push(event.meta.sequence);
        let (sender, receiver) = channel();
        for text in ["a\n", "b"] {
            sender.send(output("a", text));
            sender.send(finished("a"));
        }
        drop(sender);
        Pump::new(&mut observer, &CancelToken::new()).run(&receiver);
        assert_eq!(numbers, [1, 2, 3, 4]);
    }
}
