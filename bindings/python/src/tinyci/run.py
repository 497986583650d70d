"""A run: the program's loop pulls its events and answers its requests.

The library never calls Python code, and no call takes longer than a moment. Signals, exceptions,
other threads and event loops therefore work as usual.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import inspect
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import Any, final

from . import _constants as c
from ._library import ffi, lib
from ._native import Pointer, call, made_json, make, milliseconds
from .cancel import CancelToken
from .error import Error, Refusal
from .event import Event, event_of
from .record import Record, each_record, outcome_name
from .request import Command, Handlers, Request, request_of

#: The time limit of one call: Python handles signals, such as Ctrl-C, only between calls.
_SLICE_SECONDS = 0.1


@final
class Run(Iterator[Event], AsyncIterator[Event]):
    """An active run, deployment or log, on threads of the library.

    Iterating it returns its events and calls the callbacks: in the thread that iterates, or awaited
    by ``async for`` if they are coroutine functions. If a callback raises, the commit gets no
    verdict, and the loop raises the exception after the end of the run, with a note of what the
    record says. A :class:`Refusal` fails the step instead.

    Keep iterating: if the event buffer is full, the run blocks. The end of a ``with`` block, or
    :meth:`close`, kills an active run and waits until its commands have ended.
    """

    def __init__(self, handle: Pointer, handlers: Handlers, cancel: CancelToken) -> None:
        self._handle: Pointer | None = handle
        self._handlers = handlers
        self._cancel = cancel
        # A signal handler may close the run while the same thread is in a pull.
        self._lock = threading.RLock()
        self._pulling = self._closing = False
        self._turns = threading.Condition()
        self._failures: list[_Failure] = []
        self._records: tuple[Record, ...] | None = None
        self._error: Error | None = None
        self._deployment: dict[str, Any] | None = None
        self._summary: dict[str, Any] | None = None
        self._outcome: str | None = None
        _live.add(self)

    @property
    def records(self) -> tuple[Record, ...]:
        """The records, in the order in which the jobs ended, after the end of the run.

        Raises an :class:`Error` before the end, or the run's own error if it could not start.
        """
        if self._error is not None:
            raise self._error
        if self._records is None:
            raise Error("invalid_arg", "only a run that has ended has records")
        return self._records

    @property
    def summary(self) -> dict[str, Any]:
        """The last line of ``tinyci run --json``, after the end of the run. Besides the records, it
        has the commits that were not tested, the deployments that followed, and ``error`` if the
        run had to stop early."""
        if self._error is not None:
            raise self._error
        if self._summary is None:
            raise Error("invalid_arg", "only a run that has ended has a summary")
        return self._summary

    @property
    def deployment(self) -> dict[str, Any]:
        """The record of a deployment, after its end: its line of ``tinyci deployments --json``. The
        ``outcome`` is ``awaiting_approval`` if a person must approve first."""
        if self._error is not None:
            raise self._error
        if self._deployment is None:
            raise Error("invalid_arg", "only a deployment that has ended has a deployment record")
        return self._deployment

    @property
    def outcome(self) -> str | None:
        """The worst outcome of its commits, or that of its deployment, after the end; else None."""
        return self._outcome

    @property
    def passed(self) -> bool:
        """True if the run has ended and everything that had to pass passed."""
        return self._outcome == "success"

    @property
    def done(self) -> bool:
        """True if the last event was pulled, or the run was closed."""
        return self._handle is None

    def cancel(self) -> None:
        """Stops the run. The first call ends the running command and still runs ``after_all``; the
        second kills everything. Events continue until the end. Any thread may call it.

        It triggers the token that the run was started with.
        """
        self._cancel.cancel()

    def fileno(self) -> int:
        """Returns a descriptor that is readable when :meth:`poll` does not block. Do not close
        it."""
        with self._lock:
            if self._handle is None:
                raise ValueError("the run is closed")
            return int(lib.tinyci_run_fd(self._handle))

    def poll(self, timeout: float | None = None) -> Event | None:
        """Waits for the next event, at most ``timeout`` seconds; None for no limit.

        Returns None if no event came in time, or if the run has ended: see :attr:`done`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.done:
            left = _SLICE_SECONDS
            if deadline is not None:
                left = max(0.0, min(left, deadline - time.monotonic()))
            code, event, request = self._pull(milliseconds(left))
            if event is not None:
                if request is not None:
                    self._answer(request)
                return event
            if code == c.DONE:
                self._finish()
            elif deadline is not None and time.monotonic() >= deadline:
                break
        return None

    def wait(self) -> tuple[Record, ...]:
        """Runs to the end, if you need no events, and returns the records."""
        for _ in self:
            pass
        return self.records

    def close(self) -> None:
        """Kills an active run without ``after_all`` and waits until its commands have ended, at
        most their grace period plus 5 seconds."""
        with self._lock:
            if self._pulling:
                self._closing = True
                return
            handle, self._handle = self._handle, None
            if handle is not None:
                lib.tinyci_run_free(handle)
        _live.discard(self)

    async def aclose(self) -> None:
        """Like :meth:`close`, without blocking the event loop."""
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> Event:
        event = self.poll()
        if event is None:
            raise StopIteration
        return event

    def __aiter__(self) -> Run:
        return self

    async def __anext__(self) -> Event:
        while not self.done:
            code, event, request = self._pull(0)
            if event is not None:
                if request is not None:
                    await self._answer_async(request)
                else:
                    # Other tasks get a turn, even if events come fast.
                    await asyncio.sleep(0)
                return event
            if code == c.DONE:
                self._finish()
            else:
                await self._readable()
        raise StopAsyncIteration

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if error is None:
            self._raise_failure()

    async def __aenter__(self) -> Run:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
        if error is None:
            self._raise_failure()

    def __del__(self) -> None:
        """Stops a run that the program dropped, without blocking it."""
        handle = getattr(self, "_handle", None)
        if handle is not None:
            # Fails while the interpreter exits; the end of the process then stops the run.
            with contextlib.suppress(RuntimeError):
                threading.Thread(target=lib.tinyci_run_free, args=(handle,), daemon=True).start()

    def __repr__(self) -> str:
        return f"<tinyci.Run {self._outcome or ('closed' if self.done else 'active')}>"

    def _pull(self, timeout_ms: int) -> tuple[int, Event | None, Request | None]:
        """Makes one call of the library and copies the result."""
        event = request = None
        with self._lock:
            if self._handle is None:
                return c.DONE, None, None
            if self._pulling:
                raise RuntimeError("a signal handler pulled from the run that it interrupted")
            self._pulling = True
            try:
                out = ffi.new("tinyci_event **")
                code = call(lib.tinyci_run_next, self._handle, timeout_ms, out)
                if code == c.OK:
                    event = event_of(out[0])
                    request = request_of(out[0], event, self._turns)
            except Error as error:
                self._error = error
                self._closing = True
                # The callback's exception says more than the library's error.
                self._raise_failure()
                raise
            finally:
                self._pulling = False
                if self._closing:
                    self.close()
        with self._turns:
            self._turns.notify_all()
        if event is not None and event.kind == "finished":
            self._outcome = event.outcome
        return code, event, request

    def _finish(self) -> None:
        """Copies the results of a run that has ended, and frees it."""
        with self._lock:
            if self._handle is not None:
                records = make(
                    "tinyci_records", lib.tinyci_records_free, lib.tinyci_run_records, self._handle
                )
                self._records = tuple(each_record(records))
                deployed = outcome_name(lib.tinyci_run_deploy_outcome(self._handle))
                if deployed is not None:
                    self._outcome = deployed
                    self._deployment = made_json(lib.tinyci_run_deployment_json, self._handle)
                else:
                    self._summary = made_json(lib.tinyci_run_summary_json, self._handle)
            self.close()
        self._raise_failure()

    def _raise_failure(self) -> None:
        """Raises the first exception of a callback, once."""
        if self._failures:
            first = self._failures[0]
            self._failures.clear()
            raise first.noted(self._records or (), self._deployment)

    def _answer(self, request: Request) -> None:
        if isinstance(request, Command):
            self._execute(request)
            return
        with _failing(request, self._failures):
            result = request._ask(self._handlers)
            if inspect.isawaitable(result):
                if inspect.iscoroutine(result):
                    result.close()
                raise TypeError(f"{request.name} is awaitable: iterate the run with `async for`")
            request._reply(result)

    async def _answer_async(self, request: Request) -> None:
        if isinstance(request, Command):
            self._execute(request)
            return
        with _failing(request, self._failures):
            result = request._ask(self._handlers)
            request._reply(await result if inspect.isawaitable(result) else result)

    def _execute(self, command: Command) -> None:
        """Runs a command on a thread, because the loop must pass on its output."""
        threading.Thread(
            target=_run_command,
            args=(command, self._handlers, self._failures),
            name=f"tinyci {command.step} of {command.commit[:12]}",
            daemon=True,
        ).start()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        descriptor = self.fileno()

        def ring() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_reader(descriptor, ring)
        try:
            await ready
        finally:
            loop.remove_reader(descriptor)


