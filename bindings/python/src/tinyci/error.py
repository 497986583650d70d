"""The exceptions: :class:`Error` by tinyci, :class:`Refusal` by the program's callbacks."""

from __future__ import annotations


class Error(Exception):
    """A failed call: tinyci could not do what the program asked for. A failed build is not an
    error.

    ``code`` is the kind of error, such as ``not_found``, ``not_a_repo``, ``config`` or ``busy``.
    ``str(error)`` is ``message``, which contains file, line and causes.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        causes: tuple[str, ...] = (),
        host_code: int = 0,
    ) -> None:
        super().__init__(code, message)
        #: The kind of error, such as ``busy``; ``unknown(-99)`` for one of a later version.
        self.code = code
        #: The complete message for a person.
        self.message = message
        #: The file or repository that the error is about, or None.
        self.file = file
        #: The line of the config, script or template, from 1, or None.
        self.line = line
        #: The column in that line in characters, from 1, or None.
        self.column = column
        #: The causes at the end of the message, nearest first.
        self.causes = causes
        #: The code of the :class:`Refusal` that caused the error; else 0.
        self.host_code = host_code

    def __str__(self) -> str:
        return self.message


class Refusal(Exception):
    """The exception with which a callback says no.

    The step fails with this message, unless a script catches it. Any other exception is a fault of
    the
    program: no script catches it, the commit gets no verdict, and the loop raises the exception.
    """

    def __init__(self, message: str = "", code: int = 0) -> None:
        super().__init__(message, code)
        #: Why, for the record.
        self.message = message
        #: A number of your choice, which the record shows after the message; 0 for none.
        self.code = code

    def __str__(self) -> str:
        return self.message
