"""`gaugenet evaluate RUN --data DATA`: scores of a trained network on labelled data."""

from __future__ import annotations

from gaugenet.commands._common import parse_for_run, write_json_line, write_line
from gaugenet.tasks.training.task import option

_JSON = option("--json", action="store_true", help="print everything as JSON")


def run(arguments: list[str]) -> int:
    """Parse the arguments, score the run, print the result; return the exit status."""
    task, folder, options = parse_for_run("evaluate", lambda task: task.evaluation, arguments, _JSON)
    as_json = options.pop(_JSON.keyword)
    result = task.evaluate(folder, **options)
    if as_json:
        write_json_line(result)
    else:
        write_line(task.describe(result))
    return 0
