"""Compiled programs stay on the disk."""

import os
import pathlib
import subprocess
import sys

import pytest

SMALL_RUN = pathlib.Path(__file__).parent / "small_run.py"


@pytest.mark.slow
def test_a_second_start_compiles_nothing(tmp_path):
    """A program that was compiled leaves a file; one that was found leaves none."""

    def programs_after(workdir):
        environment = os.environ | {"SLIDER_CACHE": str(tmp_path / "cache")}
        command = [sys.executable, SMALL_RUN, tmp_path / workdir, "--steps=2"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return {path.name for path in (tmp_path / "cache/programs").glob("*-cache")}

    first = programs_after("first")
    assert len(first) > 5  # the step, and what surrounds it
    assert programs_after("second") == first
