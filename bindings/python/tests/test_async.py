"""Runs inside an event loop, which they never keep waiting."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator

import pytest
from conftest import Repository, assert_gone

import tinyci


async def ticking(counter: list[int]) -> None:
    while True:
        counter[0] += 1
        await asyncio.sleep(0)


def test_events_come_and_the_loop_goes_on(repository: Repository) -> None:
    repository.commit("build: echo one; sleep 0.2; echo two\n")

    async def main() -> list[tinyci.Event]:
        counter = [0]
        other = asyncio.create_task(ticking(counter))
        async with tinyci.open(repository.path).run() as run:
            events = [event async for event in run]
        assert run.passed and run.records[0].passed
        assert counter[0] > len(events)
        other.cancel()
        return events

    events = asyncio.run(main())
    assert b"".join(event.data for event in events if event.kind == "output") == b"one\ntwo\n"
    assert events[-1].kind == "finished"


def test_a_flood_leaves_other_tasks_their_turn(repository: Repository) -> None:
    repository.commit("build: head -c 5000000 /dev/zero\n")

    async def main() -> None:
        counter = [0]
        other = asyncio.create_task(ticking(counter))
        events = size = 0
        engine = tinyci.open(repository.path, settings={"passEnv": "*"})
        async with engine.run() as run:
            async for event in run:
                events += 1
                size += len(event.data)
                assert counter[0] >= events - 1
        other.cancel()
        assert size == 5_000_000

    asyncio.run(main())


def test_hooks_and_functions_may_be_coroutines(repository: Repository) -> None:
    repository.script("fn build(ctx) { sh(`echo ${later(20)} <%= release %>`); }\n")

    async def freeze(hook: tinyci.Hook) -> None:
        await asyncio.sleep(0)
        hook.vars["release"] = "42"

    async def later(number: int) -> int:
        await asyncio.sleep(0)
        return number + 1

    async def main() -> bytes:
        engine = tinyci.open(
            repository.path, hooks={"before_build": freeze}, functions={"later": later}
        )
        async with engine.run() as run:
            return b"".join([event.data async for event in run if event.kind == "output"])

    assert asyncio.run(main()) == b"21 42\n"


def test_a_coroutine_that_raises_comes_out_of_the_loop(repository: Repository) -> None:
    repository.commit("build: exit 0\n")

    async def broken(hook: tinyci.Hook) -> None:
        raise ZeroDivisionError

    async def main() -> tinyci.Run:
        async with tinyci.open(repository.path, hooks={"before_build": broken}).run() as run:
            with pytest.raises(ZeroDivisionError):
                async for _ in run:
                    pass
        return run

    run = asyncio.run(main())
    assert run.outcome == "error" and not run.records[0].passed


def test_commands_of_the_host_run_beside_the_loop(repository: Repository) -> None:
    repository.commit("build: anything\n")

    def executor(command: tinyci.Command) -> int:
        command.write(f"ran {command.shell}".encode())
        return 0

    async def main() -> bytes:
        async with tinyci.open(repository.path, executor=executor).run() as run:
            return b"".join([event.data async for event in run if event.kind == "output"])

    assert asyncio.run(main()) == b"ran anything"


async def begun(group: pathlib.Path) -> None:
    while not group.exists():
        await asyncio.sleep(0.02)


async def drain(events: AsyncIterator[tinyci.Event]) -> None:
    async for _ in events:
        pass


def test_a_canceled_task_stops_its_run(silent: pathlib.Path, repository: Repository) -> None:
    async def consume() -> None:
        async with tinyci.open(repository.path).run() as run:
            await drain(run)

    async def main() -> None:
        task = asyncio.create_task(consume())
        await begun(silent)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert_gone(silent)
    assert repository.verdict() is None


def test_a_timeout_stops_a_silent_build(silent: pathlib.Path, repository: Repository) -> None:
    async def main() -> tinyci.Run:
        async with tinyci.open(repository.path).run() as run:
            task = asyncio.create_task(drain(run))
            await begun(silent)
            run.cancel()
            await task
        return run

    assert asyncio.run(main()).outcome == "canceled"
    assert_gone(silent)


def test_two_runs_in_one_loop(tmp_path: pathlib.Path) -> None:
    async def main() -> list[bool]:
        runs = []
        for name in ("one", "two"):
            repository = Repository(tmp_path / name)
            repository.commit("build: echo hello\n")
            runs.append(tinyci.open(repository.path).run())
        await asyncio.gather(*(drain(run) for run in runs))
        return [run.passed for run in runs]

    assert asyncio.run(main()) == [True, True]
