"""How fast SliderGAN trains here, beside the same in PyTorch.

Every contender is a process of its own, with its own memory, compiler and threads.
They take turns, in an order that rotates, and while one works the others sleep: so a
busy minute of the machine hits them all. Before, it has run once in another process,
which compiled: the one that is timed loads its programs, as every start but the first
does, and finds no scraps of the compiler's in its memory. This file loads neither JAX
nor PyTorch, or the memory of one would count for the other.
"""

import contextlib
import dataclasses
import importlib
import importlib.util
import json
import math
import multiprocessing
import os
import pathlib
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from slider_jax import memory

SIZES = (64, 128, 256)  # of an image, pixels: what a critic of depth 6 takes
PLAYERS = ("critic", "generator")
SECONDS = 0.5  # how long a turn lasts at least
RIVAL = "PyTorch"
# sec. 5.2, without the identity.
WEIGHTS = {
    "critic": dict(
        adversarial=30.0, gradient_penalty=300.0, expression=1000.0, score_gap=None
    ),
    "generator": dict(
        adversarial=30.0,
        expression=1000.0,
        reconstruction=10.0,
        paired=10.0,
        attention=0.3,
        colour=None,
        moved=None,
        mask=None,
        mask_entropy=None,
    ),
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """The networks and the batch, the same for all. A round is n_critic + 1 updates."""

    size: int
    width: int
    batch: int
    blocks: int = 6
    depth: int = 6
    parameters: int = 30
    n_critic: int = 5

    def __str__(self):
        return f"{self.size} px, width {self.width}, batch {self.batch}"


@dataclasses.dataclass(frozen=True)
class Contender:
    """`module` has `prepare(setting, **options) -> tasks` and `facts(setting)`."""

    name: str
    module: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def train(
    *,
    size: int | None = None,
    width: int | None = None,
    batch: int | None = None,
    threads: int | None = None,
    turns: int = 9,
    styles: bool = False,
    only: str | None = None,
    as_json: bool = False,
) -> None:
    """Prints a table, or JSON with every single time; `only` are names with semicolons.

    Left out, sizes are those of performance's goals: 64 px, width 32 and batch 8 on a
    CPU (128 px: 64 and 4); 128 px, width 64, batch 16 and then 64 on a GPU.
    """
    memory.large_pages()  # as training has them
    backend = _backend()
    on_cpu = backend == "cpu"
    size = size or (64 if on_cpu else 128)
    if size not in SIZES:
        raise ValueError(f"--size is {size}; choose from {SIZES}.")
    width = width or min(64, size // 2)
    batches = [512 // size] if on_cpu else [16, 64]
    some = _named(only, contenders(backend, styles=styles))
    for b in [batch] if batch else batches:
        setting = Setting(size, width, b)
        with cores(threads) as count, _cache():
            found = compete(setting, some, turns=turns)
        found |= dict(backend=backend, threads=count)
        print(json.dumps(found) if as_json else table(found))


def contenders(backend: str, *, styles: bool = False) -> list[Contender]:
    """Ours, and PyTorch where it is installed. `styles`: all ways to convolve."""
    ours = lambda name, **options: Contender(name, "bench_jax", options)
    theirs = lambda name, **options: Contender(
        f"{RIVAL} {name}", "bench_torch", options
    )
    if backend == "cpu":
        some = [ours("ours"), ours("ours, scanned", unroll=False)]
        if styles:
            some += [ours(f"ours, {s}", style=s) for s in ("plain", "winograd2")]
        rivals = [
            theirs("eager"),
            theirs("eager, channels last", channels_last=True),
            theirs("compiled", compiled=True),
            theirs("compiled, channels last", compiled=True, channels_last=True),
            # Less exact than ours, which has no such mode on CPUs.
            theirs("eager, bfloat16", dtype="bfloat16"),
            theirs("compiled, bfloat16", compiled=True, dtype="bfloat16"),
        ]
    else:
        types = ("float32", "bfloat16")
        some = [
            ours(f"ours, {how}, {dtype}", unroll=how == "unrolled", dtype=dtype)
            for dtype in types
            for how in ("scanned", "unrolled")
        ]
        rivals = [
            theirs(
                f"{how}, {dtype}",
                compiled=how == "compiled",
                channels_last=True,
                dtype=dtype,
            )
            for dtype in types
            for how in ("eager", "compiled")
        ]
    return some + (rivals if importlib.util.find_spec("torch") else [])


def _named(only, some):
    """Those of the names, in our order."""
    if only is None:
        return some
    names, known = re.split(r"\s*;\s*", only.strip()), [c.name for c in some]
    if unknown := sorted({*names} - {*known}):
        raise ValueError(f"--only has {unknown[0]!r}; choose from {'; '.join(known)}.")
    if all(name.startswith(RIVAL) for name in names):
        raise ValueError("--only has none of ours to compare with: add 'ours'.")
    return [contender for contender in some if contender.name in names]


def compete(setting: Setting, some: list[Contender], *, turns: int) -> dict[str, Any]:
    """Everything measured, as plain values; times in seconds, memory in bytes."""
    with contextlib.ExitStack() as stack:
        pipes, facts = {}, {}
        for contender in some:  # one after the other: compilers get all cores
            name = contender.name
            with _worker(setting, contender) as pipe:
                compiled = _receive(name, pipe)
            pipes[name] = stack.enter_context(_worker(setting, contender))
            facts[name] = _receive(name, pipes[name])
            facts[name] |= {key: compiled[key] for key in ("first", "memory")}
            facts[name] |= {t: {"wall": [], "cpu": []} for t in (*PLAYERS, "round")}
        names = list(pipes)
        for turn in range(turns):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                for task in facts[name]["tasks"]:
                    wall, cpu = _receive(name, pipes[name], task)
                    facts[name][task]["wall"].append(wall)
                    facts[name][task]["cpu"].append(cpu)
    return dict(setting=dataclasses.asdict(setting), contenders=facts)


def work(pipe: Any, setting: Setting, contender: Contender) -> None:
    """The life of a worker: says its `facts`, then the time of each task it is told."""
    memory.keep(arenas=1)
    memory.schedule()
    module = importlib.import_module(f"slider_jax.{contender.module}")
    start = time.perf_counter()
    tasks = module.prepare(setting, **contender.options)
    tasks["round"]()
    first = time.perf_counter() - start
    tasks["round"]()
    facts = dict(first=first, memory=_peak_memory())
    # From here on nothing counts but time.
    facts |= module.facts(setting, **contender.options)
    for task in tasks.values():
        task()
    pipe.send(facts | dict(tasks=list(tasks)))
    with contextlib.suppress(EOFError):  # the other end was closed
        while True:
            pipe.send(_time_of(tasks[pipe.recv()]))


def _time_of(task):
    """Seconds of one call, by the clock and of the processor.

    Two more go before: while others played, the host of a virtual machine may have
    taken back pages that this process does not use between its calls. A first call
    after ten seconds of sleep took a third longer here, a second one 5 %.
    """
    task()
    task()
    calls, wall, cpu = 0, time.perf_counter(), time.process_time()
    while not calls or time.perf_counter() < wall + SECONDS:
        task()
        calls += 1
    return [
        (time.perf_counter() - wall) / calls,
        (time.process_time() - cpu) / calls,
    ]


@contextlib.contextmanager
def _cache() -> Iterator[None]:
    """Workers started in here find what others have compiled, and nothing older."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "JAX_COMPILATION_CACHE_DIR": folder,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "TORCHINDUCTOR_CACHE_DIR": folder,
        }
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def _worker(setting: Setting, contender: Contender) -> Iterator[Any]:
    """The near end of a pipe to a process that runs `work`."""
    context = multiprocessing.get_context("spawn")
    pipe, far = context.Pipe()
    process = context.Process(target=work, args=(far, setting, contender), daemon=True)
    process.start()
    far.close()
    try:
        yield pipe
    finally:
        pipe.close()  # which ends it, unless it is at work
        process.join(3)
        process.terminate()
        process.join()


def _receive(name, pipe, task=None):
    """What a worker says, by itself or after a task."""
    try:
        if task:
            pipe.send(task)
        return pipe.recv()
    except (EOFError, ConnectionError):  # the second if it was killed meanwhile
        raise ValueError(
            f"{name} stopped; what it said is above. If it said nothing, memory ran "
            "out: take a smaller --batch."
        ) from None


@contextlib.contextmanager
def cores(threads: int | None) -> Iterator[int]:
    """Workers started in here have this many cores; says how many."""
    if threads is None:
        yield len(os.sched_getaffinity(0)) if _can_pin() else os.cpu_count()
        return
    if not _can_pin():
        raise ValueError("--threads works on Linux only: leave it out.")
    allowed = os.sched_getaffinity(0)
    if not 1 <= threads <= len(allowed):
        raise ValueError(f"--threads is {threads}; there are {len(allowed)} cores.")
    os.sched_setaffinity(0, sorted(allowed)[-threads:])
    try:
        yield threads
    finally:
        os.sched_setaffinity(0, allowed)


def _can_pin():
    return hasattr(os, "sched_setaffinity")


def _backend() -> str:
    """Of JAX. Here it must not take the memory of the GPU that workers need."""
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    import jax

    return jax.default_backend()


def fastest(multiply: Callable[[], object], rows: int) -> float:
    """GFLOP/s of the quickest of ten products of two square matrices."""
    times = []
    for _ in range(10):
        start = time.perf_counter()
        multiply()
        times.append(time.perf_counter() - start)
    return 2 * rows**3 / min(times) / 1e9


def _peak_memory():
    """Of this process so far, in bytes; None where the system does not say."""
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return None
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])


# ------------------------------------------------------------ what it says


def table(found: dict[str, Any]) -> str:
    """For people: medians of the turns, and how many times faster we are."""
    setting, rows = Setting(**found["setting"]), found["contenders"]
    flops = next(row["flops"] for row in rows.values() if "flops" in row)
    peaks = {
        (row["dtype"], library): speed
        for row in rows.values()
        for library, speed in row["matrix"].items()
    }
    where = next(row["device"] for row in rows.values())
    width = max(map(len, rows))
    lines = [
        f"{setting}, {found['threads']} threads, {where}; medians, seconds",
        f"{'':{width}}  critic  generator   round  CPU/round  first    GB  GFLOP/s"
        "  of peak  images/s",
    ]
    for name, row in rows.items():
        whole = median(row, "round")
        speed = flops / whole / 1e9
        peak = max(v for (dtype, _), v in peaks.items() if dtype == row["dtype"])
        memory = f"{row['memory'] / 1e9:.1f}" if row["memory"] else "-"
        lines.append(
            f"{name:{width}}  {_cell(row, 'critic'):>6}  {_cell(row, 'generator'):>9}"
            f"  {whole:6.3f}  {median(row, 'round', 'cpu'):9.3f}  {row['first']:5.1f}"
            f"  {memory:>4}  {speed:7.0f}  {speed / peak:7.0%}"
            f"  {setting.n_critic * setting.batch / whole:8.1f}"
        )
    products = [f"{name} {dtype} {v:.0f}" for (dtype, name), v in peaks.items()]
    lines += [
        f"A round is {flops / 1e9:.0f} GFLOP with convolutions as they are defined; "
        f"matrix products reach {', '.join(products)} GFLOP/s.",
        *_verdict(rows, setting),
    ]
    return "\n".join(lines)


def median(row: dict[str, Any], task: str, clock: str = "wall") -> float:
    """Seconds of one call."""
    return statistics.median(row[task][clock]) if row[task][clock] else math.nan


def _cell(row, task):
    seconds = median(row, task)
    return "-" if math.isnan(seconds) else f"{seconds:.3f}"


def _verdict(rows, setting):
    """Our best against the best of theirs in every type of theirs, by both clocks."""
    if not any(name.startswith(RIVAL) for name in rows):
        missing = importlib.util.find_spec("torch") is None
        why = "is not installed" if missing else "took no part"
        yield f"{RIVAL} {why}, so there is nobody to compare with."
        return
    rivals = [row for name, row in rows.items() if name.startswith(RIVAL)]
    for dtype in dict.fromkeys(row["dtype"] for row in rivals):
        for clock, words in (("wall", "by the clock"), ("cpu", "in processor time")):
            yield f"{dtype}, {words}: {_comparison(rows, setting, dtype, clock)}"


def _comparison(rows, setting, dtype, clock):
    rounds = {name: median(row, "round", clock) for name, row in rows.items()}
    ours = [name for name in rows if not name.startswith(RIVAL)]
    same = [name for name, row in rows.items() if row["dtype"] == dtype]
    rivals = [name for name in same if name not in ours]
    mine = min([name for name in ours if name in same] or ours, key=rounds.get)
    rival = min(rivals, key=rounds.get)
    critic, generator = (
        min(median(rows[name], task, clock) for name in rivals) for task in PLAYERS
    )
    mixed = setting.n_critic * critic + generator
    return (
        f"{mine} is {rounds[rival] / rounds[mine]:.2f} times as fast as {rival}, and "
        f"{mixed / rounds[mine]:.2f} times as the best critic and the best generator "
        f"of {RIVAL} together."
    )
