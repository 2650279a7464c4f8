"""`python -m fastredis` is the command `fastredis`."""

import sys

from fastredis.cli import main

if __name__ == "__main__":
    sys.exit(main())
