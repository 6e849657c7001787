"""Python functions for Coppice, a way to test them without an engine, and a thin client.

    from coppice import function, scratch_file    # in the file that CREATE FUNCTION names
    from coppice.testing import call              # in its tests
    from coppice import connect                   # in programs that use a home
"""

from coppice.client import CoppiceError, Home, connect
from coppice.functions import function, scratch_file

__all__ = ["CoppiceError", "Home", "connect", "function", "scratch_file"]
