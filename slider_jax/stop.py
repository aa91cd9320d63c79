"""Stopping politely: a signal ends the run after the step that it is in."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import jax

RESUMABLE = 75  # exit code: EX_TEMPFAIL, "try again" to schedulers


class Interrupted(Exception):
    """The run was asked to stop, and has saved where it stands."""


@contextlib.contextmanager
def requested() -> Iterator[Callable[[int], bool]]:
    """Gives the question "stop after this step?", to be asked after every step.

    SIGTERM and SIGINT ask for it; a second SIGINT stops at once. Among many processes
    one signal to any of them stops all, after the same step.
    """
    caught = []

    def note(number, _):
        caught.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if jax.process_count() > 1:
            os.kill(os.getpid(), signal.SIGTERM)  # JAX hears it and tells the others

    def asked(step):
        if jax.process_count() == 1:
            return bool(caught)
        from jax.experimental import multihost_utils

        return multihost_utils.reached_preemption_sync_point(step)

    # Among many, SIGTERM stays with JAX, which has a handler of its own.
    mine = (
        [signal.SIGINT] if jax.process_count() > 1 else [signal.SIGINT, signal.SIGTERM]
    )
    before = {number: signal.signal(number, note) for number in mine}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
