"""Caffe's command line programs: their names, flags, log lines and exit codes; one file a program."""

from .programs import PROGRAMS, main, run

__all__ = ["PROGRAMS", "main", "run"]
