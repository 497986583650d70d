"""What an engine tells and does beside runs."""

from __future__ import annotations

import math
import pathlib
import pickle
import threading
from typing import Any

import pytest
from conftest import Repository, until

import tinyci


def test_opening_what_is_no_repository(tmp_path: pathlib.Path) -> None:
    with pytest.raises(tinyci.Error) as raised:
        tinyci.open(tmp_path)
    error = raised.value
    assert error.code == "not_a_repo" and str(tmp_path) in str(error)
    assert error.file is not None and error.host_code == 0
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.code, str(copy), copy.file) == (error.code, str(error), error.file)


def test_the_path_and_a_closed_engine(repository: Repository) -> None:
    with tinyci.open(bytes(repository.path)) as engine:
        assert engine.path == repository.path.resolve()
        assert str(repository.path.name) in repr(engine)
    with pytest.raises(ValueError, match="closed"):
        engine.pending_commits()
    assert "closed" in repr(engine)


def test_options_that_cannot_be_used(repository: Repository) -> None:
    mistakes: list[dict[str, Any]] = [
        {"jobs": 0},
        {"job_timeout": 0},
        {"log_limit": 0},
        {"settings": {"no-such-key": "1"}},
        {"vars": {"commit": "x"}},
        {"refs": [""]},
        {"env": {"": "x"}},
    ]
    for options in mistakes:
        with pytest.raises(tinyci.Error) as raised:
            tinyci.open(repository.path, **options)
        assert raised.value.code == "invalid_arg"
    with pytest.raises(ValueError, match="null"):
        tinyci.open(repository.path, vars={"name": "a\0b"})
    with pytest.raises(OverflowError):
        tinyci.open(repository.path, jobs=2**40)


def test_options_take_effect(repository: Repository, tmp_path: pathlib.Path) -> None:
    repository.commit('build: echo "$NAME:<%= color %>:${HOME-none}"\n')
    repository.git("branch", "other")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "on main")
    builds = tmp_path / "elsewhere"
    engine = tinyci.open(
        repository.path,
        refs=["refs/heads/other"],
        jobs=2,
        job_timeout=60.5,
        builds_dir=builds,
        log_limit=1 << 20,
        settings={"gracePeriod": "1s", "maxAttempts": 2},
        env={"NAME": "value", "HOME": None},
        vars={"color": "red"},
    )
    with engine.run() as run:
        output = b"".join(event.data for event in run if event.kind == "output")
    assert output == b"value:red:none\n" and len(run.records) == 1
    assert any(builds.iterdir())


def test_a_timeout_is_an_outcome(repository: Repository) -> None:
    repository.commit("build: sleep 1000\n")
    engine = tinyci.open(repository.path, job_timeout=0.2, settings={"gracePeriod": "1s"})
    (record,) = engine.run().wait()
    assert (record.outcome, record.passed) == ("timed_out", False)


def test_scan_and_selections(repository: Repository) -> None:
    first = repository.commit("build: exit 0\n", message="First\nline\n\nBody")
    second = repository.commit("build: exit 1\n", message="Second")
    engine = tinyci.open(repository.path)
    commits = engine.pending_commits()
    assert [commit.id for commit in commits] == [first, second]
    assert (commits[0].subject, commits[0].branch) == ("First line", "main")
    assert (commits[0].subject_bytes, commits[0].branch_bytes) == (b"First line", b"main")
    assert commits[0].tree == repository.git("rev-parse", f"{first}^{{tree}}")
    assert int(commits[0].time.timestamp()) == int(
        repository.git("log", "-1", "--format=%ct", first)
    )

    zeros = "0" * 40
    for selection in (
        "HEAD",
        tinyci.Selection("HEAD"),
        tinyci.Selection(revisions=["HEAD"]),
        tinyci.Selection(ranges="HEAD~1..HEAD"),
    ):
        assert [commit.id for commit in engine.pending_commits(selection)] == [second]
    for selection in (
        tinyci.Selection(updates=[(zeros, second, "refs/heads/main")]),
        tinyci.Selection(hook_lines=f"{zeros} {second} refs/heads/main\n"),
        tinyci.Selection(hook_lines=f"{zeros} {second} refs/heads/main\n".encode()),
        tinyci.Selection(all_history=True, wait=None),
        tinyci.Selection(wait=math.inf),
    ):
        assert len(engine.pending_commits(selection)) == 2
    for selection, code in (
        (tinyci.Selection("no-such"), "not_found"),
        (tinyci.Selection(hook_lines="nonsense\n"), "invalid_arg"),
        (tinyci.Selection(wait=-7), "invalid_arg"),
    ):
        with pytest.raises(tinyci.Error) as raised:
            engine.pending_commits(selection)
        assert raised.value.code == code


