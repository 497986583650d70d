"""The requests of a run, and their answers.

Each request is taken from its event, passed to a callback, and answered once. If a request is
dropped without an answer, its step fails.
"""

from __future__ import annotations

import inspect
import json
import os
import pathlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from . import _constants as c
from ._library import ffi, lib
from ._native import (
    Pointer,
    call,
    number_of,
    optional_string,
    optional_text,
    owned,
    path_string,
    string,
    text,
)
from .error import Error, Refusal
from .event import Event

_STREAMS = c.NAMES["stream"]
_INTEGERS = range(-(2**63), 2**63)
#: How often a write checks for cancellation while the event buffer is full, in seconds.
_TURN_SECONDS = 0.1


class Request:
    """One call of a callback. Its fields stay valid after the answer."""

    def __init__(self, pointer: Pointer) -> None:
        self._lock = threading.Lock()
        self._handle: Pointer = owned(pointer, lib.tinyci_request_free)
        #: The name of the hook, function, secret or environment, or the command.
        self.name = string(lib.tinyci_request_name(pointer))
        #: The full id of the commit that is being tested or deployed.
        self.commit = string(lib.tinyci_request_commit(pointer))
        #: The id of the job, as in its events.
        self.job_id = string(lib.tinyci_request_job_id(pointer))
        #: The step that the request comes from.
        self.step = string(lib.tinyci_request_step(pointer))
        #: The task of a script's ``parallel``, or the group, that the request comes from, or None.
        self.label = optional_string(lib.tinyci_request_label(pointer))
        #: The directory with the commit's files.
        self.export_dir = pathlib.Path(path_string(lib.tinyci_request_export_dir(pointer)))

    @property
    def canceled(self) -> bool:
        """True if the answer is no longer needed, so that long work can end early."""
        with self._lock:
            return self._handle is None or bool(lib.tinyci_request_canceled(self._handle))

    def _use(self, function: Callable[..., int], *arguments: Any) -> int:
        """Calls a function that keeps the request pending."""
        with self._lock:
            if self._handle is None:
                raise Error("canceled", f"the request for `{self.name}` was answered already")
            return call(function, self._handle, *arguments)

    def _answer(self, function: Callable[..., int], *arguments: Any) -> None:
        """Calls a function that consumes the request."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is None:
            return
        ffi.gc(handle, None)
        try:
            call(function, handle, *arguments)
        except Error as error:
            if error.code != "canceled":
                raise

    def _ask(self, handlers: Handlers) -> Any:
        """Calls the callback. The result may have to be awaited."""
        raise NotImplementedError

    def _reply(self, result: Any) -> None:
        """Answers with the result of the callback."""
        raise NotImplementedError

    def _fail(self, error: BaseException) -> None:
        """Answers with the exception of the callback: a refusal, or a fault of the program."""
        if isinstance(error, Refusal):
            answer, message, code = lib.tinyci_request_fail, error.message, error.code
        else:
            answer, message, code = lib.tinyci_request_abort, f"{type(error).__name__}: {error}", 0
        self._answer(answer, message.replace("\0", "").encode(errors="replace"), code)

    def __repr__(self) -> str:
        return f"<tinyci.{type(self).__name__} {self.name!r} of {self.commit[:12]}>"


class Variables(Mapping[str, str]):
    """The variables that a hook callback has set. All later commands can use them as
    placeholders."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._values: dict[str, str] = {}

    def __setitem__(self, name: str, value: str) -> None:
        self._hook._use(lib.tinyci_request_set_var, text(name), text(value))
        self._values[name] = value

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)


class Hook(Request):
    """One call of a hook callback. If the callback raises, the step fails."""

    def __init__(self, pointer: Pointer, outcome: str | None) -> None:
        super().__init__(pointer)
        #: The outcome of the commit so far: ``success`` until something fails.
        self.outcome = outcome
        #: Variables for all later commands: ``hook.vars["release"] = "42"``.
        self.vars = Variables(self)
        self._skipped: tuple[str | None] | None = None

    def skip(self, reason: str | None = None) -> None:
        """Keeps the config's own hook from running, if the callback returns."""
        self._skipped = (reason,)

    def _ask(self, handlers: Handlers) -> Any:
        return handlers.hooks[self.name](self)

    def _reply(self, result: Any) -> None:
        if self._skipped is None:
            self._answer(lib.tinyci_request_ok)
        else:
            self._answer(lib.tinyci_request_skip, optional_text(self._skipped[0]))


