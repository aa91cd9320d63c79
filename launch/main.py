"""Runs a config, from the command line. Flags stop here.

python launch/main.py --config=configs/slidergan.py:demo
"""

import pathlib
import sys

from absl import app, flags
from ml_collections import config_flags

import slider_jax

_CONFIG = config_flags.DEFINE_config_file("config", None, "What to run.")
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where results go; runs/<name of the config> if not given."
)
_MULTIHOST = flags.DEFINE_bool("multihost", False, "Join the other hosts first.")
flags.mark_flag_as_required("config")

TINY = pathlib.Path(slider_jax.__file__).parent / "assets" / "tiny"


def main(argv: list[str]) -> int:
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    try:
        if _MULTIHOST.value:
            import jax

            jax.distributed.initialize()
        show_data(_CONFIG.value.data.folder, workdir())
    except (ValueError, OSError) as error:
        return _stop(error)
    return 0


def workdir() -> pathlib.Path:
    """`--workdir`, or runs/slidergan-demo for configs/slidergan.py:demo."""
    path, _, variant = flags.FLAGS["config"].config_filename.partition(":")
    name = "-".join(filter(None, [pathlib.Path(path).stem, variant]))
    return pathlib.Path(_WORKDIR.value or pathlib.Path("runs", name))


def show_data(folder: str | None, into: pathlib.Path) -> None:
    """Prints the card of a data set and draws its contact sheet."""
    if not folder:
        raise ValueError("this config needs a data set: add --config.data.folder=DIR.")
    from slider_jax import card

    into.mkdir(parents=True, exist_ok=True)
    sheet = into / "contact_sheet.png"
    print(card.show(TINY if folder == "tiny" else pathlib.Path(folder), sheet))
    print(f"Its faces are in {sheet}.")
    print("Training is not part of this version yet, so this is all there is to run.")


def parse_flags(argv: list[str]) -> list[str]:
    """As absl does it, but a misspelt `--config.x` is one sentence too."""
    try:
        return app.parse_flags_with_usage(argv)
    except AttributeError as error:
        name = str(error).strip("\"'")
        sys.exit(_stop(f"the config has no {name!r}."))


def _stop(error: object) -> int:
    print(f"launch: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
