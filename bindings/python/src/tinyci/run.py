"""A run: its events are pulled, and what it asks for is answered, in the host's loop.

No code of the host runs inside a call of the library, and no call lasts longer than a moment, so
that signals, exceptions, other threads and an event loop all work as they do elsewhere.
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
from .request import Command, Host, Request, request_of

#: How long one call waits: Python handles signals, such as Ctrl-C, only between calls.
_SLICE_SECONDS = 0.1


@final
class Run(Iterator[Event], AsyncIterator[Event]):
    """A run, or something else that takes its time. It goes on in threads of the library's.

    Iterating it gives its events, and calls the host's hooks and functions on the way: in the
    thread that iterates, or awaited by ``async for`` if they are coroutine functions. What they
    raise is a mistake of the host's and says nothing about the commit: it gets no verdict, and the
    exception is raised out of the loop once the run has ended, with a note of what the record says.
    A :class:`Refusal` fails the step instead, and stays inside.

    A run whose events nobody pulls stands still once a few wait. Leaving its ``with`` block, or
    :meth:`close`, stops one that is not over, and waits for its commands to end.
    """

    def __init__(self, handle: Pointer, host: Host, cancel: CancelToken) -> None:
        self._handle: Pointer | None = handle
        self._host = host
        self._cancel = cancel
        # A signal handler may close the run in the midst of a pull by the same thread.
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
        """What remains of the commits, in the order in which they were finished, after the end.

        Before the end an :class:`Error` is raised; if the run could not begin, its own.
        """
        if self._error is not None:
            raise self._error
        if self._records is None:
            raise Error("invalid_arg", "a run has records once its last event was pulled")
        return self._records

    @property
    def summary(self) -> dict[str, Any]:
        """The summary of a run, after the end: what ``tinyci run --json`` prints last. Beside the
        records it has the commits that were not run, the deployments that followed, and as
        ``fault`` why the run had to stop."""
        if self._error is not None:
            raise self._error
        if self._summary is None:
            raise Error("invalid_arg", "only a run that has ended has a summary")
        return self._summary

    @property
    def deployment(self) -> dict[str, Any]:
        """What became of a deployment, after the end: its line of ``tinyci deployments --json``, whose
        ``outcome`` is ``waiting`` where a person has to approve first."""
        if self._error is not None:
            raise self._error
        if self._deployment is None:
            raise Error(
                "invalid_arg", "only a deployment that has ended can tell what became of it"
            )
        return self._deployment

    @property
    def outcome(self) -> str | None:
        """The worst outcome of its commits, or that of a deployment, after the end; None before."""
        return self._outcome

    @property
    def passed(self) -> bool:
        """Whether the run is over and all that had to pass did."""
        return self._outcome == "success"

    @property
    def done(self) -> bool:
        """Whether its last event was pulled, or the run was closed."""
        return self._handle is None

    def cancel(self) -> None:
        """Stops the run: it ends the running command and still runs ``after_all``; called a second
        time it kills. Any thread may call it, and the events go on to the end.

        It is the token that the run was started with that is raised.
        """
        self._cancel.cancel()

    def fileno(self) -> int:
        """A descriptor that is readable whenever :meth:`poll` would not wait. Do not close it."""
        with self._lock:
            if self._handle is None:
                raise ValueError("the run is closed")
            return int(lib.tinyci_run_fd(self._handle))

    def poll(self, timeout: float | None = None) -> Event | None:
        """The next event, waiting so many seconds at most; None for as long as it takes.

        Gives None if none came in that time, or if the run is over: :attr:`done` tells.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.done:
            left = _SLICE_SECONDS
            if deadline is not None:
                left = max(0.0, min(left, deadline - time.monotonic()))
            status, event, request = self._pull(milliseconds(left))
            if event is not None:
                if request is not None:
                    self._answer(request)
                return event
            if status == c.DONE:
                self._finish()
            elif deadline is not None and time.monotonic() >= deadline:
                break
        return None

    def wait(self) -> tuple[Record, ...]:
        """Runs to the end, for a host that needs no events, and gives the records."""
        for _ in self:
            pass
        return self.records

    def close(self) -> None:
        """Stops a run that is not over, at once and without ``after_all``, and waits for its
        commands to end: for their grace time and 5 seconds more at most."""
        with self._lock:
            if self._pulling:
                self._closing = True
                return
            handle, self._handle = self._handle, None
            if handle is not None:
                lib.tinyci_run_free(handle)
        _live.discard(self)

    async def aclose(self) -> None:
        """The same, without keeping the event loop waiting."""
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
            status, event, request = self._pull(0)
            if event is not None:
                if request is not None:
                    await self._answer_async(request)
                else:
                    # Events that come fast leave other tasks their turn.
                    await asyncio.sleep(0)
                return event
            if status == c.DONE:
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
        """Stops a run that was dropped in its midst. Whoever drops it is not kept waiting."""
        handle = getattr(self, "_handle", None)
        if handle is not None:
            # Refused while the interpreter ends: then the process takes the run with it.
            with contextlib.suppress(RuntimeError):
                threading.Thread(target=lib.tinyci_run_free, args=(handle,), daemon=True).start()

    def __repr__(self) -> str:
        return f"<tinyci.Run {self._outcome or ('closed' if self.done else 'going on')}>"

    def _pull(self, timeout_ms: int) -> tuple[int, Event | None, Request | None]:
        """One call of the library, and a copy of what it gave."""
        event = request = None
        with self._lock:
            if self._handle is None:
                return c.DONE, None, None
            if self._pulling:
                raise RuntimeError("a signal handler pulled from the run that it interrupted")
            self._pulling = True
            try:
                out = ffi.new("tinyci_event **")
                status = call(lib.tinyci_run_next, self._handle, timeout_ms, out)
                if status == c.OK:
                    event = event_of(out[0])
                    request = request_of(out[0], event, self._turns)
            except Error as error:
                self._error = error
                self._closing = True
                # The host's own exception says more than that the host failed.
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
        return status, event, request

    def _finish(self) -> None:
        """Takes the records of a run that is over, and frees it."""
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
        """Raises what the host's functions raised: the first, once."""
        if self._failures:
            first = self._failures[0]
            self._failures.clear()
            raise first.noted(self._records or (), self._deployment)

    def _answer(self, request: Request) -> None:
        if isinstance(request, Command):
            self._execute(request)
            return
        with _failing(request, self._failures):
            result = request._ask(self._host)
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
            result = request._ask(self._host)
            request._reply(await result if inspect.isawaitable(result) else result)

    def _execute(self, command: Command) -> None:
        """Commands run beside the loop, which has to pass their output on."""
        threading.Thread(
            target=_run_command,
            args=(command, self._host, self._failures),
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
    """What a function of the host raised, and where."""

    def __init__(self, error: Exception, request: Request) -> None:
        self._error = error
        self._commit, self._step = request.commit, request.step

    def noted(
        self, records: Sequence[Record], deployment: dict[str, Any] | None
    ) -> Exception:
        """The exception, with a note of what the record made of it."""
        said = (deployment or {}).get("reason")
        for record in records:
            if record.commit == self._commit:
                said = next((it.error for it in record.steps if it.name == self._step), None)
        if said:
            # What add_note() does, which Python has from 3.11 on; an older one does not show it.
            notes = self._error.__dict__.setdefault("__notes__", [])
            notes.append(f"tinyci: `{self._step}` of {self._commit[:10]}: {said}")
        return self._error


class _failing:
    """Answers a request whose function raises, and keeps what is to be raised after the run.

    What is no ``Exception``, such as Ctrl-C, goes on its way at once.
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


def _run_command(command: Command, host: Host, failures: list[_Failure]) -> None:
    with _failing(command, failures):
        try:
            command._reply(command._ask(host))
        except Error as error:
            # The executor was told that nobody waits for its command any more, and left.
            if error.status != "canceled" or not command.canceled:
                raise


#: The runs that were not closed. They are stopped before the interpreter ends, so that no command
#: outlives it.
_live: weakref.WeakSet[Run] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for run in list(_live):
        run.close()


def _renew_locks() -> None:
    """In a forked child: a lock may be held by a thread that was not forked along."""
    for run in list(_live):
        run._lock = threading.RLock()
        run._turns = threading.Condition()
        run._pulling = False


os.register_at_fork(after_in_child=_renew_locks)


def start(
    function: Any,
    engine: Pointer,
    arguments: Sequence[Any],
    host: Host,
    cancel: CancelToken | None,
) -> Run:
    """Calls one of the functions that start a run."""
    token = CancelToken() if cancel is None else cancel
    out = ffi.new("tinyci_run **")
    call(function, engine, *arguments, token._handle, out)
    return Run(out[0], host, token)
