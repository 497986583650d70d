#!/usr/bin/env python3
"""Tests all pending commits of a repository, shows the output, and prints a table.

    run_pending.py [--jobs N] [--quiet] [REPOSITORY]

Exit codes: 0 if every commit is green or skipped, 1 if one is red, 130 if the run was interrupted,
4 if tinyci could not work. The first Ctrl-C still runs `after_all`; the second kills.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

import tinyci

EXIT_CODES = {"success": 0, "skipped": 0, "failure": 1, "timed_out": 1, "canceled": 130}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Test all pending commits of a repository, and print a table."
    )
    parser.add_argument("repository", nargs="?", default=".", metavar="REPOSITORY")
    parser.add_argument("--jobs", type=int, help="test N commits at once")
    parser.add_argument("--quiet", action="store_true", help="print only the table")
    return parser.parse_args()


def show(event: tinyci.Event) -> None:
    """Prints what `tinyci run` prints: the log lines and the output of commands."""
    sys.stdout.write(event.log_lines)
    sys.stdout.flush()
    if event.kind == "output":
        sys.stdout.buffer.write(event.data)
        sys.stdout.buffer.flush()


def table(records: tuple[tinyci.Record, ...], subjects: dict[str, str]) -> str:
    rows = [("COMMIT", "OUTCOME", "TIME", "FAILED AT", "SUBJECT")]
    for record in records:
        failed = [
            step.name
            for step in record.steps
            if step.outcome in ("failure", "timed_out")
        ]
        rows.append(
            (
                record.commit[:10],
                record.outcome,
                f"{record.duration.total_seconds():.1f}s",
                failed[0] if failed else "-",
                subjects.get(record.commit, ""),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def main() -> int:
    options = arguments()
    with tinyci.open(options.repository, jobs=options.jobs) as engine:
        subjects = {commit.id: commit.subject for commit in engine.pending_commits()}
        with engine.run() as run:

            def stop(number: int, frame: FrameType | None) -> None:
                run.cancel()

            signal.signal(signal.SIGINT, stop)
            for event in run:
                if not options.quiet:
                    show(event)
    print(table(run.records, subjects) if run.records else "Nothing is pending.")
    return EXIT_CODES.get(run.outcome or "", 4)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except tinyci.Error as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(4)
