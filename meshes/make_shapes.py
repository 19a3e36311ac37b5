"""Make upright bodies, one class a kind, in the layout of ModelNet: run `python meshes/make_shapes.py --out DIR`.

DIR/KIND/train/KIND_0000.off and so on stand upright (z up) and look along x. `examples/classify_points.py` reads them.
Needs scikit-image (marching cubes) and fast-simplification (decimation), which gaugenet itself does not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import trimesh
from generator.sampler import make_body

from gaugenet.files import atomic_path

KINDS = ("cat", "cow", "dog", "elephant", "giraffe", "horse", "lizard", "man", "pig", "sauropod")


def main() -> None:
    """Write the bodies that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--train", type=int, default=16, help="training meshes of a kind")
    parser.add_argument("--test", type=int, default=8, help="test meshes of a kind")
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    args = parser.parse_args()
    for kind in args.kinds:
        for part, first, count in (("train", 0, args.train), ("test", 10_000, args.test)):
            folder = args.out / kind / part
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                path = folder / f"{kind}_{first + number:05}.off"
                if not path.exists():
                    seed = int(np.random.SeedSequence([first + number, *kind.encode()]).generate_state(1)[0])
                    body = make_body(kind, seed, spread=0.15, turned=False)
                    text = trimesh.Trimesh(body.vertices, body.faces, process=False).export(file_type="off")
                    with atomic_path(path) as temporary:  # a file that is there is complete
                        temporary.write_text(text)
        print(f"{args.out / kind}: {args.train} + {args.test} meshes", flush=True)


if __name__ == "__main__":
    main()
