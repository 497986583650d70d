"""Selects commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ._library import lib
from ._native import NULL, Pointer, call, milliseconds, owned, path, text
from .pipeline import Pipeline


@dataclass(frozen=True)
class Selection:
    """Selects commits. By default, all pending commits.

    Plain data, which is resolved when it is used. A string can take its place and names a revision:
    ``engine.run("main~2")``.
    """

    #: Commits, in git's revision syntax. A named commit is pending even if no selected ref reaches
    #: it.
    revisions: Iterable[str] = ()
    #: Ranges in git's syntax, such as ``v1.0..main``.
    ranges: Iterable[str] = ()
    #: Pushed refs: old id, new id, name of the ref.
    updates: Iterable[tuple[str, str, str | bytes]] = ()
    #: The input of a ``post-receive`` hook.
    hook_lines: str | bytes = ""
    #: The options of ``git push -o``. With ``ci.skip`` the pushed commits are not tested.
    push_options: Iterable[str] = ()
    #: How many seconds to follow another run in the repository before ``busy`` is raised; None for
    #: no limit.
    wait: float | None = 0
    #: True to test named commits again that have a verdict or are out of attempts.
    retry: bool = False
    #: True to allow a retry to replace the build of a commit that is deployed.
    replace_live: bool = False
    #: True to include the commits below the baseline, which are older than the use of tinyci.
    all_history: bool = False
    #: The output that a dry run assumes of commands, by globs over the commands. The first match
    #: applies.
    assume: Mapping[str, str] = field(default_factory=dict)
    #: Replaces the config of every selected commit.
    pipeline: Pipeline | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ("revisions", "ranges", "push_options"):
            value = getattr(self, name)
            # A single string is one value, not its characters.
            listed = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(self, name, listed)
        object.__setattr__(self, "updates", tuple(self.updates))

    def _pointer(self) -> Pointer:
        handle = owned(lib.tinyci_selection_new(), lib.tinyci_selection_free)
        for revision in self.revisions:
            call(lib.tinyci_selection_add_revision, handle, text(revision))
        for commits in self.ranges:
            call(lib.tinyci_selection_add_range, handle, text(commits))
        for old, new, ref in self.updates:
            call(lib.tinyci_selection_add_update, handle, text(old), text(new), path(ref))
        if self.hook_lines:
            lines = self.hook_lines
            data = lines if isinstance(lines, bytes) else lines.encode()
            call(lib.tinyci_selection_add_hook_lines, handle, data, len(data))
        for option in self.push_options:
            call(lib.tinyci_selection_add_push_option, handle, text(option))
        call(lib.tinyci_selection_set_wait_ms, handle, milliseconds(self.wait))
        call(lib.tinyci_selection_set_retry, handle, int(self.retry))
        call(lib.tinyci_selection_set_replace_live, handle, int(self.replace_live))
        call(lib.tinyci_selection_set_all_history, handle, int(self.all_history))
        for command, output in self.assume.items():
            call(lib.tinyci_selection_add_assumption, handle, text(command), text(output))
        if self.pipeline is not None:
            call(lib.tinyci_selection_set_pipeline, handle, self.pipeline._handle)
        return handle


def selection_pointer(selection: Selection | str | None) -> Pointer:
    if selection is None:
        return NULL
    if isinstance(selection, str):
        selection = Selection((selection,))
    return selection._pointer()
