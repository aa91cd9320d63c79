r"""StarGAN (Choi et al. 2018): seven discrete expressions, 128 x 128 pixels.

    python launch/main.py --config=configs/stargan.py \
        --config.data.folder=/data/open_faces --workdir=runs/stargan

It learns from faces that wear one of the seven emotions, as the renderer labelled them:
a fraction of a set, about four in ten rows. Weights, batch, Adam and flips are those of
the authors' code (10 on the mean over channels that we sum), as is a rate that is
constant for half of the steps and then linear to 0. Steps are counted as in
configs/slidergan.py, so that all see as many faces.
"""

import ml_collections
from ml_collections import config_dict

VARIANTS = ("full", "small", "demo", "tiny", "gpu")


def get_config(variant: str = "full") -> ml_collections.ConfigDict:
    asked = variant.split(",")
    for name in asked:
        if name not in VARIANTS:
            raise ValueError(
                f"Unknown variant {name!r}; choose from {VARIANTS}, or some of them "
                "with commas."
            )

    config = ml_collections.ConfigDict()
    config.seed = 0
    config.parallel = "pmap"  # or "jit"; same numbers, see slider_jax/parallel.py
    config.start = config_dict.placeholder(str)  # a model, to begin with its weights
    config.unroll = config_dict.placeholder(bool)  # the critic's loop: on CPUs

    config.system = "stargan"
    config.model = dict(
        parameters=7,
        size=128,
        width=64,
        blocks=6,
        depth=6,
        distance="absolute",
        mapped=False,  # short cuts of the demo
        added=False,
        warped=False,
        fold=1,
        tint=1.0,
        initial="torch",
        dtype="float32",
    )
    config.identity = "none"

    config.data = dict(
        folder=config_dict.placeholder(str),  # "tiny" is the set in the package
        image_size=config.model.get_ref("size"),
        batch_size=16,
        n_critic=5,
        labels="classes",
        speech=False,
        pairs="strangers",  # it learns without ground truth
        mirror=True,
        noise=0.0,
        photographic=0.0,  # to 1: makes renders look photographed
        threads=1,
        workers=0,
        cache=False,
    )
    config.learning_rate = dict(critic=1e-4, generator=1e-4)
    config.constant = 1 / 2  # of the epochs (or steps), before the rate falls
    config.ema_decay = 0.999

    weights = dict(
        critic=dict(adversarial=1.0, gradient_penalty=10.0, classification=1.0),
        generator=dict(adversarial=1.0, classification=1.0, reconstruction=10 / 3),
    )
    config.phases = (phase("paired", 20, weights), phase("unpaired", 40, weights))
    config.every = dict(log=100, samples=1000, checkpoint=1000)
    config.keep = 3  # checkpoints
    config.samples = 4  # rows of each block of a sheet

    if {"demo", "small"} & {*asked}:  # networks and batches of SliderGAN's `:small`
        config.model.update(size=64, width=24, blocks=4, depth=5, initial="he")
        config.model.update(mapped=True, added=True, distance="squared")
        config.data.update(folder="tiny", batch_size=8, n_critic=1, cache=True)
        config.learning_rate = dict(critic=5e-4, generator=5e-4)
        config.ema_decay = 0.98
        config.phases[0].steps, config.phases[1].steps = 750, 50
        config.every = dict(log=20, samples=100, checkpoint=200)
    if "small" in asked:  # an hour of CPU: as the demo, but the critic reads first
        config.data.update(folder=None, n_critic=2)
        config.learning_rate.critic = 1e-3
        config.ema_decay = 0.99
        paired, unpaired = config.phases
        reads = dict(
            critic=dict(classification=1.0), generator=dict(classification=0.0)
        )
        reading = phase("unpaired", 0, reads)
        reading.name = "reading"
        for p, steps in ((reading, 5000), (paired, 800), (unpaired, 100)):
            p.steps = steps
        config.phases = (reading, paired, unpaired)
        config.every.update(samples=400, checkpoint=400)
    if "tiny" in asked:  # for tests
        config.model.update(size=64, width=2, blocks=1, depth=4)
        config.data.update(folder="tiny", batch_size=8, n_critic=1)
        for p in config.phases:
            p.steps = 4
        config.every = dict(log=2, samples=4, checkpoint=3)
        config.samples = 1
    if "gpu" in asked:
        config.model.dtype = "bfloat16"
        config.data.update(batch_size=64, workers=8, cache=False)
        config.learning_rate = dict(critic=2e-4, generator=2e-4)
    return config


def phase(name, epochs, weights):
    return config_dict.create(
        name=name,
        split=f"train_{name}",
        epochs=epochs,
        steps=0,  # instead of epochs, where it is not 0
        weights=weights,
    )