class FunctionCall(Request):
    """One call of a registered function by a script."""

    def __init__(self, pointer: Pointer) -> None:
        super().__init__(pointer)
        count = lib.tinyci_request_arg_count(pointer)
        #: The arguments: None, bool, int, float, str, list or dict.
        self.arguments = tuple(_argument(pointer, index) for index in range(count))

    def _ask(self, handlers: Handlers) -> Any:
        function = handlers.functions[self.name]
        first = (self,) if function.pass_call else ()
        return function.call(*first, *self.arguments)

    def _reply(self, result: Any) -> None:
        if result is None:
            self._answer(lib.tinyci_request_return_null)
        elif isinstance(result, bool):
            self._answer(lib.tinyci_request_return_bool, int(result))
        elif isinstance(result, int):
            if result not in _INTEGERS:
                raise OverflowError(f"{self.name} returned {result}, which exceeds 64 bits")
            self._answer(lib.tinyci_request_return_int, result)
        elif isinstance(result, float):
            self._answer(lib.tinyci_request_return_float, result)
        elif isinstance(result, str) and "\0" not in result:
            self._answer(lib.tinyci_request_return_string, text(result))
        else:
            data = json.dumps(result, allow_nan=False)
            self._answer(lib.tinyci_request_return_json, data.encode())


def _argument(request: Pointer, index: int) -> Any:
    kind = lib.tinyci_request_arg_kind(request, index)
    if kind == c.VALUE_NULL:
        return None
    if kind == c.VALUE_BOOL:
        return bool(lib.tinyci_request_arg_int(request, index))
    if kind == c.VALUE_INT:
        return lib.tinyci_request_arg_int(request, index)
    if kind == c.VALUE_FLOAT:
        return lib.tinyci_request_arg_float(request, index)
    # Not arg_string for strings: JSON keeps a NUL.
    return json.loads(string(lib.tinyci_request_arg_json(request, index)))


class Secret(Request):
    """A request for the value of the secret ``name``."""

    def _ask(self, handlers: Handlers) -> Any:
        if isinstance(handlers.secrets, Mapping):
            return handlers.secrets.get(self.name)
        assert handlers.secrets is not None
        return handlers.secrets(self)

    def _reply(self, result: Any) -> None:
        if result is None:
            self._answer(lib.tinyci_request_return_null)
            return
        if not isinstance(result, (str, bytes)):
            raise TypeError(f"expected a secret as str or bytes, got {type(result).__name__}")
        data = result if isinstance(result, bytes) else result.encode()
        self._answer(lib.tinyci_request_return_bytes, data, len(data))


class Approval(Request):
    """A deployment to the environment ``name`` that needs an approval."""

    def __init__(self, pointer: Pointer) -> None:
        super().__init__(pointer)
        #: The question that a script asks the approver; None if the config only requires an
        #: approval.
        self.question = optional_string(lib.tinyci_request_question(pointer))

    def _ask(self, handlers: Handlers) -> Any:
        assert handlers.approvals is not None
        return handlers.approvals(self)

    def _reply(self, result: Any) -> None:
        if result is None or result is False:
            self._answer(lib.tinyci_request_return_null)
        elif result is True:
            self._answer(lib.tinyci_request_ok)
        else:
            self._answer(lib.tinyci_request_return_string, text(result))


