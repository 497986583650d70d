"""A repository that a newer version of tinyci has used, beside this one."""

from __future__ import annotations

import pytest
from conftest import Repository

import tinyci

WRITE = "tinyci format\nread 1 0.1.0\nwrite 2 9.9.0\n"
READ = "tinyci format\nread 2 9.9.0\nwrite 2 9.9.0\n"


def test_a_newer_version_stops_what_it_has_to(repository: Repository) -> None:
    repository.commit("build: 'true'\n")
    with tinyci.open(repository.path) as engine:
        list(engine.run())
        repository.commit("build: 'true'\n", message="pending")
        file = repository.path / ".git/tinyci/format"
        assert file.read_text() == "tinyci format\nread 1 0.1.0\nwrite 1 0.1.0\n"

        # An engine that was opened before reads on, and changes nothing.
        file.write_text(WRITE)
        with pytest.raises(tinyci.Error, match="needs tinyci 9.9.0 or later") as raised:
            list(engine.run())
        assert raised.value.code == "newer_format"
        assert len(list(engine.pending_commits())) == 1 and repository.verdict() is None

        file.write_text(READ)
        with pytest.raises(tinyci.Error, match="cannot read"):
            engine.pending_commits()
    with pytest.raises(tinyci.Error, match="cannot read") as raised:
        tinyci.open(repository.path)
    assert raised.value.code == "newer_format"