def test_records_and_results(repository: Repository) -> None:
    green = repository.commit("build: exit 0\n")
    red = repository.commit("build: exit 1\n")
    engine = tinyci.open(repository.path)
    engine.run().wait()
    assert [record.commit for record in engine.records()] == [red, green]
    assert [record.commit for record in engine.records(limit=1)] == [red]
    found = next(engine.records(outcome="success", limit=1), None)
    assert found is not None and found.commit == green and found.passed
    assert [record.passed for record in engine.records(green)] == [True]
    assert next(engine.records(outcome="skipped"), None) is None
    with pytest.raises(ValueError, match="success"):
        engine.records(outcome="green")
    with pytest.raises(tinyci.Error):
        engine.records("no-such")

    results = engine.results(outcome="failure")
    assert [result["commit"] for result in results] == [red]
    engine.run(tinyci.Selection("HEAD", retry=True)).wait()
    assert len(engine.results("HEAD", all_attempts=True)) == 2
    assert len(engine.results(limit=1)) == 1

    assert engine.forget("HEAD") is True and engine.forget("HEAD") is False
    assert [commit.id for commit in engine.pending_commits()] == [red]
    assert "refs/notes/runs/tinyci" in engine.forget_all()["removed"]


def test_commits_are_canceled_and_skipped_by_name(repository: Repository) -> None:
    hung = repository.commit("build: echo going; exec sleep 600\n")
    engine = tinyci.open(repository.path)
    ada = ("Ada", "ada@example.org")
    with engine.run() as run:
        for event in run:
            if event.kind == "output":
                canceled = engine.cancel(hung, reason="it hangs", by=ada, wait=0)
                assert [job["commit"] for job in canceled["jobs"]] == [hung]
                assert canceled["whole_run"] is False
    assert run.records[0].outcome == "canceled"
    intervention = {"kind": "cancel", "by": "Ada <ada@example.org>", "reason": "it hangs"}
    told = run.records[0].json["intervention"]
    assert told.pop("account") and told == intervention
    for revision in (None, hung):
        with pytest.raises(tinyci.Error) as nothing:
            engine.cancel(revision, kill=True)
        assert nothing.value.code == "not_found"

    record = engine.skip(hung, by=ada)
    assert (record["outcome"], record["intervention"]["kind"]) == ("skipped", "skip")
    with pytest.raises(tinyci.Error) as settled:
        engine.skip(hung)
    assert settled.value.code == "invalid_arg"

    pushed = repository.commit("build: exit 0\n")
    lines = f"{hung} {pushed} refs/heads/main\n"
    run = engine.run(tinyci.Selection(hook_lines=lines, push_options="ci.skip"))
    assert [record.outcome for record in run.wait()] == ["skipped"]


def test_plan_and_check(repository: Repository) -> None:
    commit = repository.commit("build: exit 0\n")
    engine = tinyci.open(repository.path)
    assert commit in str(engine.plan()) and commit in str(engine.plan("HEAD"))
    assert engine.check("HEAD")["valid"] is True
    report = engine.check_text("biuld: exit 0\n", "yaml", "new.yml")
    assert report["valid"] is False and "biuld" in str(report)
    with pytest.raises(ValueError, match="yaml"):
        engine.check_text("", "toml", "new.toml")


