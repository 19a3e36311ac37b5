"""`gaugenet predict RUN INPUT... --out OUT`: predictions of a trained network for unlabelled data."""

from __future__ import annotations

import sys

from gaugenet.commands._common import parse_for_run, write_line


def run(arguments: list[str]) -> int:
    """Parse the arguments, predict, report the result; return the exit status."""
    task, folder, options = parse_for_run("predict", lambda task: task.prediction, arguments)
    found = task.predict(folder, **options)
    for line in found.lines:
        write_line(line)
    for problem in found.problems:
        sys.stderr.write(f"gaugenet: {problem}\n")
    return 1 if found.problems else 0
