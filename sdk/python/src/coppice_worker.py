"""Starts coppice.worker from the folder that this file is in, whatever else is installed."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from coppice.worker import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
