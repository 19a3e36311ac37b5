"""Write arteries with their wall shear stress as PLY files, as data for `gaugenet train regression`.

    python examples/arteries.py --out arteries                  writes train/, val/, test/ and remeshed/
    gaugenet train regression --config examples/arteries.yaml --data arteries --out run
    gaugenet evaluate run --data arteries
    python examples/arteries.py --draw run                      draws arrows of the evaluation: run/arrows.png

Shapes are random, in millimetres; the stress, in pascals, is the reduced model of `gaugenet.data.physics.wall_shear`:
lubrication theory on the wall with corrections for curved vessels, not a simulation of blood. The parts contain
different arteries. `remeshed/test` contains the arteries of `test` with other vertices.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from gaugenet.data.fields.export import write_ply_fields
from gaugenet.data.physics.random_arteries import random_artery
from gaugenet.data.physics.wall_shear import inflow_distance, murray_flows, wall_flow
from gaugenet.geometry import TriangleMesh
from gaugenet.viz import FieldMap, MeshView, render_field_maps

SHARES = {"train": 0.72, "val": 0.12, "test": 0.16}
INLET_SHEAR = 1.0  # Pa


def write(file: Path, seed: int, *, edge: float, mesh_seed: int) -> int:
    """Write one artery, and return the number of its vertices."""
    artery = random_artery(seed)
    mesh = artery.mesh(edge, seed=mesh_seed)
    flow = wall_flow(artery, mesh, murray_flows(artery, INLET_SHEAR))
    fields = {"wss": flow.shear, "pressure": flow.pressure, "inflow_distance": inflow_distance(artery, mesh)}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_ply_fields(file, mesh, {"vertex": fields})
    return mesh.num_vertices


def draw(run: Path, count: int = 2) -> None:
    """Draw true and predicted stress, and the error, on the first test meshes of an evaluated run."""
    result, maps = json.loads((run / "evaluation_test.json").read_text()), []
    with np.load(run / "predictions_test.npz") as arrays:
        for entry in result["meshes"][:count]:
            mesh = TriangleMesh.load(entry["file"])
            truth, prediction = (arrays[f"{entry['name']}/wss/{part}"] for part in ("truth", "prediction"))
            view = MeshView(name=entry["name"], vertices=mesh.vertices, faces=mesh.faces)
            maps.append(FieldMap(view, "wall shear stress", "Pa", truth, prediction))
    scores = result["fields"]["wss"]
    title = f"Wall shear stress on arteries not seen before: NMAE {100 * scores['nmae']:.2f} %"
    render_field_maps(run / "arrows.png", maps, title=title, tile=420)
    print(f"{run / 'arrows.png'}: {title}")


def main() -> None:
    """Write the files, or draw a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("arteries"), help="folder for the files")
    parser.add_argument("--count", type=int, default=72, help="number of arteries")
    parser.add_argument("--edge", type=float, default=0.5, help="edge length of the meshes, mm")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first artery")
    parser.add_argument("--jobs", type=int, default=-1, help="processes; -1 uses all cores")
    parser.add_argument("--draw", type=Path, metavar="RUN", help="draw a run that was evaluated, and write no data")
    options = parser.parse_args()
    if options.draw:
        draw(options.draw)
        return
    seed, jobs = options.seed, []
    for split, share in SHARES.items():
        for _ in range(max(1, round(share * options.count))):
            name = f"{split}/artery_{seed:03d}.ply"
            jobs.append((options.out / name, seed, 0))
            if split == "test":
                jobs.append((options.out / "remeshed" / name, seed, 1))
            seed += 1
    found = Parallel(n_jobs=options.jobs)(delayed(write)(f, s, edge=options.edge, mesh_seed=m) for f, s, m in jobs)
    print(f"{options.out}: {len(found)} meshes of arteries, {sum(found) // len(found)} vertices on average")


if __name__ == "__main__":
    main()
