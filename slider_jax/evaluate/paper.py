"""What the papers printed, as ratios: other data, other judges, never beside ours."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Printed:
    """`rows` are as printed; what is shown is each over that of `base`.

    `ours` are the columns of our table that measure the same, elsewhere.
    """

    source: str
    base: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float, ...]]
    ours: tuple[str, ...] = ()

    def ratios(self) -> dict[str, list[float]]:
        base = self.rows[self.base]
        return {
            name: [value / one for value, one in zip(values, base, strict=True)]
            for name, values in self.rows.items()
        }


GANIMATION, WGP, RAD = "GANimation", "SliderGAN-WGP", "SliderGAN-RaD"
EMOTIONS = tuple("anger disgust fear happiness sadness surprise neutral".split())
SLIDERGAN = "Ververas and Zafeiriou 2020"
PAPER = {
    "transfer": Printed(
        f"{SLIDERGAN}, Table 1: IED on 4DFAB",
        GANIMATION,
        ("IED",),
        {GANIMATION: (1.04e-2,), WGP: (7.93e-3,), RAD: (6.84e-3,)},
        ours=("ied",),
    ),
    "expressions": Printed(
        f"{SLIDERGAN}, Table 2: recognised on EmotioNet",
        GANIMATION,
        (*EMOTIONS, "average"),
        {
            GANIMATION: (0.552, 0.446, 0.517, 0.658, 0.632, 0.622, 0.631, 0.579),
            WGP: (0.550, 0.463, 0.514, 0.762, 0.633, 0.678, 0.702, 0.614),
            RAD: (0.591, 0.481, 0.531, 0.798, 0.654, 0.689, 0.708, 0.636),
        },
        ours=tuple(f"recognised:{name}" for name in (*EMOTIONS, "average")),
    ),
    "speech": Printed(
        f"{SLIDERGAN}, Table 3: IED on LRW",
        GANIMATION,
        ("IED",),
        {GANIMATION: (3.07e-2,), WGP: (1.14e-2,), RAD: (9.35e-3,)},
        ours=("ied",),
    ),
    "parameters": Printed(
        f"{SLIDERGAN}, Table 4: relative errors on EmotioNet",
        GANIMATION,
        ("reading", "consistency"),
        {GANIMATION: (0.427, 0.513), RAD: (0.131, 0.258)},
        ours=("reading", "consistency"),
    ),
    "identity": Printed(
        "EGGAN, Table 2: verified on RaFD",
        "real pairs",
        ("verified",),
        {
            "HomoInterpGAN": (76.54,),
            "StarGAN": (93.32,),
            "EGGAN": (97.04,),
            "real pairs": (99.63,),
        },
    ),
}
