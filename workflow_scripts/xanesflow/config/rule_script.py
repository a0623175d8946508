"""What every script of a rule does around its one function call: log, and tell a user's mistake in one sentence."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xanesflow.config.load import load_config
from xanesflow.core.errors import XanesflowError
from xanesflow.running.locks import hold_job


@contextmanager
def rule_log(snakemake: Any) -> Iterator[str]:
    """Write the log of a rule's script, on the terminal too.

    A `XanesflowError` ends the script with its sentence and no traceback, and so does a disk that is full or a file
    that may not be read; any other exception is a fault of ours and is logged with one. A job that a killed run left
    at work is waited for (see `hold_job`).

    Args:
        snakemake: the object that Snakemake gives a script.

    Yields:
        The whole configuration as JSON, for the outputs to record.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True)
    for chatty in ("numexpr", "matplotlib", "fontTools", "torch", "pymatgen"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        held = hold_job(Path(snakemake.log[0]).with_suffix(".lock"), snakemake.output)
    except XanesflowError as error:  # the log is the other process's
        logging.getLogger("xanesflow").error("ERROR: %s", error)
        sys.exit(1)
    # Only now the log: a job that had to be waited for wrote its own to the end.
    to_file = logging.FileHandler(snakemake.log[0], mode="w")
    to_file.setFormatter(logging.getLogger().handlers[0].formatter)
    logging.getLogger().addHandler(to_file)
    logging.captureWarnings(capture=True)
    logging.getLogger("py.warnings").addFilter(lambda record: bool(to_file.handle(record)) and False)
    try:
        yield load_config(snakemake.config).as_json()
    except XanesflowError as error:
        logging.getLogger("xanesflow").error("ERROR: %s", error)
        sys.exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        logging.getLogger("xanesflow").error(
            "ERROR: the system said: %s%s; mend that and run again.", error.strerror or error, where
        )
        sys.exit(1)
    except Exception:
        logging.getLogger("xanesflow").exception("This is a fault of xanesflow, not of yours; please report it.")
        sys.exit(1)
    finally:
        held.close()


def path_or_none(paths: Sequence[str]) -> Path | None:
    """A file that a rule may do without: the only one of its list, or None."""
    return Path(paths[0]) if paths else None


def by_seed(seeds: Sequence[int], paths: Sequence[str]) -> dict[int, Path]:
    """Files of a model's seeds, each by its seed."""
    return dict(zip(seeds, map(Path, paths), strict=True))
