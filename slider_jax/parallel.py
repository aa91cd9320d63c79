"""Every line that knows about devices. Data parallel: state replicated, batch split.

Both strategies run one step function on one CPU, eight GPUs, or many hosts, and in
both a state looks just as it does on one device: no leading device axis. So nothing
outside this file needs to know which of them is in use.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from slider_jax.batch import Batch
from slider_jax.step import TrainState

AXIS = "devices"


@dataclasses.dataclass(frozen=True)
class Pmap:
    """One program per device. The step averages over `axis_name` by hand."""

    axis_name = AXIS

    def replicate(self, state: TrainState) -> TrainState:
        """Call before the first step: pmap may only donate what is in place."""
        return _place(state, jax.local_devices())

    def split(self, batches: Batch) -> Batch:
        """[n_critic, batch, ...] -> [n_critic, device, batch // device, ...]."""
        n = jax.local_device_count()
        batches = jax.tree.map(
            lambda x: x.reshape(x.shape[0], n, -1, *x.shape[2:]), batches
        )
        return _place(batches, jax.local_devices(), None, AXIS)

    def compile(self, step: Callable) -> Callable:
        return jax.pmap(
            step,
            self.axis_name,
            in_axes=(None, 1, None),
            out_axes=None,
            donate_argnums=0,
        )


@dataclasses.dataclass(frozen=True)
class Jit:
    """One program for all devices. The compiler inserts the averages."""

    axis_name = None

    def replicate(self, state: TrainState) -> TrainState:
        return _place(state, jax.devices())

    def split(self, batches: Batch) -> Batch:
        """Each host gives its slice; together they are one global batch."""
        return _place(batches, jax.devices(), None, AXIS)

    def compile(self, step: Callable) -> Callable:
        return jax.jit(step, donate_argnums=0)


STRATEGIES = {"pmap": Pmap(), "jit": Jit()}


def check_batch(batch_size: int) -> None:
    """The door: a batch is shared out evenly over all devices."""
    if batch_size % jax.device_count():
        raise ValueError(
            f"A batch of {batch_size} does not split over {jax.device_count()} "
            "devices: set --config.data.batch_size to a multiple."
        )


def to_host(tree: Any) -> Any:
    """Replicated values as NumPy arrays, a copy that donation cannot take back."""
    return jax.tree.map(lambda x: np.array(x.addressable_data(0)), tree)


def wait_for_all(name: str) -> None:
    """Until every process is here; `name` is the place, the same for all."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


def _place(tree: Any, devices: Sequence[jax.Device], *spec: str | None) -> Any:
    """Puts this host's arrays on `devices`, laid out by `spec`."""
    sharding = NamedSharding(Mesh(np.array(devices), (AXIS,)), PartitionSpec(*spec))
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)), tree
    )
