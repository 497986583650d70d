"""Which commits to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ._library import lib
from ._native import NULL, Pointer, call, milliseconds, owned, path, text
from .pipeline import Pipeline


@dataclass(frozen=True)
class Selection:
    """Which commits to look at: without anything, all that is pending.

    Plain data, looked up when it is used. Wherever one is asked for a text names a revision:
    ``engine.run("main~2")``.
    """

    #: Commits, in any of git's revision syntax. What is named is due whatever refs say.
    revisions: Iterable[str] = ()
    #: Ranges in git's syntax, such as ``v1.0..main``.
    ranges: Iterable[str] = ()
    #: Refs that were pushed: the old id, the new one, and the ref's name.
    updates: Iterable[tuple[str, str, str | bytes]] = ()
    #: What a ``post-receive`` hook reads on its standard input.
    hook_lines: str | bytes = ""
    #: What was said with the push, ``git push -o``: ``ci.skip`` leaves what it brought untested.
    push_options: Iterable[str] = ()
    #: How many seconds to follow another run in the same repository before ``busy`` is raised;
    #: None for as long as it takes.
    wait: float | None = 0
    #: Whether commits that are named run again though they have a verdict.
    retry: bool = False
    #: Whether such a retry may make the build anew of a commit that is deployed, in the place of
    #: what runs.
    replace_live: bool = False
    #: Whether to look under the baseline too, which holds what was there before tinyci.
    all_history: bool = False
    #: The output that plans of named commits assume of commands, by globs over the commands; the
    #: first that matches applies.
    assume: Mapping[str, str] = field(default_factory=dict)
    #: What to judge every selected commit by, instead of its own config.
    pipeline: Pipeline | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ("revisions", "ranges", "push_options"):
            value = getattr(self, name)
            # A lone text is one, not its letters.
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
