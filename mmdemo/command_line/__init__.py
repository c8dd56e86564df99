"""The command line: the verbs, which operation each is, and how it is carried out.

JSON on standard output and nothing else; progress and logs on standard error. Exit status 0: done; 2: the
input is wrong, said in one line; 1: a fault of mmdemo's.
"""

from __future__ import annotations

from mmdemo.command_line.command import main

__all__ = ["main"]
