"""The engine: the continuous integration of one repository."""

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
from .request import ApprovalFunction, Executor, Function, HookFunction, Handlers, SecretFunction
from .run import Run, start
from .selection import Selection, selection_pointer

_EFFECTS = c.NAMES["effect"]

#: A value of ``git config``, or several if the key can have several.
Setting = str | int | Sequence[str]
Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


@final
class Engine:
    """The continuous integration of one repository: finds the commits without a verdict, tests
    them, and stores the results in git notes. :func:`tinyci.open` makes one.

    Threads can share an engine. It holds no lock and no open file between calls. :meth:`close`, or
    the end of its ``with`` block, makes it reject further calls; its runs continue.
    """

    def __init__(
        self,
        path: Path,
        *,
        refs: Iterable[str] = (),
        jobs: int | None = None,
        job_timeout: float | None = None,
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
        """Opens the repository at exactly this path: a bare one, the top of a working tree, or a
        ``.git`` directory.

        refs: globs of full ref names whose commits are tested, such as ``refs/heads/*``. Default:
            all branches.
        jobs: how many commits are tested at the same time.
        job_timeout: the time limit of one job in seconds; ``after_all`` does not count.
        builds_dir: the directory of the builds; a relative path is relative to :attr:`path`.
        log_limit: how many bytes of output the log keeps per job.
        settings: values of ``git config tinyci.<key>``, for this engine only.
        env: environment variables of every command; None removes a variable of this process.
        vars: variables that every command can use as ``<%= name %>``.
        by: the actor that records name, as name and address. Default: git's user.name and
            user.email.
        hooks: hook callbacks by hook, such as ``before_build``; called before the config's own
            hook.
        functions: functions for scripts, by ``name`` or ``module::name``: a callable, or a
            :class:`Function` to set more than the callable.
        secrets: values by name, or a function that returns a value or None. For None, tinyci looks
            in the directory of ``tinyci.secretsDir``.
        approvals: called if a deployment needs an approval and the repository has none that counts.
            Returns the approver, or True, or None if there is no approval yet. If
            ``tinyci.approvers`` is set, it is called only if the account of this process is listed
            there.
        executor: runs the commands instead of this machine, each on a separate thread. Returns the
            exit code, or minus the number of the signal, as in ``subprocess``.
        discover: open the nearest repository at the path or above it, as :func:`tinyci.discover`
            does.
        """
        registered = {
            name: function if isinstance(function, Function) else Function(function)
            for name, function in (functions or {}).items()
        }
        self._handlers = Handlers(dict(hooks or {}), registered, secrets, approvals, executor)
        options = owned(lib.tinyci_options_new(), lib.tinyci_options_free)
        for glob in (refs,) if isinstance(refs, str) else refs:
            call(lib.tinyci_options_add_ref, options, text(glob))
        if jobs is not None:
            call(lib.tinyci_options_set_jobs, options, jobs)
        if job_timeout is not None:
            call(lib.tinyci_options_set_job_timeout_ms, options, milliseconds(job_timeout))
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
        _register(options, self._handlers)
        self._handle: Pointer | None = make(
            "tinyci_engine",
            lib.tinyci_engine_free,
            lib.tinyci_engine_discover if discover else lib.tinyci_engine_open,
            path_bytes(path),
            options,
        )

    @property
    def path(self) -> pathlib.Path:
        """The directory that contains ``builds/``: the bare repository, or the top of the working
        tree."""
        return pathlib.Path(path_string(lib.tinyci_engine_path(self._open_handle())))

    @property
    def is_bare(self) -> bool:
        """True if the repository has no working tree."""
        return bool(lib.tinyci_engine_is_bare(self._open_handle()))

    def warnings(self) -> list[str]:
        """Returns messages for a person: unknown settings, a repository that was moved, paths that
        commands cannot use."""
        return self._lines(lib.tinyci_engine_warnings)

    def remote_url(self, remote: str | None = None) -> str:
        """Returns the URL that pushes to a remote go to. The default remote is ``origin``."""
        return self._text(lib.tinyci_remote_url, optional_text(remote))

    def resolve(self, revision: str) -> str:
        """Returns the full id of the commit that a revision names."""
        return self._text(lib.tinyci_resolve, text(revision))

    def commit(self, revision: str) -> Commit:
        """Returns the commit that a revision names."""
        return self.commits([revision])[0]

    def commits(self, revisions: Iterable[str]) -> list[Commit]:
        """Returns the commits that revisions name, in their order. Much faster than a call for
        each."""
        commits = make(
            "tinyci_commits",
            lib.tinyci_commits_free,
            lib.tinyci_commits_load,
            self._open_handle(),
            text("\n".join(revisions)),
        )
        return list(each_commit(commits))

    def log(
        self,
        revision: str | None = None,
        *,
        lines: int | None = None,
        follow: bool = False,
        cancel: CancelToken | None = None,
    ) -> Run:
        """Reads a log; its lines come as ``output``. Runs no commands, and has no records.

        revision: the commit whose last job's log is read; None for the log of all runs.
        lines: how many of the last lines to begin with; None for all.
        follow: continue with new lines until the commit's job ends or the run is canceled.
        """
        first = -1 if lines is None else lines
        flags = follow * c.LOG_FOLLOW
        return self._start(lib.tinyci_log_start, optional_text(revision), first, flags, cancel)

    def run(
        self, selection: Selection | str | None = None, *, cancel: CancelToken | None = None
    ) -> Run:
        """Starts a run of the pending commits. Iterate it. If it cannot start, for example because
        another run is active, iterating raises the error."""
        return self._start(lib.tinyci_run_start, selection_pointer(selection), cancel)

    def follow(
        self, selection: Selection | str | None = None, *, cancel: CancelToken | None = None
    ) -> Run:
        """Follows a run of another process or thread: its log comes as ``output`` until it ends or
        the selected commits have a verdict. Runs no commands, and has no records."""
        return self._start(lib.tinyci_follow_start, selection_pointer(selection), cancel)

    def run_step(
        self, revision: str, *steps: str, keep: bool = False, cancel: CancelToken | None = None
    ) -> Run:
        """Runs steps of one commit, such as ``"build", "test"``, in a separate export directory
        until one fails. Each command comes as ``output`` before it runs. Nothing is recorded; the
        run's only record has the outcomes of the steps. ``keep`` keeps the export directory for a
        day."""
        names = text("\n".join(steps))
        flags = keep * c.STEPS_KEEP
        return self._start(lib.tinyci_steps_start, text(revision), names, flags, cancel)

    def pending_commits(self, selection: Selection | str | None = None) -> list[Commit]:
        """Returns the pending commits, oldest first. Runs nothing."""
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
        """Returns the records of earlier runs, newest commit first: for each commit the record
        behind its verdict. ``limit`` is their maximum number, 0 for no limit."""
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

    def pipeline(self, revision: str) -> Pipeline:
        """Loads the pipeline of a commit."""
        return Pipeline(
            make(
                "tinyci_pipeline",
                lib.tinyci_pipeline_free,
                lib.tinyci_pipeline_load,
                self._open_handle(),
                text(revision),
            )
        )

    def export(self, revision: str, dir: Path, *, cancel: CancelToken | None = None) -> None:
        """Writes the files of a commit to a directory, which must be empty or not exist."""
        call(
            lib.tinyci_export_commit,
            self._open_handle(),
            text(revision),
            path_bytes(dir),
            cancel_pointer(cancel),
        )

    def artifacts(
        self, revision: str, paths: str | Iterable[str] = (), *, job_id: str | None = None
    ) -> dict[str, Any]:
        """Lists the files that a job kept, as ``tinyci artifacts --json`` does. ``paths`` are
        files, directories and globs; default: all. ``job_id`` selects a job; default: the commit's
        newest job that kept files."""
        return self._report(lib.tinyci_artifacts_json, *_artifacts(revision, job_id, paths))

    def copy_artifacts(
        self,
        revision: str,
        dir: Path,
        paths: str | Iterable[str] = (),
        *,
        job_id: str | None = None,
        force: bool = False,
        cancel: CancelToken | None = None,
    ) -> dict[str, Any]:
        """Copies files that a job kept to a directory, and checks each against the record. With
        ``force`` it replaces existing files; else they are an error. Returns the list of the copied
        files."""
        return self._report(
            lib.tinyci_artifacts_copy,
            *_artifacts(revision, job_id, paths),
            path_bytes(dir),
            force * c.ARTIFACTS_FORCE,
            cancel_pointer(cancel),
        )

    def plan(self, selection: Selection | str | None = None) -> dict[str, Any]:
        """Returns what a run would do, without doing it, as ``tinyci plan --json`` does."""
        return self._report(lib.tinyci_plan_json, selection_pointer(selection))

    def check(self, revision: str) -> dict[str, Any]:
        """Checks the config of a commit, as ``tinyci check --json`` does."""
        return self._report(lib.tinyci_check_json, text(revision))

    def check_text(
        self, source: str, format: str, name: str, *, revision: str | None = None
    ) -> dict[str, Any]:
        """Checks a config that is not committed, in ``yaml`` or ``rhai``. A script imports files
        from the commit ``revision``, or from the engine's path."""
        return self._report(
            lib.tinyci_check_text_json,
            optional_text(revision),
            *source_and_format(source, format),
            text(name),
        )

    def definitions(self, format: str = "markdown") -> str:
        """Returns the script API reference with this engine's functions, as ``json``, ``markdown``
        or ``rhai``, as ``tinyci defs`` does."""
        return definitions(format, engine=self)

    def test_pipeline(
        self,
        revision: str | None = None,
        *,
        dir: Path | None = None,
        filters: str | Iterable[str] = (),
        coverage: bool = False,
    ) -> dict[str, Any]:
        """Runs the tests of a script, as ``tinyci test-pipeline --json`` does. Runs no commands.

        revision: the commit with the script and its tests; None for the files of a directory.
        dir: that directory; None for the path that the engine was opened with.
        filters: substrings of test names; none for all tests.
        coverage: report which lines the tests run.
        """
        parts = "\n".join((filters,) if isinstance(filters, str) else filters)
        return self._report(
            lib.tinyci_test_pipeline_json,
            optional_text(revision),
            NULL if dir is None else path_bytes(dir),
            optional_text(parts or None),
            coverage * c.TEST_COVERAGE,
        )

    def unrecognized_lines(self, revision: str) -> list[str]:
        """Returns the lines in a commit's records that tinyci cannot read: damaged or forged lines,
        or lines of another program."""
        return self._lines(lib.tinyci_unrecognized_lines, text(revision))

    def results(
        self,
        selection: Selection | str | None = None,
        *,
        outcome: str | None = None,
        limit: int = 0,
        all_attempts: bool = False,
    ) -> list[dict[str, Any]]:
        """Returns the results of commits, newest first, as ``tinyci results --json`` does."""
        flags = all_attempts * c.RESULTS_ALL_ATTEMPTS
        return self._report_lines(
            lib.tinyci_results_json,
            selection_pointer(selection),
            outcome_number(outcome),
            limit,
            flags,
        )

    def status(self) -> dict[str, Any]:
        """Returns what is running, pending and deployed, and the last verdicts, as
        ``tinyci status --json`` does."""
        return self._report(lib.tinyci_status_json)

    def settings(self) -> list[dict[str, Any]]:
        """Returns all settings of a repository and their values, as ``tinyci settings --json``
        does."""
        return self._report_lines(lib.tinyci_settings_json)

    def deployments(self, environment: str | None = None, *, limit: int = 0) -> list[dict[str, Any]]:
        """Returns deployments, newest first, as ``tinyci deployments --json`` does.

        Unreadable entries are reported as a ``UserWarning``.
        """
        notes = ffi.new("char **")
        try:
            deployments = self._report_lines(
                lib.tinyci_deployments_json, optional_text(environment), limit, notes
            )
            for line in string(notes[0]).splitlines():
                warnings.warn(line, stacklevel=2)
        finally:
            lib.tinyci_string_free(notes[0])
        return deployments

    def deployed(self, environment: str | None = None) -> dict[str, Any] | None:
        """Returns the deployment that is live in an environment, or None. Default:
        ``production``."""
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
        """Returns what a deployment would do, without doing it. You can show the plan to a person
        and then carry it out exactly: ``engine.deploy(plan=plan)``. ``assume`` maps globs over the
        commands of a script to the output that the plan assumes of them."""
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
        """Starts a deployment: the ``deploy`` step of the commit's config. Iterate it; then
        :attr:`Run.deployment` is its record, also if it awaits approval.

        environment: the target environment; default: that of the plan, else ``production``.
        revision: the commit; default: the newest green commit of the environment's branch that
            contains what is deployed.
        rollback: deploy what was deployed before the current deployment.
        force: deploy even a commit that is not green; the record shows it.
        bare: deploy the commit's files at once, without a build; the record shows it.
        by: the name and mail address of the person who deploys. Default: git's user.name and
            user.email.
        plan: carry out exactly this plan of :meth:`deploy_plan`; fails if the deployed commit has
            changed. It replaces all other arguments but ``by``.
        """
        request = _deploy_request(revision, rollback, force, bare, by, plan)
        return self._start(lib.tinyci_deploy_start, optional_text(environment), request, cancel)

    def rollback(self, environment: str | None = None, *, cancel: CancelToken | None = None) -> Run:
        """Starts a deployment of what was deployed before the current deployment. A second rollback
        goes to the deployment before that."""
        return self._start(lib.tinyci_rollback_start, optional_text(environment), cancel)

    def approve(self, environment: str | None, revision: str) -> dict[str, Any]:
        """Approves the deployment of one commit, with its config, to one environment. None is
        ``production``. Returns what ``tinyci approve --json`` prints."""
        return self._report(lib.tinyci_approve, optional_text(environment), text(revision))

    def unlock_deployments(self, environment: str | None, reason: str) -> bool:
        """Allows deployments again after an interrupted one, once a person has checked the
        environment. None is ``production``. The reason is recorded. Returns False if there was
        nothing to unlock."""
        return self._act(lib.tinyci_unlock_deployments, optional_text(environment), text(reason))

    def retire(self, environment: str | None = None) -> bool:
        """Records that an environment, by default ``production``, has no deployment now, so that
        its builds are no longer protected. Returns False if that was recorded already."""
        return self._act(lib.tinyci_retire, optional_text(environment))

    def install(
        self,
        command: str | None = None,
        *,
        hide_refs: bool = False,
        shared_hooks: bool = False,
        adopt_builds: bool = False,
    ) -> list[str]:
        """Installs the git hook that tests pushed commits. Returns messages for a person.

        command: the command of the git hook; default: ``tinyci``.
        hide_refs: make git refuse pushes to the refs that contain verdicts.
        shared_hooks: allow a hooks directory that several repositories use.
        adopt_builds: take over the builds in ``tinyci.buildsDir`` from a repository that no longer
            exists.
        """
        flags = (
            hide_refs * c.INSTALL_HIDE_REFS
            | shared_hooks * c.INSTALL_SHARED_HOOKS
            | adopt_builds * c.INSTALL_ADOPT_BUILDS
        )
        return self._lines(lib.tinyci_install, optional_text(command), flags)

    def uninstall(self) -> list[str]:
        """Removes the git hook. Returns messages for a person."""
        return self._lines(lib.tinyci_uninstall)

    def compact(
        self, keep: int, *, keep_builds: Iterable[str] = (), cancel: CancelToken | None = None
    ) -> dict[str, Any]:
        """Packs all builds but the newest ``keep`` into ``.tar.gz`` files. Returns what
        ``tinyci compact --json`` prints: ``not_removed`` has the builds that could not be packed.

        ``keep_builds`` are more builds that are not packed: names, paths of or in builds, links to
        builds, commit ids.
        """
        lines = "\n".join((keep_builds,) if isinstance(keep_builds, str) else keep_builds)
        return self._report(
            lib.tinyci_compact, keep, optional_text(lines or None), cancel_pointer(cancel)
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
        """Removes old builds. Returns what ``tinyci prune --json`` prints: ``not_removed`` has the
        builds that could not be removed. Without a rule, the repository's settings apply.

        keep: keep the N builds that ran last.
        max_age: remove builds that last ran more than this many seconds ago.
        max_bytes: remove the oldest builds until the others fit.
        dry_run: remove nothing, and report what would be removed.
        """
        return self._report(
            lib.tinyci_prune,
            -1 if keep is None else keep,
            milliseconds(max_age),
            -1 if max_bytes is None else max_bytes,
            dry_run * c.PRUNE_DRY_RUN,
            cancel_pointer(cancel),
        )

    def forget(self, revision: str) -> bool:
        """Deletes a commit's verdict, so that it is tested again. Returns False if it had none."""
        return self._act(lib.tinyci_forget, text(revision))

    def cancel(
        self,
        revision: str | None = None,
        *,
        reason: str | None = None,
        by: tuple[str, str] | None = None,
        kill: bool = False,
        wait: float | None = None,
        cancel: CancelToken | None = None,
    ) -> dict[str, Any]:
        """Cancels the job of a commit, or the whole run if ``revision`` is None, in any process,
        and waits until it has ended. ``wait`` limits that wait to a number of seconds; ``cancel``
        ends it. ``by`` is a name and an address. If this process owns the run, another thread must
        keep iterating it. Returns what ``tinyci cancel --json`` prints."""
        return self._report(
            lib.tinyci_job_cancel,
            optional_text(revision),
            optional_text(reason),
            *_person(by),
            kill * c.JOB_CANCEL_KILL,
            milliseconds(wait),
            cancel_pointer(cancel),
        )

    def skip(
        self,
        revision: str,
        *,
        reason: str | None = None,
        by: tuple[str, str] | None = None,
        cancel: CancelToken | None = None,
    ) -> dict[str, Any]:
        """Gives a commit the verdict ``skipped``, so that it is not tested. An active job of it is
        canceled first. Returns the record, as ``tinyci skip --json`` prints it."""
        return self._report(
            lib.tinyci_skip,
            text(revision),
            optional_text(reason),
            *_person(by),
            cancel_pointer(cancel),
        )

    def forget_all(self) -> dict[str, Any]:
        """Deletes the verdicts and records of all commits, and accepts the loss of refs that other
        programs deleted, which runs otherwise restore. Returns the refs, as ``tinyci results
        --forget-all --json`` prints them."""
        return self._report(lib.tinyci_forget_all)

    def setup_remote(self, remote: str | None = None) -> list[str]:
        """Configures the repository so that ``git fetch`` also fetches the verdicts of a remote, by
        default ``origin``, and ``git log`` shows them. Returns the added lines of git's
        configuration."""
        return self._lines(lib.tinyci_setup_remote, optional_text(remote))

    def undo_setup_remote(self, remote: str | None = None) -> list[str]:
        """Removes those lines and returns them."""
        return self._lines(lib.tinyci_undo_setup_remote, optional_text(remote))

    def merge_results(self, remote: str | None = None) -> bool:
        """Merges the verdicts and records that were last fetched from a remote into the
        repository's own. Returns False if nothing was new."""
        return self._act(lib.tinyci_merge_results, optional_text(remote))

    def close(self) -> None:
        """Makes the engine reject further calls. Its runs continue."""
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
        """Starts a run. The last argument is the token that cancels it."""
        *others, cancel = arguments
        return start(function, self._open_handle(), others, self._handlers, cancel)

    def _act(self, function: Any, *arguments: Any) -> bool:
        """Returns True if there was something to do."""
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


def _artifacts(
    revision: str, job_id: str | None, paths: str | Iterable[str]
) -> tuple[Any, Any, Any]:
    lines = "\n".join((paths,) if isinstance(paths, str) else paths)
    return text(revision), optional_text(job_id), optional_text(lines or None)


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


def _register(options: Pointer, handlers: Handlers) -> None:
    """Makes the library send a request for each registered function."""
    for point in handlers.hooks:
        call(lib.tinyci_options_add_hook, options, text(point))
    for name, function in handlers.functions.items():
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
    if handlers.secrets is not None:
        mask |= c.HANDLER_SECRET
    if handlers.approvals is not None:
        mask |= c.HANDLER_APPROVAL
    if handlers.executor is not None:
        mask |= c.HANDLER_EXECUTOR
    call(lib.tinyci_options_set_handlers, options, mask)
