r"""GANimation (Pumarola et al. 2018): 17 action units, 128 x 128 pixels.

    python launch/main.py --config=configs/ganimation.py \
        --config.data.folder=/data/open_faces --workdir=runs/ganimation

`:blendshapes` puts the 30 components in place of the action units (SliderGAN, sec.
5.6). The tables of both are in slider_jax/face/labels.py and action_units.py.

Weights, Adam and flips are those of the authors' code, its sums and means written for
losses that do not grow with the batch (25 there, SliderGAN's 16 here): 4000 / 25 on
action units, 10 on the mean over channels that we sum, 1e-5 * 25 on the mask's steps.
Its 20 epochs at a constant rate and 10 of decay have become SliderGAN's 40 and 20, over
the same faces, each with the condition of a stranger, plus U(-0.1, 0.1), as its target.
"""

import ml_collections
from ml_collections import config_dict

VARIANTS = ("full", "default", "small", "blendshapes", "demo", "tiny", "gpu")


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

    config.system = "ganimation"
    config.model = dict(
        parameters=17,
        size=128,
        width=64,
        blocks=6,
        depth=6,
        mask="code",  # "paper": eq. 2 as printed, whose weights are others
        distance="absolute",
        mapped=False,  # short cuts of the demo
        added=False,
        warped=False,
        fold=1,
        tint=1.0,
        initial="normal",
        dtype="float32",
    )
    config.identity = "none"

    config.data = dict(
        folder=config_dict.placeholder(str),  # "tiny" is the set in the package
        image_size=config.model.get_ref("size"),
        batch_size=16,
        n_critic=5,
        labels="action_units",
        au_noise=0.0,  # like a detector's errors, of standard deviation 0.1 or so
        speech=False,
        pairs="strangers",  # it learns without ground truth
        mirror=True,
        noise=0.1,  # added to a stranger's condition
        photographic=0.0,  # to 1: makes renders look photographed
        threads=1,
        workers=0,
        cache=False,
    )
    config.learning_rate = dict(critic=1e-4, generator=1e-4)
    config.constant = 2 / 3  # of the epochs (or steps), before the rate falls
    config.ema_decay = 0.999

    weights = dict(
        critic=dict(adversarial=1.0, gradient_penalty=10.0, expression=160.0),
        generator=dict(
            adversarial=1.0,
            expression=160.0,
            reconstruction=10 / 3,
            kept=0.1,
            roughness=2.5e-4,
        ),
    )
    config.phases = (phase("paired", 20, weights), phase("unpaired", 40, weights))
    config.every = dict(log=100, samples=1000, checkpoint=1000)
    config.keep = 3  # checkpoints
    config.samples = 4  # rows of each block of a sheet

    if "blendshapes" in asked:
        config.model.parameters = 30
        config.data.labels = "components"
    # Networks and batches of SliderGAN's `:small`.
    if {"demo", "small", "default"} & {*asked}:
        config.model.update(size=64, width=24, blocks=4, depth=5, initial="he")
        config.model.update(mapped=True, added=True, distance="squared")
        config.data.update(folder="tiny", batch_size=8, n_critic=1, cache=True)
        config.learning_rate = dict(critic=5e-4, generator=5e-4)
        config.ema_decay = 0.98
        # Or the generator fools with dots a critic that has hardly learnt to read.
        for p in config.phases:
            p.weights.critic.update(
                adversarial=10.0, gradient_penalty=100.0, expression=100.0
            )
            p.weights.generator.update(
                adversarial=10.0, expression=60.0, reconstruction=20.0
            )
        config.phases[0].steps, config.phases[1].steps = 750, 50
        config.every = dict(log=20, samples=100, checkpoint=200)
    if {"small", "default"} & {*asked}:  # as the demo, but the critic reads first
        config.data.update(folder=None, n_critic=2)
        config.learning_rate.critic = 1e-3
        config.ema_decay = 0.99
        reads = dict(critic=dict(expression=100.0), generator=dict(expression=0.0))
        reading = phase("unpaired", 0, reads)
        reading.name = "reading"
        config.phases = (reading, *config.phases)
        for p, steps in zip(config.phases, (5000, 800, 100), strict=True):
            p.steps = steps
        config.every.update(samples=400, checkpoint=400)
    if "default" in asked:  # the network of SliderGAN's, but no truth opens its covers
        config.model.update(warped=True, size=128, fold=2)
        config.data.update(batch_size=16, n_critic=1, photographic=0.5)
        config.learning_rate.critic = 5e-4
        config.constant = 0.9
        config.ema_decay = 0.998
        for p, steps in zip(config.phases, (60000, 7000, 200), strict=True):
            p.steps = steps
        config.every = dict(log=100, samples=1000, checkpoint=1000)
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
