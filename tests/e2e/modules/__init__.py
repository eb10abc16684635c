"""Loadable protocols of the tests, compiled when a test wants one."""

import os
import pathlib
import shlex
import subprocess

from banterd import PATIENCE, ROOT

HERE = pathlib.Path(__file__).resolve().parent

# What flood.c answers.
FLOOD = bytes(range(251)) * 4000 * 25


def compile_object(source, target):
    """Builds a shared object; `source` is the path of a C file."""
    subprocess.run(
        [*shlex.split(os.environ.get("CC", "cc")), "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE",
         f"-I{ROOT / 'src'}", "-o", str(target), str(source)],
        check=True, timeout=PATIENCE,
    )


def compile_module(name, directory):
    """Builds NAME.c of this directory, and returns the path of the object."""
    target = pathlib.Path(directory) / f"{name}.so"
    compile_object(HERE / f"{name}.c", target)
    return target


def compile_text(text, target):
    """Builds a shared object from C text."""
    source = pathlib.Path(target).with_suffix(".c")
    source.write_text(text, encoding="utf-8")
    compile_object(source, target)
