"""Lets `python -m kho_cli` stand for `kho`."""

import sys

from kho_cli.main import main

sys.exit(main())
