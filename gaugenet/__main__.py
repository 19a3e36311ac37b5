"""`python -m gaugenet`."""

from gaugenet.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