def test_pipelines(repository: Repository) -> None:
    repository.commit("build: exit 1\nhooks: {after_all: exit 0}\n")
    engine = tinyci.open(repository.path)
    assert engine.pipeline("HEAD").steps == ("build", "after_all")
    with pytest.raises(tinyci.Error) as raised:
        tinyci.Pipeline.parse("build: [\n", "yaml", "mine.yml")
    error = raised.value
    assert error.code == "config" and error.line is not None and "mine.yml" in str(error)
    with pytest.raises(tinyci.Error) as raised:
        tinyci.Pipeline.parse("fn build(ctx) {\n  sh(\n}", "rhai", "mine.rhai", engine=engine)
    assert raised.value.code == "script" and raised.value.line == 3
    assert raised.value.column is not None

    own = tinyci.Pipeline.parse("build: echo of my own\n", "yaml", "mine.yml")
    assert own.steps == ("build",) and "build" in repr(own)
    with engine.run(tinyci.Selection("HEAD", pipeline=own)) as run:
        output = b"".join(event.data for event in run if event.kind == "output")
    assert output == b"of my own\n" and run.passed
    assert repository.verdict() == "success"


def test_interpolation() -> None:
    assert tinyci.interpolate("<%= a %>-<%= b %> <%% x", {"a": "1", "b": "zwei"}) == "1-zwei <% x"
    with pytest.raises(tinyci.Error) as raised:
        tinyci.interpolate("\n <%= a %>", {"a": "; rm -rf /"})
    assert (raised.value.code, raised.value.line, raised.value.column) == ("interpolate", 2, 2)
    with pytest.raises(tinyci.Error):
        tinyci.interpolate("", {"Not A Name": ""})


def test_export(repository: Repository, tmp_path: pathlib.Path) -> None:
    repository.commit("build: exit 0\n")
    engine = tinyci.open(repository.path)
    engine.export("HEAD", tmp_path / "out")
    assert tmp_path.joinpath("out", ".tinyci.yml").read_text() == "build: exit 0\n"
    with pytest.raises(tinyci.Error) as raised:
        engine.export("HEAD", tmp_path / "out")
    assert raised.value.code == "invalid_arg"
    token = tinyci.CancelToken()
    token.cancel()
    assert token.level == 1 and "1" in repr(token)
    with pytest.raises(tinyci.Error) as raised:
        engine.export("HEAD", tmp_path / "other", cancel=token)
    assert raised.value.code == "canceled"


def test_install_and_uninstall(repository: Repository) -> None:
    engine = tinyci.open(repository.path)
    notes = engine.install("/usr/local/bin/tinyci", hide_refs=True)
    hook = repository.path / ".git/hooks/post-receive"
    assert "/usr/local/bin/tinyci" in hook.read_text() and isinstance(notes, list)
    hidden = repository.git("config", "--get-all", "receive.hideRefs").split()
    assert hidden[:2] == ["refs/notes/", "refs/tinyci/"]
    engine.uninstall()
    assert not hook.exists() or "tinyci" not in hook.read_text()


def test_compact(repository: Repository) -> None:
    commits = [repository.commit(f"build: echo {number}\n") for number in range(3)]
    engine = tinyci.open(repository.path)
    engine.run().wait()
    (packed,) = engine.compact(1, keep_builds=[commits[1]])["compacted"]
    assert pathlib.Path(packed["archive"]).exists() and commits[0] in packed["name"]
    again = engine.compact(1, keep_builds=commits[1])
    assert again["compacted"] == [] and again["not_removed"] == []


def test_another_run_is_followed_or_busy(repository: Repository, tmp_path: pathlib.Path) -> None:
    go = tmp_path / "go"
    repository.commit(f"build: echo begun; until [ -e {go} ]; do sleep 0.05; done; echo done\n")
    engine = tinyci.open(repository.path)
    run = engine.run()
    while (event := run.poll()) is not None and event.kind != "output":
        pass
    with pytest.raises(tinyci.Error) as raised:
        engine.run().wait()
    assert raised.value.code == "busy"

    waiting = engine.run(tinyci.Selection(wait=None))
    while (event := waiting.poll()) is not None and event.kind != "waiting":
        pass
    assert event is not None and event.text
    following = engine.follow()
    go.touch()
    threads = [threading.Thread(target=one.wait) for one in (run, waiting)]
    for thread in threads:
        thread.start()
    followed = b"".join(event.data for event in following)
    for thread in threads:
        thread.join()
    assert b"done" in followed and following.records == ()
    assert run.passed
    until(lambda: repository.verdict() == "success", "the verdict stands in the notes")


