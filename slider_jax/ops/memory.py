"""Keep freed memory instead of handing it back after every step.

By default glibc returns large buffers to the kernel, and every step faults all its
pages in anew: at 128 px that is up to 40 % of a CPU training step.
"""

import ctypes
import os
import sys

# From malloc.h: M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD (bytes), M_ARENA_MAX.
_SETTINGS = ((-4, 0), (-1, -1), (-2, 256 << 20), (-8, 1))


def keep_memory() -> bool:
    """Call once, before JAX starts its threads. Says whether it took effect.

    Linux with glibc only. `SLIDER_KEEP_MEMORY=0` leaves malloc as it is.
    """
    if sys.platform != "linux" or os.environ.get("SLIDER_KEEP_MEMORY") == "0":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(*setting) for setting in _SETTINGS)
