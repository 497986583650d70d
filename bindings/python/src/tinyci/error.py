"""What is raised: :class:`Error` by tinyci, :class:`Refusal` by the host's own functions."""

from __future__ import annotations


class Error(Exception):
    """tinyci could not do what it was asked to do. A red build is no error, but an outcome.

    ``status`` is the kind in small letters: ``not_found``, ``not_a_repo``, ``config``, ``busy``.
    ``str(error)`` is ``message``, which holds file, line and causes already.
    """

    def __init__(
        self,
        status: str,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        causes: tuple[str, ...] = (),
        host_code: int = 0,
    ) -> None:
        super().__init__(status, message)
        #: The kind of error, such as ``busy``; ``unknown(-99)`` for one of a later version.
        self.status = status
        #: The whole of it for a person.
        self.message = message
        #: The file or repository that was met.
        self.file = file
        #: The line of the config, script or template, from 1.
        self.line = line
        #: The column in that line in characters, from 1.
        self.column = column
        #: What the message ends with, the nearest cause first.
        self.causes = causes
        #: The number that a :class:`Refusal` gave, where that is what went wrong; else 0.
        self.host_code = host_code

    def __str__(self) -> str:
        return self.message


class Refusal(Exception):
    """Raised by a hook, function, secret, approval or executor of the host to say no.

    Its step fails with this message, unless a script catches it. Any other exception is a mistake
    of the host's code: no script catches that, the commit gets no verdict, and the exception is
    raised out of the loop.
    """

    def __init__(self, message: str = "", code: int = 0) -> None:
        super().__init__(message, code)
        #: Why, for the record.
        self.message = message
        #: A number of the host's own, which stands in the record behind the message; 0 for none.
        self.code = code

    def __str__(self) -> str:
        return self.message
