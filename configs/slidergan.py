r"""SliderGAN (Ververas and Zafeiriou 2020): 30 expression sliders, 128 x 128 pixels.

    python launch/main.py --config=configs/slidergan.py \
        --config.data.folder=/data/open_faces

With nothing but the faces that come in the package, at 64 x 64 pixels:

    python launch/main.py --config=configs/slidergan.py:demo

Every value is the paper's. What the paper does not say (learning rate, schedule,
critic updates per generator update, weight of the gradient penalty) is not here yet.
"""

import ml_collections
from ml_collections import config_dict


def get_config(variant: str = "full") -> ml_collections.ConfigDict:
    if variant not in ("full", "demo"):
        raise ValueError(f"Unknown variant {variant!r}; choose 'full' or 'demo'.")

    config = ml_collections.ConfigDict()
    config.seed = 0
    config.system = "slidergan"
    config.model = dict(num_sliders=30)
    config.data = dict(
        folder=config_dict.placeholder(str),  # "tiny" is the set in the package
        image_size=128,
        batch_size=16,
    )
    config.adam = dict(b1=0.5, b2=0.999)

    # One phase after another; each has its own split and loss weights (sec. 5.2).
    critic = dict(adversarial=30.0, expression=1000.0)
    generator = dict(
        adversarial=30.0,
        expression=1000.0,
        reconstruction=10.0,
        identity=4.0,
        attention=0.3,
    )
    config.phases = (
        phase("paired", 20, critic, dict(generator, paired=10.0)),
        phase("unpaired", 40, critic, dict(generator, paired=0.0)),
    )

    if variant == "demo":
        config.data.folder = "tiny"
        config.data.image_size = 64
    return config


def phase(name, epochs, critic, generator):
    weights = dict(critic=critic, generator=generator)
    return config_dict.create(name=name, epochs=epochs, weights=weights)
