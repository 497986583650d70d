"""What a run asks its host for, and the answers.

Each request is taken from its event, given to the host's function, and answered once. One that is
dropped without an answer fails its step.
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
#: How long a full run is waited for before it is looked at again whether it was canceled.
_TURN_SECONDS = 0.1


class Request:
    """Something that a run asks its host for. What it says outlives the answer."""

    def __init__(self, pointer: Pointer) -> None:
        self._lock = threading.Lock()
        self._handle: Pointer = owned(pointer, lib.tinyci_request_free)
        #: The hook's name, the function's, the secret's, or the command's text.
        self.name = string(lib.tinyci_request_name(pointer))
        #: The full id of the commit in work.
        self.commit = string(lib.tinyci_request_commit(pointer))
        #: The attempt that asks: the ``job`` of its events.
        self.job = string(lib.tinyci_request_job_id(pointer))
        #: The phase or hook that asks.
        self.step = string(lib.tinyci_request_step(pointer))
        #: The branch of a script's ``parallel``, or its group, that asks.
        self.label = optional_string(lib.tinyci_request_label(pointer))
        #: The folder that holds the commit's tree.
        self.export_dir = pathlib.Path(path_string(lib.tinyci_request_export_dir(pointer)))

    @property
    def canceled(self) -> bool:
        """Whether nobody waits for the answer any more, so that long work can end early."""
        with self._lock:
            return self._handle is None or bool(lib.tinyci_request_canceled(self._handle))

    def _use(self, function: Callable[..., int], *arguments: Any) -> int:
        """Calls what leaves the request as it is."""
        with self._lock:
            if self._handle is None:
                raise Error("canceled", f"the request for `{self.name}` was answered already")
            return call(function, self._handle, *arguments)

    def _answer(self, function: Callable[..., int], *arguments: Any) -> None:
        """Calls what takes the request for good."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is None:
            return
        ffi.gc(handle, None)
        try:
            call(function, handle, *arguments)
        except Error as error:
            if error.status != "canceled":
                raise

    def _ask(self, host: Host) -> Any:
        """Calls the host's function: what it gives, or is still to be awaited."""
        raise NotImplementedError

    def _reply(self, result: Any) -> None:
        """Answers with what the host's function gave."""
        raise NotImplementedError

    def _fail(self, error: BaseException) -> None:
        """Answers that the host's function raised this: a refusal, or a fault of the host's."""
        if isinstance(error, Refusal):
            answer, message, code = lib.tinyci_request_fail, error.message, error.code
        else:
            answer, message, code = lib.tinyci_request_abort, f"{type(error).__name__}: {error}", 0
        self._answer(answer, message.replace("\0", "").encode(errors="replace"), code)

    def __repr__(self) -> str:
        return f"<tinyci.{type(self).__name__} {self.name!r} of {self.commit[:12]}>"


class Variables(Mapping[str, str]):
    """What a hook has set. Commands from there on can use it as ``<%= name %>``."""

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
    """A point of a run at which the host is called. What is raised fails the step."""

    def __init__(self, pointer: Pointer, outcome: str | None) -> None:
        super().__init__(pointer)
        #: What is known of the commit so far: ``success`` until something failed.
        self.outcome = outcome
        #: Variables for the commands that follow: ``hook.vars["release"] = "42"``.
        self.vars = Variables(self)
        self._skipped: tuple[str | None] | None = None

    def skip(self, reason: str | None = None) -> None:
        """Has what the config holds for this hook left out, once the function has returned."""
        self._skipped = (reason,)

    def _ask(self, host: Host) -> Any:
        return host.hooks[self.name](self)

    def _reply(self, result: Any) -> None:
        if self._skipped is None:
            self._answer(lib.tinyci_request_ok)
        else:
            self._answer(lib.tinyci_request_skip, optional_text(self._skipped[0]))


class FunctionCall(Request):
    """A script calls a function of the host's."""

    def __init__(self, pointer: Pointer) -> None:
        super().__init__(pointer)
        count = lib.tinyci_request_arg_count(pointer)
        #: The arguments: None, bool, int, float, str, list or dict.
        self.arguments = tuple(_argument(pointer, index) for index in range(count))

    def _ask(self, host: Host) -> Any:
        function = host.functions[self.name]
        first = (self,) if function.pass_call else ()
        return function.call(*first, *self.arguments)

    def _reply(self, result: Any) -> None:
        if result is None:
            self._answer(lib.tinyci_request_return_null)
        elif isinstance(result, bool):
            self._answer(lib.tinyci_request_return_bool, int(result))
        elif isinstance(result, int):
            if result not in _INTEGERS:
                raise OverflowError(f"{self.name} gave {result}, which is more than 64 bits hold")
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
    # Not arg_string for texts: JSON keeps a NUL.
    return json.loads(string(lib.tinyci_request_arg_json(request, index)))


