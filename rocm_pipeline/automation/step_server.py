"""Preloaded by the server that steps are forked from, and imported by nobody else.

It puts the server, and so every step and Dagster's own helpers of a step, in a process group of
their own: a Ctrl-C of the terminal reaches the command alone, which ends its steps in order.
"""

import os

os.setpgrp()
