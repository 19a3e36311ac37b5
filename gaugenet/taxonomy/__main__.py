"""Write the page: `python -m gaugenet.taxonomy > docs/taxonomy.md`."""

import sys

from gaugenet.taxonomy import page

sys.stdout.buffer.write(page().encode())