class Secret(Request):
    """The value of a secret is asked for; ``name`` says of which."""

    def _ask(self, host: Host) -> Any:
        if isinstance(host.secrets, Mapping):
            return host.secrets.get(self.name)
        assert host.secrets is not None
        return host.secrets(self)

    def _reply(self, result: Any) -> None:
        if result is None:
            self._answer(lib.tinyci_request_return_null)
            return
        if not isinstance(result, (str, bytes)):
            raise TypeError(f"a secret is a text or bytes, not {type(result).__name__}")
        data = result if isinstance(result, bytes) else result.encode()
        self._answer(lib.tinyci_request_return_bytes, data, len(data))


class Approval(Request):
    """A deployment is to be approved of; ``name`` is the environment."""

    def __init__(self, pointer: Pointer) -> None:
        super().__init__(pointer)
        #: What a script asks the person who decides; None where the config only wants somebody.
        self.question = optional_string(lib.tinyci_request_question(pointer))

    def _ask(self, host: Host) -> Any:
        assert host.approvals is not None
        return host.approvals(self)

    def _reply(self, result: Any) -> None:
        if result is None or result is False:
            self._answer(lib.tinyci_request_return_null)
        elif result is True:
            self._answer(lib.tinyci_request_ok)
        else:
            self._answer(lib.tinyci_request_return_string, text(result))


class Command(Request):
    """A command for the host's executor, which is called on a thread of its own."""

    def __init__(self, pointer: Pointer, turns: threading.Condition) -> None:
        super().__init__(pointer)
        self._turns = turns
        said = json.loads(string(lib.tinyci_request_command_json(pointer)))
        #: What to run, ready for ``subprocess``.
        self.args: list[str] = said.get("argv") or ["/bin/sh", "-c", said["shell"]]
        #: The text for ``/bin/sh -c``; None where a program is to be run as it is.
        self.shell: str | None = said.get("shell")
        #: The working folder.
        self.cwd: str = said["cwd"]
        #: The whole environment, ready for ``subprocess``: nothing of the host's own beside it.
        self.env: dict[str, str] = said["env"]
        for pair in said.get("env_hex", []):
            name, value = (os.fsdecode(bytes.fromhex(digits)) for digits in pair)
            self.env[name] = value
        #: How far it is to stand back when others need the processor: 0 to 19.
        self.nice: int = said.get("nice", 0)
        #: What to give it on its standard input.
        self.input: bytes = (
            bytes.fromhex(said["input_hex"])
            if "input_hex" in said
            else said.get("input", "").encode()
        )
        #: How many seconds it may still take; None without limit.
        self.timeout: float | None = said["timeout_ms"] / 1000 if "timeout_ms" in said else None
        #: Whether the two output streams are to be told apart.
        self.split: bool = said.get("output") == "split"

    def write(self, data: bytes, stream: str = "stdout") -> None:
        """Passes on what the command wrote. Waits while the run's loop is behind.

        Raises an :class:`Error` ``canceled`` if nobody waits for the command any more: end it.
        """
        number = number_of(_STREAMS, stream, "stream")
        # Nothing is lost between the answer and the wait: the loop rings under the same lock.
        with self._turns:
            while self._use(lib.tinyci_request_command_output, number, data, len(data)) == c.AGAIN:
                self._turns.wait(_TURN_SECONDS)

    def _ask(self, host: Host) -> Any:
        assert host.executor is not None
        return host.executor(self)

    def _reply(self, result: Any) -> None:
        if not isinstance(result, int) or isinstance(result, bool):
            raise TypeError(f"an executor gives an exit code, not {type(result).__name__}")
        code, signal = (result, 0) if result >= 0 else (0, -result)
        self._answer(lib.tinyci_request_command_finish, code, signal)


@dataclass(frozen=True)
class Function:
    """A function that the host lends to scripts, where more is to be said than what it does.

    How many arguments it takes, and its documentation, are read off the function itself unless
    they are given.
    """

    #: Called with the script's arguments; gives None, bool, int, float, str, list or dict.
    call: Callable[..., Any]
    #: What calling it does to the world: ``pure`` and ``control`` are called by a plan too,
    #: ``external`` is only listed there.
    effect: str = "external"
    #: How many arguments it takes at least, and at most: 8 or fewer.
    min_args: int | None = None
    max_args: int | None = None
    #: A sentence for the reference of the script language.
    doc: str | None = None
    #: Whether its first argument is to be the :class:`FunctionCall`.
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
        """The first line of the function's own documentation, if none is given."""
        own = inspect.getdoc(self.call) if self.doc is None else self.doc
        return own.strip().partition("\n")[0] if own else None


HookFunction: TypeAlias = Callable[[Hook], object]
SecretFunction: TypeAlias = Callable[[Secret], object]
ApprovalFunction: TypeAlias = Callable[[Approval], object]
Executor: TypeAlias = Callable[[Command], int]


@dataclass(frozen=True)
class Host:
    """The functions of the host that answer an engine's requests."""

    hooks: Mapping[str, HookFunction] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    secrets: Mapping[str, str | bytes] | SecretFunction | None = None
    approvals: ApprovalFunction | None = None
    executor: Executor | None = None


def request_of(event: Pointer, read: Event, turns: threading.Condition) -> Request | None:
    """Takes the request of an event. One of a kind that is not known is left, and fails."""
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
