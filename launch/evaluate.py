"""Evaluates runs on test people, from the command line. Flags stop here.

python launch/evaluate.py --suite=open_faces --runs=DIR[,DIR...] --out=REPORT
"""

import argparse
import pathlib
import sys

from slider_jax import memory


def main(argv: list[str]) -> int:
    """The exit code: 2 for a user's mistake."""
    memory.keep()  # before JAX starts its threads
    from slider_jax import evaluate, programs

    given = vars(_arguments(evaluate).parse_args(argv))
    programs.keep_programs()
    runs, out = given.pop("runs").split(","), given.pop("out")
    only_check = given.pop("check")
    try:
        if only_check:
            told = {
                name: given[name] for name in ("suite", "pairs", "seed", "features")
            }
            evaluate.check(pathlib.Path(out), **told)
            return 0
        evaluate.evaluate([run for run in runs if run], out, **given)
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"evaluate: stopped; again, it goes on from {out}/parts.", file=sys.stderr
        )
        return 130
    print(f"Done: {out}/index.html, report.md and report.json.")
    return 0


def _arguments(evaluate):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--suite", default="open_faces", help="which protocols and data")
    add(
        "--runs",
        required=True,
        help="folders of runs or model files, with commas between; 'default' is the "
        "model in the package",
    )
    add("--out", required=True, help="the folder of the report")
    add("--data", help="a set of data_prep/render_faces.py; else the tiny one")
    add("--pairs", type=int, default=evaluate.PAIRS, help="at most, for each table")
    add("--fast", action="store_true", help="a quick look")
    add("--seed", type=int, default=0, help="of what is drawn")
    add("--fetch", action="store_true", help="get judges that are not here yet")
    add(
        "--features",
        default="vgg16",
        help="under FID and KID: vgg16, or inception:FILE, the state dict of FID's "
        "Inception v3",
    )
    add("--check", action="store_true", help="look at these options, and stop")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