class _Failure:
    """An exception of a callback, and its request."""

    def __init__(self, error: Exception, request: Request) -> None:
        self._error = error
        self._commit, self._step = request.commit, request.step

    def noted(
        self, records: Sequence[Record], deployment: dict[str, Any] | None
    ) -> Exception:
        """Returns the exception, with a note of what the record says."""
        said = (deployment or {}).get("reason")
        for record in records:
            if record.commit == self._commit:
                said = next((it.error for it in record.steps if it.name == self._step), None)
        if said:
            # Like add_note(), which exists from Python 3.11 on. Older versions do not show the
            # note.
            notes = self._error.__dict__.setdefault("__notes__", [])
            notes.append(f"tinyci: `{self._step}` of {self._commit[:10]}: {said}")
        return self._error


class _failing:
    """Answers a request whose callback raises, and stores the exception for the end of the run.

    A ``BaseException`` that is not an ``Exception``, such as Ctrl-C, is raised at once.
    """

    def __init__(self, request: Request, failures: list[_Failure]) -> None:
        self._request = request
        self._failures = failures

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None:
            return False
        if isinstance(error, Exception) and not isinstance(error, Refusal):
            self._failures.append(_Failure(error, self._request))
        self._request._fail(error)
        return isinstance(error, Exception)


def _run_command(command: Command, handlers: Handlers, failures: list[_Failure]) -> None:
    with _failing(command, failures):
        try:
            command._reply(command._ask(handlers))
        except Error as error:
            # The command was canceled, and the executor ended because of it.
            if error.code != "canceled" or not command.canceled:
                raise


#: The runs that are not closed. They are stopped before the interpreter exits, so that no command
#: outlives it.
_live: weakref.WeakSet[Run] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for run in list(_live):
        run.close()


def _renew_locks() -> None:
    """Renews the locks in a forked child: a thread that was not forked may hold one."""
    for run in list(_live):
        run._lock = threading.RLock()
        run._turns = threading.Condition()
        run._pulling = False


os.register_at_fork(after_in_child=_renew_locks)


def start(
    function: Any,
    engine: Pointer,
    arguments: Sequence[Any],
    handlers: Handlers,
    cancel: CancelToken | None,
) -> Run:
    """Calls one of the functions that start a run."""
    token = CancelToken() if cancel is None else cancel
    out = ffi.new("tinyci_run **")
    call(function, engine, *arguments, token._handle, out)
    return Run(out[0], handlers, token)
