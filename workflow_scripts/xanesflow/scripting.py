"""What every script of a rule does around its one function call: log, and tell a user's mistake in one sentence."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xanesflow.config import load_config
from xanesflow.errors import XanesflowError


@contextmanager
def rule_log(snakemake: Any) -> Iterator[str]:
    """Write the log of a rule's script, on the terminal too.

    A `XanesflowError` ends the script with its sentence and no traceback; any other exception is a fault of ours and
    is logged with one.

    Args:
        snakemake: the object that Snakemake gives a script.

    Yields:
        The whole configuration as JSON, for the outputs to record.
    """
    handlers: list[logging.Handler] = [logging.FileHandler(snakemake.log[0], mode="w"), logging.StreamHandler()]
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers, force=True
    )
    for chatty in ("numexpr", "matplotlib", "fontTools", "torch", "pymatgen"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.getLogger("py.warnings").addFilter(lambda record: bool(handlers[0].handle(record)) and False)
    try:
        yield load_config(snakemake.config).as_json()
    except XanesflowError as error:
        logging.getLogger("xanesflow").error("ERROR: %s", error)
        sys.exit(1)
    except Exception:
        logging.getLogger("xanesflow").exception("This is a fault of xanesflow, not of yours; please report it.")
        sys.exit(1)
