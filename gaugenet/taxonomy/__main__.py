"""Write the page: `python -m gaugenet.taxonomy > docs/taxonomy.md`, and draw: `--pictures docs/images/taxonomy`."""

import argparse
import sys

from gaugenet.taxonomy import ROWS, page

parser = argparse.ArgumentParser(prog="python -m gaugenet.taxonomy", description="Write the page of the taxonomy.")
parser.add_argument("--pictures", metavar="FOLDER", help="also draw every row, into this folder (a minute)")
options = parser.parse_args()
if options.pictures is not None:
    from gaugenet.taxonomy.pictures.draw import write_pictures

    write_pictures(ROWS, options.pictures)
sys.stdout.buffer.write(page().encode())