class Command(Request):
    """A command for the program's executor, which is called on a separate thread."""

    def __init__(self, pointer: Pointer, turns: threading.Condition) -> None:
        super().__init__(pointer)
        self._turns = turns
        read = json.loads(string(lib.tinyci_request_command_json(pointer)))
        #: The program and its arguments, ready for ``subprocess``.
        self.args: list[str] = read.get("argv") or ["/bin/sh", "-c", read["shell"]]
        #: The script for ``/bin/sh -c``; None if the command is a program with arguments.
        self.shell: str | None = read.get("shell")
        #: The working directory.
        self.cwd: str = read["cwd"]
        #: The complete environment, ready for ``subprocess``. Pass no other variables.
        self.env: dict[str, str] = read["env"]
        for pair in read.get("env_hex", []):
            name, value = (os.fsdecode(bytes.fromhex(digits)) for digits in pair)
            self.env[name] = value
        #: The niceness of the command, 0 to 19; see nice(1).
        self.nice: int = read.get("nice", 0)
        #: The standard input.
        self.input: bytes = (
            bytes.fromhex(read["input_hex"])
            if "input_hex" in read
            else read.get("input", "").encode()
        )
        #: The time that is left, in seconds; None for no limit.
        self.timeout: float | None = read["timeout_ms"] / 1000 if "timeout_ms" in read else None
        #: True if stdout and stderr must be passed on separately.
        self.split: bool = read.get("output") == "split"

    def write(self, data: bytes, stream: str = "stdout") -> None:
        """Passes on output of the command. Blocks while the event buffer is full.

        Raises an :class:`Error` with the code ``canceled`` if the command must end.
        """
        number = number_of(_STREAMS, stream, "stream")
        # The loop notifies under the same lock, so no notification is lost between call and wait.
        with self._turns:
            while self._use(lib.tinyci_request_command_output, number, data, len(data)) == c.AGAIN:
                self._turns.wait(_TURN_SECONDS)

    def _ask(self, handlers: Handlers) -> Any:
        assert handlers.executor is not None
        return handlers.executor(self)

    def _reply(self, result: Any) -> None:
        if not isinstance(result, int) or isinstance(result, bool):
            raise TypeError(f"expected an exit code of an executor, got {type(result).__name__}")
        code, signal = (result, 0) if result >= 0 else (0, -result)
        self._answer(lib.tinyci_request_command_finish, code, signal)


@dataclass(frozen=True)
class Function:
    """A function for scripts, with more settings than a callable has.

    The number of arguments and the documentation are those of the callable, unless you set them.
    """

    #: Called with the script's arguments. Returns None, bool, int, float, str, list or dict.
    call: Callable[..., Any]
    #: ``pure`` (computes or reads), ``control`` (directs the script) or ``external`` (changes
    #: something). A dry run calls the first two, and only lists calls of the third.
    effect: str = "external"
    #: The minimum and maximum number of arguments, at most 8.
    min_args: int | None = None
    max_args: int | None = None
    #: One sentence for the script reference.
    doc: str | None = None
    #: True if the first argument is the :class:`FunctionCall`.
    pass_call: bool = False

    def arity(self) -> tuple[int, int]:
        if self.min_args is not None and self.max_args is not None:
            return self.min_args, self.max_args
        least = most = -1 if self.pass_call else 0
        for parameter in inspect.signature(self.call).parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                most = 8
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                most += 1
                least += parameter.default is parameter.empty
        return (
            least if self.min_args is None else self.min_args,
            min(most, 8) if self.max_args is None else self.max_args,
        )

    def sentence(self) -> str | None:
        """Returns ``doc``, or the first line of the function's docstring."""
        own = inspect.getdoc(self.call) if self.doc is None else self.doc
        return own.strip().partition("\n")[0] if own else None


HookFunction: TypeAlias = Callable[[Hook], object]
SecretFunction: TypeAlias = Callable[[Secret], object]
ApprovalFunction: TypeAlias = Callable[[Approval], object]
Executor: TypeAlias = Callable[[Command], int]


@dataclass(frozen=True)
class Handlers:
    """The callbacks that answer an engine's requests."""

    hooks: Mapping[str, HookFunction] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    secrets: Mapping[str, str | bytes] | SecretFunction | None = None
    approvals: ApprovalFunction | None = None
    executor: Executor | None = None


def request_of(event: Pointer, read: Event, turns: threading.Condition) -> Request | None:
    """Takes the request of an event. A request of an unknown kind is not taken, and fails."""
    kind = lib.tinyci_event_kind(event)
    if kind == c.EVENT_HOOK:
        return Hook(lib.tinyci_event_take_request(event), read.outcome)
    if kind == c.EVENT_FUNCTION:
        return FunctionCall(lib.tinyci_event_take_request(event))
    if kind == c.EVENT_SECRET:
        return Secret(lib.tinyci_event_take_request(event))
    if kind == c.EVENT_APPROVAL:
        return Approval(lib.tinyci_event_take_request(event))
    if kind == c.EVENT_COMMAND:
        return Command(lib.tinyci_event_take_request(event), turns)
    return None
