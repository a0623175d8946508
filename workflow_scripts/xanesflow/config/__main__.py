"""Print the commented default configuration: `python -m xanesflow.config`; with `--schema` its JSON schema."""

from __future__ import annotations

import sys

from xanesflow.config.load import default_yaml, json_schema

if __name__ == "__main__":
    sys.stdout.write(json_schema() if "--schema" in sys.argv[1:] else default_yaml())
