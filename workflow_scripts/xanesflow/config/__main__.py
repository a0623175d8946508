"""Print the commented default configuration: `python -m xanesflow.config`; with `--schema` its JSON schema.

`python -m xanesflow.config mine.yaml` checks files of others: within seconds, and running nothing that stands in them.
"""

from __future__ import annotations

import sys

from xanesflow.config.load import default_yaml, json_schema, read_config_file
from xanesflow.core.errors import XanesflowError


def check(files: list[str]) -> int:
    """Check configuration files, and print what is wrong with each; the exit code."""
    bad = False
    for file in files:
        try:
            read_config_file(file)
            sys.stdout.write(f"{file} is a good configuration.\n")
        except XanesflowError as error:
            sys.stderr.write(f"{error}\n")
            bad = True
    return int(bad)


if __name__ == "__main__":
    given = sys.argv[1:]
    if given and given != ["--schema"]:
        sys.exit(check(given))
    sys.stdout.write(json_schema() if given else default_yaml())
