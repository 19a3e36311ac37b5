"""Start-up time: CPU seconds of new processes, on one thread.

    python benchmarks/start.py [--repeats 3] [--mesh FILE]

Rows are the import of torch, of a layer, and of a graph; `--help`; and `gaugenet predict human_seg` on one small mesh,
with compiled loops in numba's cache and with an empty cache. Times are the least of the repeats (one for the empty
cache).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MESH = Path(__file__).parents[1] / "meshes" / "bodies" / "test" / "cat_0.ply"
ROWS = {
    "import torch": ["-c", "import torch"],
    "from gaugenet.nn import GaugeConv": ["-c", "from gaugenet.nn import GaugeConv"],
    "import gaugenet.geometry.gauge_graph": ["-c", "import gaugenet.geometry.gauge_graph"],
    "gaugenet train segmentation --help": ["-m", "gaugenet", "train", "segmentation", "--help"],
}


def seconds(arguments: list[str], cache: str) -> tuple[float, float]:
    """Return seconds and CPU seconds of a Python process."""
    environment = os.environ | {"NUMBA_CACHE_DIR": cache, "OMP_NUM_THREADS": "1"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--mesh", type=Path, default=MESH)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:

        def row(name: str, arguments: list[str], repeats: int) -> None:
            found = [seconds(arguments, folder) for _ in range(repeats)]
            wall, cpu = (min(column) for column in zip(*found))
            print(f"{name:<42} {wall:6.2f} s  {cpu:6.2f} CPU s", flush=True)

        for name, arguments in ROWS.items():
            row(name, arguments, options.repeats)
        predict = ["-m", "gaugenet", "predict", "human_seg", str(options.mesh), "--overwrite", "--out", f"{folder}/out"]
        row("gaugenet predict, empty cache of numba", predict, 1)
        row("gaugenet predict", predict, options.repeats)


if __name__ == "__main__":
    main()
