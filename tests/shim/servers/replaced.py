"""Runs an executable that is no longer there: replaced.py EXECUTABLE ARGUMENT..., a copy, which is removed.
The environment of the command is this one's, with LATER_PRELOAD for LD_PRELOAD."""

import os
import sys

executable = os.open(sys.argv[1], os.O_RDONLY)
os.unlink(sys.argv[1])
os.execve(executable, sys.argv[1:], {**os.environ, "LD_PRELOAD": os.environ["LATER_PRELOAD"]})