def test_any_number_of_threads_may_ask(repository: Repository) -> None:
    repository.commit("build: exit 0\n")
    engine = tinyci.open(repository.path)
    found: list[int] = []

    def ask() -> None:
        for _ in range(20):
            found.append(len(engine.pending_commits()))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 80


def test_an_engine_stays_that_of_its_repository_wherever_the_program_goes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    repository = Repository(tmp_path / "here/app")
    other = Repository(tmp_path / "there/app")
    for one, word in ((repository, "here"), (other, "there")):
        one.path.joinpath("mark").write_text(word)
        one.commit(f"build: echo built {word}\ndeploy: echo deployed {word}\n")
    monkeypatch.chdir(tmp_path / "here")
    engine = tinyci.open("app")
    monkeypatch.chdir(tmp_path / "there")

    assert engine.path == repository.path.resolve()
    head = repository.git("rev-parse", "HEAD")
    assert [job["commit"]["id"] for job in engine.plan()["jobs"]] == [head]
    for work, word in ((engine.run, "built"), (engine.deploy, "deployed")):
        written = b"".join(event.data for event in work() if event.kind == "output")
        assert written == f"{word} here\n".encode()
    engine.export("HEAD", "out")
    assert (tmp_path / "there/out/mark").read_text() == "here"
    assert not (other.path / "builds").exists() and other.verdict() is None


def test_artifacts_are_listed_and_copied(repository: Repository, tmp_path: pathlib.Path) -> None:
    script = 'fn build() { sh("mkdir d; echo a > d/a; echo b > d/b"); artifact("d"); }'
    repository.script(script)
    engine = tinyci.open(repository.path)
    with pytest.raises(tinyci.Error) as nothing:
        engine.artifacts("HEAD")
    assert nothing.value.code == "not_found"
    engine.run().wait()
    kept = engine.artifacts("HEAD")
    assert [it["path"] for it in kept["artifacts"]] == ["d/a", "d/b"]
    out = tmp_path / "out"
    copied = engine.copy_artifacts("HEAD", out, "d/b", job_id=kept["job_id"])
    assert [it["path"] for it in copied["artifacts"]] == ["d/b"]
    assert (out / "d/b").read_text() == "b\n" and not (out / "d/a").exists()
    with pytest.raises(tinyci.Error):
        engine.copy_artifacts("HEAD", out)
    engine.copy_artifacts("HEAD", out, force=True)
    assert (out / "d/a").exists()


def test_a_step_is_run_by_hand(repository: Repository) -> None:
    repository.commit("build: echo built\ntest: 'false'\n")
    engine = tinyci.open(repository.path)
    run = engine.run_step("HEAD", "build", "test")
    output = b"".join(event.data for event in run if event.kind == "output")
    assert output.splitlines() == [b"+ echo built", b"built", b"+ false"]
    (record,) = run.records
    assert record.outcome == "failure"
    assert len(engine.pending_commits()) == 1, "nothing is recorded"
    with pytest.raises(tinyci.Error) as refused:
        engine.run_step("HEAD", "deploy").wait()
    assert refused.value.code == "invalid_arg"


