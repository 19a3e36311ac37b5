"""Make the labelled bodies in `meshes/bodies`: run `python meshes/make_bodies.py`.

Needs scikit-image (marching cubes) and fast-simplification (decimation), which gaugenet itself does not.
Every body has its own seed; the same versions of numpy, scikit-image and fast-simplification give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from generator.plan import SEED, entries
from generator.ply import ply_bytes
from generator.sampler import make_body
from generator.skeleton import CLASSES

FOLDER = Path(__file__).parent / "bodies"


def used_versions() -> dict[str, str]:
    """What the bytes of the result depend on."""
    names = ("numpy", "scikit-image", "fast-simplification")
    return {name: version(name) for name in names} | {"machine": platform.machine()}


def main() -> None:
    """Write meshes, labels and their manifest."""
    parser = argparse.ArgumentParser(description="Make the labelled articulated bodies.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to (default: meshes/bodies)")
    out = parser.parse_args().out
    began, records = time.perf_counter(), {}
    for entry in entries():
        mesh = make_body(entry.kind, entry.seed, spread=entry.spread)
        content = ply_bytes(mesh, f"gaugenet body: {entry.kind}, seed {entry.seed}")
        target = out / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        records[entry.path] = {
            "kind": entry.kind,
            "seed": entry.seed,
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
            "faces_per_class": np.bincount(mesh.labels, minlength=len(CLASSES)).tolist(),
            "rotation": np.round(mesh.rotation, 6).tolist(),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        print(f"{target}: {len(mesh.vertices)} vertices, {len(mesh.faces)} faces, {len(content)} bytes")
    (out / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    manifest = {"classes": CLASSES, "seed": SEED, "versions": used_versions(), "meshes": records}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    total = sum(record["bytes"] for record in records.values())
    print(f"{len(records)} meshes, {total / 1e6:.2f} MB, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
