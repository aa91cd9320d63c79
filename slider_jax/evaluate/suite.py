"""Which protocols and tables make up the open benchmark."""

import dataclasses
from collections.abc import Callable

from slider_jax.evaluate import protocols, slides
from slider_jax.evaluate.reader import COMPONENTS, SPOKEN
from slider_jax.evaluate.rows import AVERAGE
from slider_jax.evaluate.tables import Table
from slider_jax.face.action_units import UNITS
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
    "transfer": Protocol(protocols.transfer, version=4),
    "reenact": Protocol(protocols.reenact, version=2, roles=("run",), reads=True),
    "recognise": Protocol(
        protocols.recognise,
        version=2,
        labels=("components", "action_units", "classes"),
        needs="expressions",
    ),
    "speak": Protocol(slides.speak, version=2, steps=lambda plan: plan.slides),
    "parameters": Protocol(
        protocols.parameter_errors, version=2, roles=("run",), reads=True
    ),
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
each = lambda base, names: tuple(f"{base}:{name}" for name in (AVERAGE, *names))
LONELY = "a reader needs two test people"
TABLES = (
    Table(
        "transfer",
        "transfer",
        "Expression transfer, with the true parameters (Table 1)",
        "A test person's face is given the parameters of another face of the same "
        "person and session, and compared with that face, with no alignment. Landmarks "
        "are found by the same landmarker on both. Background is what is face in "
        "neither of the two. Pose is the head's, by the landmarks: an expression alone "
        "moves that reading by a degree.",
        (*PIXELS, "rmse", "mse", "lpips", "landmarks", "pose", "background"),
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
        "without speech are told the same movement by expression components alone. ACD "
        "is the mean distance of a film's frames to each other by the judge of "
        "identity, ACD-I that to the face it was made from. Both are 0 for a face that "
        "stands still, and grow with all that moves: the ground truth says how far is "
        "right.",
        (*PIXELS, "landmarks", "pose", "acd", "acd_i"),
        against_floor=(*PIXELS, "landmarks"),
    ),
    Table(
        "parameters",
        "parameters",
        "Reading and consistency of parameters (Table 4)",
        "Relative errors. Reading: true parameters of a face against what the run's D "
        "reads from it. Consistency: parameters of a stranger's face, asked for, "
        "against what D reads from the edit; unedited, from the input as it was. Who "
        "always answers neutral has exactly 1. MSE and PCC are of the same asked and "
        "read as consistency, each parameter by itself; every run is read by its own D "
        "in its own language, so that they say how it agrees with itself.",
        (
            *("reading", "consistency", "unedited"),
            *("parameter_pcc:average", "parameter_mse:average"),
        ),
    ),
    Table(
        "own",
        "parameters",
        "Each parameter, by the run's own D",
        "The last columns of the table before, one by one; runs that are told action "
        "units have those.",
        each("parameter_pcc", (*UNITS, *COMPONENTS, *SPOKEN))
        + each("parameter_mse", (*UNITS, *COMPONENTS, *SPOKEN)),
        down=True,
    ),
    Table(
        "units",
        "transfer",
        "Action units, by one reader for all (EGGAN, Table 1)",
        "Pearson's correlation and mean squared error, over the pairs of Table 1, of "
        "17 intensities asked for, 0 to 1, and those read from the edits. The reader "
        "knows no run: it is a ridge regression from the landmarker's points, less "
        "those of the same person's true face at rest, fitted on true pictures of the "
        "other test people. The ground truth says how well it reads, the unchanged "
        "input what is had for nothing.",
        each("unit_pcc", UNITS) + each("unit_mse", UNITS),
        against_floor=("unit_pcc:average", "unit_mse:average"),
        down=True,
        absent=LONELY,
    ),
    Table(
        "components",
        "transfer",
        "The 30 components, by the same reader",
        "As action units, of the parameters of Table 1. 68 points do not show them "
        "all: where the ground truth's correlation is low, nothing can be said.",
        each("component_pcc", COMPONENTS) + each("component_mse", COMPONENTS),
        against_floor=("component_pcc:average", "component_mse:average"),
        down=True,
        absent=LONELY,
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
        "features of the network named below; published FIDs are Inception's, of many "
        "more pictures, and not to be compared. "
        "True pictures have the ground truth's numbers, and so nearly have unchanged "
        "ones: this says how real edits look, not whether they do what was asked. The "
        "interval leaves out a tenth of the people at a time.",
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
