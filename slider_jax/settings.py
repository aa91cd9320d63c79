"""A config from the command line: a file, its variant, and fields set one by one."""

import re
from collections.abc import Sequence

from absl import flags
from ml_collections import ConfigDict, config_flags


def read(arguments: Sequence[str]) -> ConfigDict:
    """Of ["--config=FILE:variant", "--config.data.folder=DIR", ...]."""
    values = flags.FlagValues()
    argv = ["slider", *arguments]
    config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=argv)
    parse(values, argv)
    return values.config


def parse(values: flags.FlagValues, argv: Sequence[str]) -> None:
    """As absl does it, but what a user can put right is a ValueError of one line.

    A config file of that name, a variant, a field, a value of another type: absl
    tells of each in another way, and of some with a traceback.
    """
    try:
        rest = values(argv)[1:]
        if values.config is not None:
            values.config.get("system")  # a file that is not there says so here
    except AttributeError as error:
        said = str(error)
        if "get_config" in said:
            raise ValueError("the config's file has no `get_config`.") from error
        name = re.search(r"\w+", said.replace("\\n", " "))
        raise ValueError(f"the config has no {name and name[0]!r}.") from error
    except SyntaxError as error:
        raise ValueError(f"the config is no Python ({error}).") from error
    except (flags.Error, IndexError, OSError, TypeError, ValueError) as error:
        last = str(error).strip().splitlines()[-1].strip()
        raise ValueError(re.sub(r"^(\w+Error:|\[Errno \d+\]) ", "", last)) from error
    if rest:
        raise ValueError(f"Unexpected argument {rest[0]!r}.")