def test_discovering_and_what_is_known_of_a_repository(repository: Repository) -> None:
    first = repository.commit("build: make\n", message="First\n\nWith a body")
    repository.git("config", "tinyci.jobz", "2")
    repository.git("remote", "add", "origin", "/srv/git/app.git")
    below = repository.path / "below"
    below.mkdir()
    with pytest.raises(tinyci.Error, match="below"):
        tinyci.open(below)
    engine = tinyci.discover(below, jobs=2)
    assert engine.path == repository.path.resolve() and not engine.is_bare
    (warning,) = engine.warnings()
    assert "tinyci.jobz" in warning
    assert engine.remote_url() == engine.remote_url("origin") == "/srv/git/app.git"
    second = repository.commit("build: make all\n")
    assert engine.resolve("HEAD~1") == first
    commit = engine.commit("HEAD~1")
    assert (commit.id, commit.subject, commit.author) == (first, "First", "Ada <ada@example.org>")
    assert commit.author_bytes == b"Ada <ada@example.org>" and commit.parents == ()
    assert commit.message == "First\n\nWith a body\n" == commit.message_bytes.decode()
    assert commit.json["id"] == first and commit.json["time"] == commit.time.timestamp()
    assert [it.id for it in engine.commits(["HEAD", "HEAD~1"])] == [second, first]
    assert engine.commit("HEAD").parents == (first,)
    with pytest.raises(tinyci.Error) as raised:
        engine.resolve("nowhere")
    assert raised.value.code == "not_found"


def test_reading_logs(repository: Repository) -> None:
    repository.commit("build: echo built\n")
    engine = tinyci.open(repository.path)
    with pytest.raises(tinyci.Error) as raised:
        list(engine.log("HEAD"))
    assert raised.value.code == "not_found"
    run = engine.run()
    run.wait()
    assert run.summary["records"][0]["outcome"] == "success" and not run.summary["canceled"]

    def lines(log: tinyci.Run) -> list[bytes]:
        return [event.data for event in log if event.data is not None]

    whole = lines(engine.log("HEAD"))
    assert b"built\n" in b"".join(whole) and len(whole) > 2
    assert lines(engine.log("HEAD", lines=1)) == whole[-1:]
    assert lines(engine.log("HEAD", follow=True)) == whole
    assert lines(engine.log(lines=0)) == []
    following = engine.log(lines=1, follow=True)
    assert next(following).kind == "output"
    following.cancel()
    assert list(following) == [] and following.records == ()


def test_scripts_without_running_them(repository: Repository) -> None:
    repository.commit("build: make\n")
    engine = tinyci.open(repository.path, functions={"today": lambda: "Monday"})
    assert "make" in engine.pipeline("HEAD").to_rhai()
    assert "today(" in engine.definitions() and "today(" not in tinyci.definitions()
    assert "today" in engine.definitions("json")
    with pytest.raises(ValueError, match="markdown"):
        engine.definitions("html")
    repository.path.joinpath(".tinyci.yml").unlink()
    repository.path.joinpath(".tinyci.test.rhai").write_text(
        'fn test_right(t) { t.fake("uname*", "v1"); t.expect(t.run().ok); }\n'
        'fn test_wrong(t) { throw "wrong"; }\n'
    )
    repository.path.joinpath("lib.rhai").write_text("fn make() { }\n")
    repository.script(
        'fn build(ctx) { sh(["echo", capture("uname -s")]); }\n'
        'fn deploy(ctx) { sh(["echo", "on", capture("date")]); }\n'
    )
    report = engine.test_pipeline("HEAD", coverage=True)
    assert not report["passed"] and len(report["tests"]) == 2 and report["coverage"]
    for directory in (None, repository.path):
        report = engine.test_pipeline(dir=directory, filters="right")
        assert report["passed"] and report["filtered_out"] == 1
    source = 'import "lib" as lib;\nfn build(ctx) { lib::make(); }\n'
    assert engine.check_text(source, "rhai", "a.rhai", revision="HEAD")["valid"]
    assert not engine.check_text(source, "rhai", "a.rhai", revision="HEAD~1")["valid"]
    plan = engine.plan(tinyci.Selection("HEAD", assume={"uname*": "v7", "*": "v8"}))
    assert "echo v7" in str(plan)
    engine.run("HEAD").wait()
    assert "on Monday" in str(engine.deploy_plan(assume={"date": "Monday"}))
    assert engine.deployed() is None
    engine.deploy().wait()
    assert (engine.deployed("production") or {})["outcome"] == "success"


def test_lines_that_are_no_records(repository: Repository) -> None:
    repository.commit("build: make\n")
    repository.git("notes", "--ref", "runs/tinyci", "add", "-m", "damaged", "HEAD")
    assert tinyci.open(repository.path).unrecognized_lines("HEAD") == ["damaged"]
