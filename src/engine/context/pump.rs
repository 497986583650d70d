//! The pump: events from the workers to the observer, in order, on the thread that called `run`.
//!
//! One bounded channel carries them. A slow observer fills it and so slows the builds' pipes;
//! nothing is dropped and nothing piles up in memory. The pump never stops before the channel is
//! closed, so a worker can never hang on it.
//!
//! Before a host is asked for something, its observer has seen what came earlier: the worker sends a
//! marker after its events and waits until the pump has met it.

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

/// How many events may wait. Output events hold at most [`OUTPUT_MAX`] bytes each.
const CHANNEL_EVENTS: usize = 64;

/// The most bytes that one output event carries.
const OUTPUT_MAX: usize = 64 * 1024;

/// How long the beginning of a line waits for its end before it is passed on as it is.
const PARTIAL_LINE_WAIT: Duration = Duration::from_millis(100);

/// How long a worker that waits for its marker sleeps before it looks at its limits.
const SETTLE_SLICE: Duration = Duration::from_millis(20);

/// What goes through the channel.
pub(in crate::engine) enum Item {
    Event(Event),
    /// Answered once the observer has seen what this attempt said before.
    Marker {
        run: Arc<str>,
        seen: SyncSender<()>,
    },
}

/// The workers' end of the channel.
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

    /// Waits until the observer has seen everything that this attempt said so far. The error says
    /// what ended the wait before.
    pub(in crate::engine) fn settle(&self, context: &RequestContext) -> Result<(), Outcome> {
        let (seen, met) = sync_channel(1);
        let mut marker = Item::Marker { run: context.job_id.clone(), seen };
        while let Err(TrySendError::Full(item)) = self.0.try_send(marker) {
            marker = item;
            within_limits(context)?;
            thread::sleep(SETTLE_SLICE);
        }
        while met.recv_timeout(SETTLE_SLICE) == Err(RecvTimeoutError::Timeout) {
            within_limits(context)?;
        }
        Ok(())
    }
}

/// Nothing waits for an observer longer than its step may take.
fn within_limits(context: &RequestContext) -> Result<(), Outcome> {
    match (context.is_canceled(), context.is_late()) {
        (true, _) => Err(Outcome::Canceled),
        (_, true) => Err(Outcome::TimedOut),
        _ => Ok(()),
    }
}

/// A channel whose two ends a run's threads and its pump hold.
pub(in crate::engine) fn channel() -> (Sender, Receiver<Item>) {
    let (sender, receiver) = sync_channel(CHANNEL_EVENTS);
    (Sender(sender), receiver)
}

/// What is said of an event before the pump numbers it.
pub(in crate::engine) fn meta() -> EventMeta {
    EventMeta::at(SystemTime::now())
}

/// Delivers events to an observer until every sender is gone.
pub(in crate::engine) struct Pump<'a> {
    observer: &'a mut dyn Observer,
    /// The host's log gets each event right before the observer does.
    tracer: EventTracer,
    /// Raised once by the observer's first `Break`, or by its panic.
    cancel: &'a CancelToken,
    sequence: u64,
    stopped: bool,
    panic: Option<Box<dyn Any + Send>>,
    /// Output that was not passed on yet, at most one event per source: less than [`OUTPUT_MAX`] of
    /// it, or a line without its end.
    held: Vec<Event>,
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
            held: Vec::new(),
        }
    }

    /// Runs until the channel closes; gives back what the observer panicked with, if it did.
    pub(in crate::engine) fn run(mut self, items: &Receiver<Item>) -> Option<Box<dyn Any + Send>> {
        loop {
            let next = if self.held.is_empty() {
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
                self.flush_run(event.meta.job_id.as_deref());
                self.deliver(event);
            }
            Item::Marker { run, seen } => {
                self.flush_run(Some(&run));
                // Who does not wait for it any more has been canceled, or is late.
                let _ = seen.send(());
            }
        }
    }

    /// Appends to what is held of the same run, step and stream, and passes on full pieces.
    fn take_output(&mut self, event: Event) {
        let mut held = match self.held.iter().position(|held| same_source(held, &event)) {
            Some(place) => self.held.swap_remove(place),
            None => return self.hold(event),
        };
        let kinds = (&mut held.kind, event.kind);
        if let (EventKind::Output { bytes, .. }, EventKind::Output { bytes: more, .. }) = kinds {
            bytes.extend_from_slice(&more);
        }
        self.hold(held);
    }

    /// Passes on full pieces, and holds the rest.
    fn hold(&mut self, mut event: Event) {
        while let Some(piece) = take_piece(&mut event, OUTPUT_MAX) {
            self.deliver(piece);
        }
        self.held.push(event);
    }

    /// Passes on every whole line that is held.
    fn flush_lines(&mut self) {
        for mut event in std::mem::take(&mut self.held) {
            if let Some(lines) = take_piece(&mut event, 0) {
                self.deliver(lines);
            }
            if !output_bytes(&event).is_empty() {
                self.held.push(event);
            }
        }
    }

    fn flush_all(&mut self) {
        for event in std::mem::take(&mut self.held) {
            self.deliver(event);
        }
    }

    /// What comes after a command's output must not overtake the output.
    fn flush_run(&mut self, run: Option<&str>) {
        let (of_run, others) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| held.meta.job_id.as_deref() == run);
        self.held = others;
        let of_run: Vec<Event> = of_run;
        of_run.into_iter().for_each(|event| self.deliver(event));
    }

    fn deliver(&mut self, mut event: Event) {
        self.sequence += 1;
        event.meta.sequence = self.sequence;
        // The log of the host goes on after its observer panicked: it may be all that tells why.
        let observer = self.panic.is_none().then_some(&mut *self.observer);
        let told = catch_unwind(AssertUnwindSafe(|| {
            self.tracer.event(&event);
            observer.map_or(ControlFlow::Continue(()), |observer| observer.event(&event))
        }));
        match told {
            Ok(flow) if flow.is_break() => self.stop(),
            Ok(_) => {}
            Err(panic) => {
                self.panic.get_or_insert(panic);
                self.stop();
            }
        }
    }

    /// Only once: an observer that says `Break` again and again still gets its `after_all`.
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

/// Cuts a piece of whole lines off held output once it has more than `min` bytes. A line longer
/// than [`OUTPUT_MAX`] is cut where it reaches that.
fn take_piece(held: &mut Event, min: usize) -> Option<Event> {
    let EventKind::Output { stream, bytes } = &mut held.kind else { return None };
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
    Some(Event::new(held.meta.clone(), kind))
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

    /// What an observer sees of these events: `run:text` for output, `run.` for others.
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
