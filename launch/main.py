"""Trains a config, from the command line. Flags stop here.

python launch/main.py --config=configs/slidergan.py:demo
"""

import os
import pathlib
import re
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from slider_jax import memory, settings

_CONFIG = config_flags.DEFINE_config_file("config", None, "What to train.")
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where results go; runs/<name of the config> if not given."
)
_MULTIHOST = flags.DEFINE_bool("multihost", False, "Join the other hosts first.")
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of process 0; clusters that JAX knows say it."
)
_PROCESSES = flags.DEFINE_integer("processes", None, "How many, with --coordinator.")
_PROCESS = flags.DEFINE_integer("process", None, "Which one, with --coordinator.")
flags.mark_flag_as_required("config")

# Seconds after which a silent process counts as dead. JAX's own 100 would be paid for
# on every other device.
_HEARTBEAT = 30
_DISK_FULL = re.compile("No space left|RESOURCE_EXHAUSTED: Error writing")
_OTHERS_GONE = re.compile("Connection|remote process|UNAVAILABLE|DEADLINE_EXCEEDED")


def main(argv: list[str]) -> int:
    """The exit code: 2 for a user's mistake, 75 for a run that can go on, else 1."""
    logging.set_verbosity(logging.WARNING)  # Orbax tells every file it touches
    memory.train()  # before JAX starts its threads
    import jax

    from slider_jax import stop, train

    try:
        if _MULTIHOST.value:
            _join()
        train.train(_CONFIG.value, workdir())
    except stop.Interrupted as interruption:
        return _stop(interruption, stop.RESUMABLE)
    except FloatingPointError as error:
        return _stop(error, 1)
    except KeyboardInterrupt:
        return _stop("Stopped; the same command goes on from what it had saved.", 130)
    except (ValueError, OSError) as error:
        if _DISK_FULL.search(str(error)):
            error = (
                f"The disk of {workdir()} is full. Free some; the same command goes on "
                "from the last checkpoint."
            )
        return _stop(error)
    except jax.errors.JaxRuntimeError as error:
        if not (_MULTIHOST.value and _OTHERS_GONE.search(str(error))):
            raise
        _stop(
            "Another process is gone. The same command on all hosts goes on from the "
            f"last checkpoint. ({str(error).splitlines()[0]})"
        )
        sys.stderr.flush()
        os._exit(stop.RESUMABLE)  # else JAX waits for the other, and aborts
    print(f"Done. Samples, logs and checkpoints are in {workdir()}.")
    return 0


def _join():
    import jax

    who = (_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    try:
        jax.distributed.initialize(*who, heartbeat_timeout_seconds=_HEARTBEAT)
    except ValueError as error:
        if who[0]:
            raise
        raise ValueError(
            "JAX knows no cluster here: --multihost needs --coordinator, --processes "
            "and --process."
        ) from error


def workdir() -> pathlib.Path:
    """`--workdir`, or runs/slidergan-demo for configs/slidergan.py:demo."""
    path, _, variant = flags.FLAGS["config"].config_filename.partition(":")
    name = "-".join(filter(None, [pathlib.Path(path).stem, variant.replace(",", "-")]))
    return pathlib.Path(_WORKDIR.value or pathlib.Path("runs", name))


def parse_flags(argv: list[str]) -> list[str]:
    """In the place of absl's: any mistake is one sentence, and exit 2."""
    try:
        settings.parse(flags.FLAGS, argv)
        flags_of_clusters = (_COORDINATOR, _PROCESSES, _PROCESS)
        given = [flag.name for flag in flags_of_clusters if flag.value is not None]
        if given and not _MULTIHOST.value:
            raise ValueError(f"--{given[0]} says nothing without --multihost.")
        if len(given) in (1, 2):
            raise ValueError("--coordinator, --processes and --process go together.")
        if given and not re.search(r":\d+$", _COORDINATOR.value):
            raise ValueError(f"--coordinator={_COORDINATOR.value} is no HOST:PORT.")
    except ValueError as error:
        sys.exit(_stop(error))
    return argv[:1]


def _stop(error: object, code: int = 2) -> int:
    print(f"launch: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
