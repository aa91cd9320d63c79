"""Fresh memory is dear: the kernel clears it, page by page.

By default glibc hands large buffers back after every step, and the next step faults
all their pages in anew: at 128 px that is up to 40 % of a CPU training step. Import
this module and call it before JAX starts its threads. Linux with glibc only;
`SLIDER_KEEP_MEMORY=0` leaves malloc as it is.
"""

import ctypes
import importlib.metadata
import os
import pathlib
import sys

# From malloc.h: M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD (bytes).
_SETTINGS = ((-4, 0), (-1, -1), (-2, 256 << 20))
_ARENA_MAX = -8
_LARGE_PAGES = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")


def keep(arenas: int = 2) -> bool:
    """Keeps freed memory. Says whether it took effect.

    Outside of its first arena glibc maps what is larger than 64 MB, each time anew, and
    which one XLA's thread gets is chance. But where a program was compiled, and not
    loaded, a single arena has it look for memory among the compiler's scraps: a tenth
    to a fifth of its time.
    """
    if sys.platform != "linux" or os.environ.get("SLIDER_KEEP_MEMORY") == "0":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = (*_SETTINGS, (_ARENA_MAX, arenas))
    return mallopt is not None and all(mallopt(*setting) for setting in settings)


def schedule() -> None:
    """On one core, lets XLA order a program so that results are used soon, then gone.

    By itself it orders by what could run side by side, which two cores gain from.
    Numbers stay the same, to the bit, and a user's own choice stands. Only for versions
    of jaxlib that were tried: XLA ends the process where it does not know a flag.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    alone = sys.platform == "linux" and len(os.sched_getaffinity(0)) == 1
    known = importlib.metadata.version("jaxlib").startswith("0.10.")
    if alone and known and "scheduler" not in flags:
        chosen = "--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"
        os.environ["XLA_FLAGS"] = f"{flags} {chosen}".strip()


def train() -> None:
    """For programs whose buffers are gigabytes: starts this one anew, on large pages.

    Those are cheap to get, so that nothing need be kept. What is kept is not always
    used again: glibc before 2.38 finds no place for an aligned buffer in the hole that
    one of the same size has left, so a second step takes its memory a second time (at
    128 px and batch 16: 12.9 GB instead of 8.9; in a single arena 20.8). Without large
    pages, freed memory is kept all the same.
    """
    if "GLIBC_TUNABLES" in os.environ:
        return
    if not large_pages():
        keep()
        return
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def large_pages() -> bool:
    """For processes started from now on. Says whether there are any."""
    if not _LARGE_PAGES.is_file() or "[never]" in _LARGE_PAGES.read_text():
        return False
    if os.environ.get("SLIDER_KEEP_MEMORY") == "0":
        return False
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    return True
