"""`gaugenet view MESH|DIR --out page.html`: meshes, labels, fields, frames, discs and kernels to turn by mouse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gaugenet.commands._common import make_parser, write_line
from gaugenet.files import check_outputs, files_in
from gaugenet.tasks.table import task_of_run

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

_DESCRIPTION = """Write an HTML page that opens offline, or a PNG: a mesh, a folder of meshes (labelled or not), what
`gaugenet predict` wrote, or a run that was evaluated (prediction, truth and error side by side).

Of one mesh it also draws fields (--show), and what a network sees: frames, geodesic discs in log coordinates, and
kernels on the surface."""
_ON_THE_SURFACE = ("frames", "at", "group", "disc", "kernel", "radius", "fields", "run", "layer", "entry")


def run(arguments: list[str]) -> int:
    """Parse the arguments, load the data, write the picture; return the exit status."""
    parser = make_parser("view", _DESCRIPTION)
    _add_arguments(parser)
    _add_surface_arguments(parser)
    options = parser.parse_args(arguments)
    files = [file for file in (options.out, options.png) if file is not None]
    for file in files:
        if file.suffix.lower() not in (".html", ".png"):
            raise ValueError(f"Expected a file that ends in .html or .png, got {file}.")
    check_outputs(files, inputs=_read_by(options), overwrite=options.overwrite)
    if options.show:
        return _draw_fields(options, files)
    if options.transport or any(options[name] is not None for name in _ON_THE_SURFACE):
        return _draw_on_surface(options, files)
    for file in files:
        write_line(_draw(file, options))
    return 0


def _read_by(options: Namespace) -> list[Path]:
    """Return the files that a page is made from: meshes, runs and results of predictions."""
    given = [path for path in (options.path, options.run) if path is not None]
    return [file for path in given for file in (files_in(path) if path.is_dir() else [path])]


def _draw(file: Path, options: Namespace) -> str:
    """Write a page or a picture; the task of a run draws it, anything else is drawn as meshes."""
    look: dict[str, Any] = {name: options[name] for name in ("azimuth", "elevation", "theme", "split", "title")}
    if options.worst is not None:
        look["worst"] = options.worst
    look["limit"] = options.limit if file.suffix.lower() == ".html" else options.png_limit
    task = task_of_run(options.path)
    if task is not None:
        return task.draw(options.path, file, **look)
    from gaugenet.tasks.mesh.pictures import draw_meshes

    return draw_meshes(options.path, file, **look)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="MESH|DIR", help="what to look at")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="PAGE.html or PICTURE.png to write")
    parser.add_argument("--overwrite", action="store_true", help="replace pages and pictures that exist")
    parser.add_argument("--png", type=Path | None, default=None, metavar="FILE", help="also draw a picture")
    parser.add_argument(
        "--split",
        type=Literal["train", "val", "test"] | None,
        default=None,
        help="part of a run or data set; by default the first there is of test, val, train",
    )
    parser.add_argument("--limit", type=int, default=24, help="the largest number of meshes on a page")
    parser.add_argument("--png-limit", type=int, default=6, help="the largest number of meshes in a picture")
    parser.add_argument(
        "--worst", type=int | None, default=None, metavar="N", help="of a run: show the N least accurate meshes"
    )
    parser.add_argument(
        "--show", nargs="+", metavar="FIELD", help="of a mesh file: draw these fields of it, scalars or vectors"
    )
    parser.add_argument(
        "--drawn", type=Literal["arrows", "lines", "both"], default="arrows", help="vectors as arrows, stream lines"
    )
    parser.add_argument("--title", type=str | None, default=None, help="heading")
    parser.add_argument("--theme", type=Literal["light", "dark"], default="light", help="background")
    parser.add_argument("--azimuth", type=float, default=25.0, help="degrees that the viewer stands to the right")
    parser.add_argument("--elevation", type=float, default=12.0, help="and above the horizon")


def _add_surface_arguments(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("drawn on one mesh (vertices are counted from 0, as in the file)")
    group.add_argument(
        "--frames",
        nargs="?",
        const="first_edge",
        metavar="FIELD",
        help="frames, first vector orange: first_edge (if none is named), random, principal, or crossN: a smooth field "
        "of N directions",
    )
    group.add_argument("--count", type=int, default=60, help="number of frames, far from each other")
    group.add_argument("--at", nargs="+", type=int, metavar="VERTEX", help="vertices of the frames, instead of a count")
    group.add_argument(
        "--group",
        metavar="NAME",
        help='structure group, such as "SO(2)", "O(2)", C_4: frames with all that it leads to, faintly; checked',
    )
    group.add_argument(
        "--disc", nargs="*", type=int, metavar="VERTEX", help="geodesic discs in log coordinates, a dozen if none named"
    )
    group.add_argument(
        "--kernel", nargs="*", type=int, metavar="VERTEX", help="an entry of a kernel, blue negative and red positive"
    )
    group.add_argument("--radius", type=float, help="of both; by default a tenth of the square root of the area")
    group.add_argument(
        "--transport",
        "--carry",
        action="store_true",
        help="transport the kernel by parallel transport from each vertex to the next",
    )
    group.add_argument(
        "--fields", metavar="TYPES", help='of a kernel with random weights, "INPUT -> OUTPUT" such as "1x0 -> 1x1"'
    )
    group.add_argument("--seed", type=int, default=0, help="of the random weights")
    group.add_argument("--run", type=Path, metavar="RUN", help="draw a kernel of this trained network instead")
    group.add_argument("--layer", metavar="NAME", help="which layer of it; the first by default")
    group.add_argument(
        "--entry",
        nargs=2,
        type=int,
        metavar=("ROW", "COLUMN"),
        help="of K(v); by default one that depends on direction",
    )


def _draw_fields(options: Namespace, files: list[Path]) -> int:
    from gaugenet.tasks.mesh.field_views import draw_fields_of

    look: dict[str, Any] = {name: options[name] for name in ("azimuth", "elevation", "theme")}
    title = options.title or options.path.name
    draw_fields_of(options.path, options.show, files, drawn=options.drawn, title=title, **look)
    for file in files:
        write_line(str(file))
    return 0


def _draw_on_surface(options: Namespace, files: list[Path]) -> int:
    from gaugenet.tasks.mesh.pictures import load_views
    from gaugenet.tasks.mesh.surface_pictures import DrawOptions, draw_on_mesh

    if options.path.is_dir():
        raise ValueError(
            f"Frames, discs and kernels are drawn on one mesh, and {options.path} is a folder: name a file."
        )
    picture = draw_on_mesh(
        load_views(options.path).views[0],
        DrawOptions(
            frames=options.frames,
            group=options.group,
            count=options.count,
            at=options.at,
            discs=options.disc,
            kernels=options.kernel,
            transport=options.transport,
            radius=options.radius,
            fields=options.fields,
            run=options.run,
            layer=options.layer,
            entry=options.entry,
            seed=options.seed,
        ),
    )
    look: dict[str, Any] = {name: options[name] for name in ("azimuth", "elevation", "theme")}
    for file in files:
        picture.save(file, title=options.title or options.path.name, **look)
        write_line(str(file))
    return 0
