"""Which protocols and tables make up the open benchmark."""

import dataclasses
from collections.abc import Callable

from slider_jax.evaluate import protocols, slides
from slider_jax.evaluate.tables import Table
from slider_jax.judges.expressions import CLASSES


@dataclasses.dataclass(frozen=True)
class Protocol:
    """`version` grows when its numbers change, so that old parts are not reused."""

    run: Callable
    version: int = 1
    roles: tuple[str, ...] = ("floor", "run", "ceiling")
    labels: tuple[str, ...] = ("components", "action_units")  # exact conditions
    reads: bool = False  # contenders without a network that reads are left out
    needs: str | None = None  # a judge without which there is nothing to do
    steps: Callable = lambda plan: -(-plan.pairs // plan.batch)


PROTOCOLS = {
    "transfer": Protocol(protocols.transfer, version=2),
    "reenact": Protocol(protocols.reenact, roles=("run",), reads=True),
    "recognise": Protocol(
        protocols.recognise,
        labels=("components", "action_units", "classes"),
        needs="expressions",
    ),
    "speak": Protocol(slides.speak, steps=lambda plan: plan.slides),
    "parameters": Protocol(protocols.parameter_errors, roles=("run",), reads=True),
    "slides": Protocol(
        slides.slides,
        roles=("floor", "run"),
        needs="points",
        steps=lambda plan: plan.slides,
    ),
    "disentangle": Protocol(
        slides.disentangle,
        roles=("run",),
        reads=True,
        steps=lambda plan: plan.slides,
    ),
}
PIXELS = ("ied", "mae", "psnr", "ssim", "ms_ssim")
TABLES = (
    Table(
        "transfer",
        "transfer",
        "Expression transfer, with the true parameters (Table 1)",
        "A test person's face is given the parameters of another face of the same "
        "person and session, and compared with that face, with no alignment. Landmarks "
        "are found by the same landmarker on both. Background is what is face in "
        "neither of the two.",
        (*PIXELS, "lpips", "landmarks", "background"),
        against_floor=(*PIXELS, "lpips", "landmarks"),
    ),
    Table(
        "reenact",
        "reenact",
        "Expression transfer, with parameters that D reads (Sec. 5.4)",
        "The same pairs, but each run reads the target's parameters from its picture.",
        (*PIXELS, "landmarks"),
    ),
    Table(
        "expressions",
        "recognise",
        "Discrete expressions (Table 2)",
        "Targets that wear one of seven expressions, at the strengths that they have "
        "in the set; the part in which the recogniser sees that expression. All "
        "systems can be asked for these, those that know classes only too. The "
        "recogniser is weak on renders: the ground truth's row says how weak. The "
        "average is over the expressions that occur; chance is 14 %.",
        (
            "recognised:average",
            *(f"recognised:{name}" for name in CLASSES),
            "ied",
            "identity",
        ),
        against_floor=("recognised:average", "ied"),
    ),
    Table(
        "speech",
        "speak",
        "Expression and speech (Table 3)",
        "Test people say five visemes in some mood; every frame is rendered as ground "
        "truth, and edited from the resting face under the same camera, so that there "
        "is nothing to align. Means over the frames of a film, then over films. Runs "
        "without speech are told the same movement by expression components alone.",
        (*PIXELS, "landmarks"),
        against_floor=(*PIXELS, "landmarks"),
    ),
    Table(
        "parameters",
        "parameters",
        "Reading and consistency of parameters (Table 4)",
        "Relative errors. Reading: true parameters of a face against what the run's D "
        "reads from it. Consistency: parameters of a stranger's face, asked for, "
        "against what D reads from the edit; unedited, from the input as it was. Who "
        "always answers neutral has exactly 1.",
        ("reading", "consistency", "unedited"),
    ),
    Table(
        "identity",
        "transfer",
        "The same person (EGGAN, Table 2)",
        "Cosine of the recogniser's embeddings of input and edit, and the part of "
        "edits that passes as the same person, at the threshold that tells real pairs "
        "apart best. The ground truth is another expression of that person: an edit "
        "cannot be asked for more.",
        ("identity", "verified"),
    ),
    Table(
        "distribution",
        "transfer",
        "How edits look as a set",
        "Edits of every second pair against the true targets of the others, by "
        "features of VGG16, not of Inception: not to be compared with published FIDs. "
        "True pictures have the ground truth's numbers, and so nearly have unchanged "
        "ones: this says how real edits look, not whether they do what was asked. No "
        "interval: these are numbers of whole sets.",
        ("fid", "kid"),
    ),
    Table(
        "slides",
        "slides",
        "Along a slide",
        "Resting faces with jawOpen, eyeBlink and mouthSmile from 0 to 1 in equal "
        "steps. Smoothness is the mean step of the landmarks over the longest; τ is 1 "
        "where the mouth opens, and the eyes close, at every step.",
        ("smoothness", "mouth", "eyes"),
        against_floor=("mouth", "eyes"),
    ),
    Table(
        "disentanglement",
        "disentangle",
        "One parameter at a time",
        "Of all that D reads when one of the run's parameters moves by 0.5 from rest, "
        "the part (in squares) that is its own. The interval is over parameters.",
        ("selectivity",),
    ),
)
