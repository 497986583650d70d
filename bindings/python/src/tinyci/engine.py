"""The engine: one repository's continuous integration, and what it is set to."""

from __future__ import annotations

import json
import os
import pathlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, final

from . import _constants as c
from ._library import ffi, lib
from ._native import (
    NULL,
    Pointer,
    call,
    made_bytes,
    made_json,
    made_text,
    make,
    milliseconds,
    number_of,
    optional_text,
    owned,
    path_string,
    string,
    text,
)
from ._native import path as path_bytes
from .cancel import CancelToken, cancel_pointer
from .pipeline import Pipeline, definitions, source_and_format
from .record import Commit, Record, each_commit, each_record, outcome_number
from .request import ApprovalFunction, Executor, Function, HookFunction, Host, SecretFunction
from .run import Run, start
from .selection import Selection, selection_pointer

_EFFECTS = c.NAMES["effect"]

#: A value of ``git config``; several for a key that has many.
Setting = str | int | Sequence[str]
Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


@final
class Engine:
    """One repository's continuous integration: finds the commits without a verdict, runs them, and
    keeps what became of them in git notes. :func:`tinyci.open` makes one.

    Any number of threads may use it at once. It holds no lock and no open file between calls;
    :meth:`close`, or leaving its ``with`` block, only has it refuse further calls. What was made
    of it goes on.
    """

    def __init__(
        self,
        path: Path,
        *,
        refs: Iterable[str] = (),
        jobs: int | None = None,
        timeout: float | None = None,
        builds_dir: Path | None = None,
        log_limit: int | None = None,
        settings: Mapping[str, Setting] | None = None,
        env: Mapping[str, str | None] | None = None,
        vars: Mapping[str, str] | None = None,
        by: tuple[str, str] | None = None,
        hooks: Mapping[str, HookFunction] | None = None,
        functions: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str | bytes] | SecretFunction | None = None,
        approvals: ApprovalFunction | None = None,
        executor: Executor | None = None,
        discover: bool = False,
    ) -> None:
        """Opens exactly this repository: a bare one, the top of a work tree, or a ``.git`` folder.

        refs: patterns of full ref names whose commits are run, such as ``refs/heads/*``.
        jobs: how many commits are worked on at once.
        timeout: how many seconds one commit may take, ``after_all`` not counted.
        builds_dir: where build folders stand, below the repository's own folder unless absolute.
        log_limit: how many bytes of one build's output its log keeps.
        settings: what ``git config tinyci.<key> <value>`` would set, for this engine only.
        env: the environment of every command; None takes a variable of the host's out.
        vars: what every command can use as ``<%= name %>``.
        by: who acts, as records name it: name and address; else whom git's configuration
            names.
        hooks: called at points of every run, such as ``before_build``, before the config's own.
        functions: lent to scripts, as ``name`` or ``module::name``: a callable, or a
            :class:`Function` where more is to be said.
        secrets: their values by name, or what is asked for each and may give None, so that
            the folder of ``tinyci.secretsDir`` is looked into.
        approvals: asked where a deployment wants one and the repository holds none that counts; gives
            who approves, or True, or None, so that it waits. Where ``tinyci.approvers`` lists
            somebody, it is asked only if this process runs as an account there.
        executor: runs the commands instead of this machine, each on a thread of its own; gives the
            exit code, or the number of the signal below zero, as ``subprocess`` does.
        discover: open the nearest repository at the path or above it, as :func:`tinyci.discover`
            does.
        """
        lent = {
            name: function if isinstance(function, Function) else Function(function)
            for name, function in (functions or {}).items()
        }
        self._host = Host(dict(hooks or {}), lent, secrets, approvals, executor)
        options = owned(lib.tinyci_options_new(), lib.tinyci_options_free)
        for glob in (refs,) if isinstance(refs, str) else refs:
            call(lib.tinyci_options_add_ref, options, text(glob))
        if jobs is not None:
            call(lib.tinyci_options_set_jobs, options, jobs)
        if timeout is not None:
            call(lib.tinyci_options_set_job_timeout_ms, options, milliseconds(timeout))
        if builds_dir is not None:
            call(lib.tinyci_options_set_builds_dir, options, path_bytes(builds_dir))
        if log_limit is not None:
            call(lib.tinyci_options_set_log_limit, options, log_limit)
        for key, setting in (settings or {}).items():
            for value in _values(setting):
                call(lib.tinyci_options_set_setting, options, text(key), text(value))
        for name, content in (env or {}).items():
            call(lib.tinyci_options_set_env, options, text(name), optional_text(content))
        for name, value in (vars or {}).items():
            call(lib.tinyci_options_set_var, options, text(name), text(value))
        if by is not None:
            call(lib.tinyci_options_set_by, options, text(by[0]), text(by[1]))
        _ask_host(options, self._host)
        self._handle: Pointer | None = make(
            "tinyci_engine",
            lib.tinyci_engine_free,
            lib.tinyci_engine_discover if discover else lib.tinyci_engine_open,
            path_bytes(path),
            options,
        )

    @property
    def path(self) -> pathlib.Path:
        """The folder that holds ``builds/``: the bare repository, or the top of the work tree."""
        return pathlib.Path(path_string(lib.tinyci_engine_path(self._open_handle())))

    @property
    def is_bare(self) -> bool:
        """Whether the repository has no working tree."""
        return bool(lib.tinyci_engine_is_bare(self._open_handle()))

    def warnings(self) -> list[str]:
        """Warnings about the repository, for a person to read: unknown settings, a repository that
        was moved, paths that commands cannot use."""
        return self._lines(lib.tinyci_engine_warnings)

    def remote_url(self, remote: str | None = None) -> str:
        """The URL that pushes to a remote go to, ``origin`` for None."""
        return self._text(lib.tinyci_remote_url, optional_text(remote))

    def resolve(self, rev: str) -> str:
        """The full id of the commit that a revision names."""
        return self._text(lib.tinyci_resolve, text(rev))

    def commit(self, rev: str) -> Commit:
        """The commit that a revision names."""
        return self.commits([rev])[0]

    def commits(self, revs: Iterable[str]) -> list[Commit]:
        """The commits that revisions name, in their order. Many in one call are far cheaper than a
        call for each."""
        commits = make(
            "tinyci_commits",
            lib.tinyci_commits_free,
            lib.tinyci_commits_load,
            self._open_handle(),
            text("\n".join(revs)),
        )
        return list(each_commit(commits))

    def log(
        self,
        rev: str | None = None,
        *,
        lines: int | None = None,
        follow: bool = False,
        cancel: CancelToken | None = None,
    ) -> Run:
        """Reads a log, whose lines come as ``output``. Runs nothing, and has no records.

        rev: the commit whose last job's log is read; None for the log of all runs.
        lines: how many of the last lines to begin with; None for all.
        follow: continue with lines as they are written, until the job of the commit is over or the
            run is canceled.
        """
        first = -1 if lines is None else lines
        flags = follow * c.LOG_FOLLOW
        return self._start(lib.tinyci_log_start, optional_text(rev), first, flags, cancel)

    def run(
        self, selection: Selection | str | None = None, *, cancel: CancelToken | None = None
    ) -> Run:
        """Starts a run of the commits that are due. Iterate it; what keeps it from beginning, such
        as another run, is raised there."""
        return self._start(lib.tinyci_run_start, selection_pointer(selection), cancel)

    def follow(
        self, selection: Selection | str | None = None, *, cancel: CancelToken | None = None
    ) -> Run:
        """Follows a run of another process or thread: what it writes to the log comes as
        ``output``, until it ends or the selected commits have a verdict. Runs nothing itself, and
        has no records."""
        return self._start(lib.tinyci_follow_start, selection_pointer(selection), cancel)

    def run_step(
        self, rev: str, *steps: str, keep: bool = False, cancel: CancelToken | None = None
    ) -> Run:
        """Starts steps of one commit by hand, such as ``"build", "test"``, in an export of their own
        until one fails. Each command comes as ``output`` before it runs. Nothing is recorded; the
        run's one record says how the steps ended. ``keep`` leaves the export for a day."""
        flags = keep * c.STEPS_KEEP
        return self._start(lib.tinyci_steps_start, text(rev), text("\n".join(steps)), flags, cancel)

    def pending_commits(self, selection: Selection | str | None = None) -> list[Commit]:
        """The commits that are due, oldest first. Nothing is run."""
        commits = make(
            "tinyci_commits",
            lib.tinyci_commits_free,
            lib.tinyci_pending_commits,
            self._open_handle(),
            selection_pointer(selection),
        )
        return list(each_commit(commits))

    def records(
        self,
        selection: Selection | str | None = None,
        *,
        outcome: str | None = None,
        limit: int = 0,
    ) -> Iterator[Record]:
        """What is kept of earlier runs: of each commit the record that its verdict rests on, the
        newest commit first. ``limit`` 0 is all."""
        records = make(
            "tinyci_records",
            lib.tinyci_records_free,
            lib.tinyci_records_query,
            self._open_handle(),
            selection_pointer(selection),
            outcome_number(outcome),
            limit,
        )
        return each_record(records)

    def pipeline(self, rev: str) -> Pipeline:
        """The pipeline that a commit's config asks for."""
        return Pipeline(
            make(
                "tinyci_pipeline",
                lib.tinyci_pipeline_free,
                lib.tinyci_pipeline_load,
                self._open_handle(),
                text(rev),
            )
        )

    def export(self, rev: str, dir: Path, *, cancel: CancelToken | None = None) -> None:
        """Writes a commit's tree to a folder, which must not exist or be empty."""
        call(
            lib.tinyci_export_commit,
            self._open_handle(),
            text(rev),
            path_bytes(dir),
            cancel_pointer(cancel),
        )

    def artifacts(
        self, rev: str, paths: str | Iterable[str] = (), *, job: str | None = None
    ) -> dict[str, Any]:
        """The files that a job kept: what ``tinyci artifacts --json`` prints. ``paths`` names files,
        directories and globs; ``job`` a job in place of the newest that kept anything."""
        return self._report(lib.tinyci_artifacts_json, *_artifacts(rev, job, paths))

    def copy_artifacts(
        self,
        rev: str,
        dir: Path,
        paths: str | Iterable[str] = (),
        *,
        job: str | None = None,
        force: bool = False,
        cancel: CancelToken | None = None,
    ) -> dict[str, Any]:
        """Copies files that a job kept to a directory, each checked against the record. Files that
        exist are refused without ``force``. Gives the list of what was copied."""
        return self._report(
            lib.tinyci_artifacts_copy,
            *_artifacts(rev, job, paths),
            path_bytes(dir),
            force * c.ARTIFACTS_FORCE,
            cancel_pointer(cancel),
        )

    def plan(self, selection: Selection | str | None = None) -> dict[str, Any]:
        """What a run would do, without doing it: what ``tinyci plan --json`` prints."""
        return self._report(lib.tinyci_plan_json, selection_pointer(selection))

    def check(self, rev: str) -> dict[str, Any]:
        """What is wrong with a commit's config: what ``tinyci check --json`` prints."""
        return self._report(lib.tinyci_check_json, text(rev))

    def check_text(
        self, source: str, format: str, name: str, *, rev: str | None = None
    ) -> dict[str, Any]:
        """What is wrong with a config that is not committed yet, ``yaml`` or ``rhai``. A script
        imports from the commit ``rev``, or from the files below the engine's path."""
        return self._report(
            lib.tinyci_check_text_json,
            optional_text(rev),
            *source_and_format(source, format),
            text(name),
        )

    def definitions(self, format: str = "markdown") -> str:
        """The reference of the script API with this engine's functions, as ``json``, ``markdown`` or
        ``rhai``: what ``tinyci defs`` prints."""
        return definitions(format, engine=self)

    def test_pipeline(
        self,
        rev: str | None = None,
        *,
        dir: Path | None = None,
        filters: str | Iterable[str] = (),
        coverage: bool = False,
    ) -> dict[str, Any]:
        """Runs the tests of a script: what ``tinyci test-pipeline --json`` prints. Nothing of the
        script is run.

        rev: the commit whose script and tests are meant; None for the files of a directory.
        dir: the directory; None for the path that the engine was opened with.
        filters: parts of the names of the tests to run; none for all tests.
        coverage: find out which lines no test runs.
        """
        parts = "\n".join((filters,) if isinstance(filters, str) else filters)
        return self._report(
            lib.tinyci_test_pipeline_json,
            optional_text(rev),
            NULL if dir is None else path_bytes(dir),
            optional_text(parts or None),
            coverage * c.TEST_COVERAGE,
        )

    def unrecognized_lines(self, rev: str) -> list[str]:
        """The lines among a commit's records that tinyci cannot read: damaged ones, another
        program's, or forged ones."""
        return self._lines(lib.tinyci_unrecognized_lines, text(rev))

    def results(
        self,
        selection: Selection | str | None = None,
        *,
        outcome: str | None = None,
        limit: int = 0,
        all_attempts: bool = False,
    ) -> list[dict[str, Any]]:
        """What became of commits, newest first: what ``tinyci results --json`` prints."""
        flags = all_attempts * c.RESULTS_ALL_ATTEMPTS
        return self._report_lines(
            lib.tinyci_results_json,
            selection_pointer(selection),
            outcome_number(outcome),
            limit,
            flags,
        )

    def status(self) -> dict[str, Any]:
        """How the repository stands: what runs, what is due, the last verdicts, what is deployed
        where. What ``tinyci status --json`` prints."""
        return self._report(lib.tinyci_status_json)

    def settings(self) -> list[dict[str, Any]]:
        """Every setting that a repository can have, and what is set: what
        ``tinyci settings --json`` prints."""
        return self._report_lines(lib.tinyci_settings_json)

    def deployments(self, environment: str | None = None, *, limit: int = 0) -> list[dict[str, Any]]:
        """What was deployed, newest first: what ``tinyci deployments --json`` prints.

        What stands among the deployments and is none of tinyci's is told as a ``UserWarning``.
        """
        told = ffi.new("char **")
        try:
            deploys = self._report_lines(
                lib.tinyci_deployments_json, optional_text(environment), limit, told
            )
            for line in string(told[0]).splitlines():
                warnings.warn(line, stacklevel=2)
        finally:
            lib.tinyci_string_free(told[0])
        return deploys

    def deployed(self, environment: str | None = None) -> dict[str, Any] | None:
        """What is deployed to an environment now, ``production`` for None; None for nothing."""
        found = made_bytes(
            lib.tinyci_deployed_json, self._open_handle(), optional_text(environment)
        )
        deployment: dict[str, Any] | None = json.loads(found) if found else None
        return deployment

    def deploy_plan(
        self,
        environment: str | None = None,
        revision: str | None = None,
        *,
        rollback: bool = False,
        force: bool = False,
        bare: bool = False,
        by: tuple[str, str] | None = None,
        assume: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """What a deployment would do, without doing it. To be shown to a person, and then to be
        carried out as it is: ``engine.deploy(plan=plan)``. ``assume`` is the output of commands that
        a script asks for, by globs over the commands."""
        request = _deploy_request(revision, rollback, force, bare, by, None)
        for command, output in (assume or {}).items():
            call(lib.tinyci_deploy_request_add_assumption, request, text(command), text(output))
        return self._report(lib.tinyci_deploy_plan_json, optional_text(environment), request)

    def deploy(
        self,
        environment: str | None = None,
        revision: str | None = None,
        *,
        rollback: bool = False,
        force: bool = False,
        bare: bool = False,
        by: tuple[str, str] | None = None,
        plan: Mapping[str, Any] | None = None,
        cancel: CancelToken | None = None,
    ) -> Run:
        """Starts a deployment: the ``deploy`` of the commit's config. Iterate it; then its
        :attr:`Run.deployment` tells what came of it, also where it waits for an approval.

        environment: where to; the plan's, else ``production``.
        revision: the commit; the newest green one of the environment's branch that contains what is
            deployed.
        rollback: go back to what was deployed before.
        force: deploy also what is not green, which the record keeps.
        bare: deploy the commit's files at once, without what a build adds, which the record keeps.
        by: who deploys, by name and mail address; whom git's configuration names.
        plan: exactly what :meth:`deploy_plan` gave, and only if nothing else is deployed there by
            now; in the place of all before but ``by``.
        """
        request = _deploy_request(revision, rollback, force, bare, by, plan)
        return self._start(lib.tinyci_deploy_start, optional_text(environment), request, cancel)

    def rollback(self, environment: str | None = None, *, cancel: CancelToken | None = None) -> Run:
        """Starts going back to what was deployed before. Doing it again goes back further."""
        return self._start(lib.tinyci_rollback_start, optional_text(environment), cancel)

    def approve(self, environment: str | None, rev: str) -> dict[str, Any]:
        """Approves of one commit in one environment, ``production`` for None, with the config that
        it has. Gives what ``tinyci approve --json`` prints."""
        return self._report(lib.tinyci_approve, optional_text(environment), text(rev))

    def unlock_deployments(self, environment: str | None, reason: str) -> bool:
        """Says that somebody has looked at an environment, ``production`` for None, whose last
        deployment was interrupted, and why it can go on. Says whether it was locked."""
        return self._act(lib.tinyci_unlock_deployments, optional_text(environment), text(reason))

    def retire(self, environment: str | None = None) -> bool:
        """Puts on record that nothing runs in an environment any more, ``production`` for None, so
        that its builds are no longer pinned. Says whether that is new."""
        return self._act(lib.tinyci_retire, optional_text(environment))

    def install(
        self,
        command: str | None = None,
        *,
        hide_refs: bool = False,
        shared_hooks: bool = False,
        adopt_builds: bool = False,
    ) -> list[str]:
        """Installs the git hook that runs what is pushed. Gives lines that a person should see.

        command: what the hook runs, ``tinyci`` unless said.
        hide_refs: have pushes to the refs that hold verdicts refused.
        shared_hooks: install even into a folder that other repositories use too.
        adopt_builds: take the builds in ``tinyci.buildsDir`` over from a repository that is gone.
        """
        flags = (
            hide_refs * c.INSTALL_HIDE_REFS
            | shared_hooks * c.INSTALL_SHARED_HOOKS
            | adopt_builds * c.INSTALL_ADOPT_BUILDS
        )
        return self._lines(lib.tinyci_install, optional_text(command), flags)

    def uninstall(self) -> list[str]:
        """Takes the hook out again. Gives lines that a person should see."""
        return self._lines(lib.tinyci_uninstall)

    def compact(
        self, newest: int, *, leave: Iterable[str] = (), cancel: CancelToken | None = None
    ) -> dict[str, Any]:
        """Packs all but the newest builds into ``.tar.gz`` files. Gives what
        ``tinyci compact --json`` prints: ``not_removed`` names what could not be packed.

        ``leave`` names more builds to leave: names, paths of or in them, links, commits' ids.
        """
        lines = "\n".join((leave,) if isinstance(leave, str) else leave)
        return self._report(
            lib.tinyci_compact, newest, optional_text(lines or None), cancel_pointer(cancel)
        )

    def prune(
        self,
        *,
        keep: int | None = None,
        max_age: float | None = None,
        max_bytes: int | None = None,
        dry_run: bool = False,
        cancel: CancelToken | None = None,
    ) -> dict[str, Any]:
        """Removes old builds: all but the newest so many, those last run more than so many seconds
        ago, the oldest until the rest takes no more bytes. Without any rule, the repository's
        settings hold. Gives what ``tinyci prune --json`` prints: ``not_removed`` names what does
        not go."""
        return self._report(
            lib.tinyci_prune,
            -1 if keep is None else keep,
            milliseconds(max_age),
            -1 if max_bytes is None else max_bytes,
            dry_run * c.PRUNE_DRY_RUN,
            cancel_pointer(cancel),
        )

    def forget(self, rev: str) -> bool:
        """Takes a commit's verdict away, so that it is due again. Says whether it had one."""
        return self._act(lib.tinyci_forget, text(rev))

    def cancel(
        self,
        rev: str | None = None,
        *,
        reason: str | None = None,
        by: tuple[str, str] | None = None,
        kill: bool = False,
        wait: float | None = None,
        cancel: CancelToken | None = None,
    ) -> dict[str, Any]:
        """Ends the job of a commit in whatever process it is, or the whole run without one, and waits
        so many seconds until it has ended; None for as long as that takes. ``by`` is a name and an
        address; ``cancel`` ends the wait. A run of this process has to be iterated meanwhile. Gives
        what ``tinyci cancel --json`` prints."""
        return self._report(
            lib.tinyci_job_cancel,
            optional_text(rev),
            optional_text(reason),
            *_person(by),
            kill * c.JOB_CANCEL_KILL,
            milliseconds(wait),
            cancel_pointer(cancel),
        )

    def skip(
        self,
        rev: str,
        *,
        reason: str | None = None,
        by: tuple[str, str] | None = None,
        cancel: CancelToken | None = None,
    ) -> dict[str, Any]:
        """Gives a commit the verdict ``skipped``, so that it is not tested; a job of it is ended first.
        Gives the record, what ``tinyci skip --json`` prints."""
        return self._report(
            lib.tinyci_skip,
            text(rev),
            optional_text(reason),
            *_person(by),
            cancel_pointer(cancel),
        )

    def forget_all(self) -> dict[str, Any]:
        """Forgets the verdicts and records of all commits, and gives up what others deleted of
        tinyci's refs, which each run restores. Gives the refs, as ``tinyci results --forget-all
        --json`` prints them."""
        return self._report(lib.tinyci_forget_all)

    def setup_remote(self, remote: str | None = None) -> list[str]:
        """Has ``git fetch`` bring the verdicts of a remote, ``origin`` for None, and ``git log``
        show them. Gives the lines of git's configuration that are new."""
        return self._lines(lib.tinyci_setup_remote, optional_text(remote))

    def undo_setup_remote(self, remote: str | None = None) -> list[str]:
        """Takes those lines out again, and gives them."""
        return self._lines(lib.tinyci_undo_setup_remote, optional_text(remote))

    def merge_results(self, remote: str | None = None) -> bool:
        """Merges the verdicts and records that were last fetched of a remote into the repository's
        own. Says whether anything was new."""
        return self._act(lib.tinyci_merge_results, optional_text(remote))

    def close(self) -> None:
        """Has the engine refuse further calls. What was made of it goes on."""
        self._handle = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<tinyci.Engine {'closed' if self._handle is None else self.path}>"

    def _open_handle(self) -> Pointer:
        if self._handle is None:
            raise ValueError("the engine is closed")
        return self._handle

    def _start(self, function: Any, *arguments: Any) -> Run:
        """Starts a run; the last of the arguments is the token that cancels it."""
        *others, cancel = arguments
        return start(function, self._open_handle(), others, self._host, cancel)

    def _act(self, function: Any, *arguments: Any) -> bool:
        """Says whether there was anything to do."""
        return call(function, self._open_handle(), *arguments) == c.OK

    def _lines(self, function: Any, *arguments: Any) -> list[str]:
        return made_text(function, self._open_handle(), *arguments).splitlines()

    def _text(self, function: Any, *arguments: Any) -> str:
        return made_text(function, self._open_handle(), *arguments)

    def _report(self, function: Any, *arguments: Any) -> dict[str, Any]:
        report: dict[str, Any] = made_json(function, self._open_handle(), *arguments)
        return report

    def _report_lines(self, function: Any, *arguments: Any) -> list[dict[str, Any]]:
        lines = made_bytes(function, self._open_handle(), *arguments).splitlines()
        return [json.loads(line) for line in lines]


def _artifacts(rev: str, job: str | None, paths: str | Iterable[str]) -> tuple[Any, Any, Any]:
    lines = "\n".join((paths,) if isinstance(paths, str) else paths)
    return text(rev), optional_text(job), optional_text(lines or None)


def _person(by: tuple[str, str] | None) -> tuple[Any, Any]:
    name, address = (None, None) if by is None else by
    return optional_text(name), optional_text(address)


def _deploy_request(
    revision: str | None,
    rollback: bool,
    force: bool,
    bare: bool,
    by: tuple[str, str] | None,
    plan: Mapping[str, Any] | None,
) -> Pointer:
    request = owned(lib.tinyci_deploy_request_new(), lib.tinyci_deploy_request_free)
    call(lib.tinyci_deploy_request_set_revision, request, optional_text(revision))
    call(lib.tinyci_deploy_request_set_rollback, request, int(rollback))
    call(lib.tinyci_deploy_request_set_force, request, int(force))
    call(lib.tinyci_deploy_request_set_bare, request, int(bare))
    if by is not None:
        call(lib.tinyci_deploy_request_set_by, request, text(by[0]), text(by[1]))
    if plan is not None:
        call(lib.tinyci_deploy_request_set_plan, request, text(json.dumps(plan)))
    return request


def _values(setting: Setting) -> list[str]:
    if isinstance(setting, bool):
        return ["true" if setting else "false"]
    if isinstance(setting, (str, int)):
        return [str(setting)]
    return list(setting)


def _ask_host(options: Pointer, host: Host) -> None:
    """Asks for a request wherever the host has a function that answers it."""
    for point in host.hooks:
        call(lib.tinyci_options_add_hook, options, text(point))
    for name, function in host.functions.items():
        effect = number_of(_EFFECTS, function.effect, "effect")
        call(
            lib.tinyci_options_add_function,
            options,
            text(name),
            *function.arity(),
            effect,
            optional_text(function.sentence()),
        )
    mask = 0
    if host.secrets is not None:
        mask |= c.HANDLER_SECRET
    if host.approvals is not None:
        mask |= c.HANDLER_APPROVAL
    if host.executor is not None:
        mask |= c.HANDLER_EXECUTOR
    call(lib.tinyci_options_set_handlers, options, mask)
