"""`python -m earmark` is the command `earmark`."""

from __future__ import annotations

import sys

from earmark.apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
