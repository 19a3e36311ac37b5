"""`gaugenet view MESH|DIR --out page.html`: meshes and their labels, to turn with the mouse."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from gaugenet.commands import climate
from gaugenet.commands._common import make_parser, say

DESCRIPTION = """Write an HTML page that opens offline: a mesh, a folder of meshes (labelled or not), what
`gaugenet predict` wrote, or a run that was evaluated (prediction, truth and error side by side)."""


def run(arguments: list[str]) -> int:
    """Parse, load, write; the exit status."""
    parser = make_parser("view", DESCRIPTION)
    parser.add_argument("path", type=Path, metavar="MESH|DIR", help="what to look at")
    parser.add_argument("--out", type=Path, required=True, metavar="PAGE.html", help="the page to write")
    parser.add_argument("--png", type=Path | None, default=None, metavar="FILE", help="also draw a picture")
    parser.add_argument(
        "--split",
        type=Literal["train", "val", "test"] | None,
        default=None,
        help="part of a run or data set; by default the first there is of test, val, train",
    )
    parser.add_argument("--limit", type=int, default=24, help="show at most so many meshes")
    parser.add_argument("--png-limit", type=int, default=6, help="and so many in the picture")
    parser.add_argument("--title", type=str | None, default=None, help="heading")
    parser.add_argument("--theme", type=Literal["light", "dark"], default="light", help="background")
    options = parser.parse_args(arguments)

    if climate.is_climate_run([str(options.path)]):
        return climate.view(options.path, options.out, options.png)

    from gaugenet.tasks.pictures import exhibit
    from gaugenet.viz import render_meshes, write_viewer

    shown = exhibit(options.path, split=options.split, limit=options.limit)
    title = options.title or shown.title
    write_viewer(options.out, shown.views, title=title, class_names=shown.class_names, theme=options.theme)
    say(f"{options.out}: {len(shown.views)} meshes")
    if options.png is not None:
        few = exhibit(options.path, split=options.split, limit=options.png_limit)
        columns = 2 if len(few.views) > 3 and any(v.error is not None for v in few.views) else None
        render_meshes(
            options.png, few.views, title=title, class_names=few.class_names, theme=options.theme, columns=columns
        )
        say(f"{options.png}: {len(few.views)} meshes")
    return 0
