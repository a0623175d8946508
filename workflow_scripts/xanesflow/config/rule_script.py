"""What every rule script does around its one function call: write a log, report a user's mistake in one sentence."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xanesflow.config.load import load_config
from xanesflow.core.errors import XanesflowError
from xanesflow.running.locks import hold_job


@contextmanager
def rule_log(snakemake: Any) -> Iterator[str]:
    """Write the log of a rule's script to its file and to the terminal.

    A `XanesflowError` ends the script with its sentence and without a traceback. So does an `OSError`, such as a full
    disk or an unreadable file. Any other exception is a bug in xanesflow and is logged with its traceback. If a killed
    run left the same job running, the script waits for it (see `hold_job`).

    Args:
        snakemake: the object that Snakemake passes to a script.

    Yields:
        The whole configuration as JSON, for the outputs to record.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True)
    logging.getLogger("xanesflow").setLevel(logging.INFO)  # importing larch raises the level of all others
    for chatty in ("numexpr", "matplotlib", "fontTools", "torch", "pymatgen"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        held = hold_job(Path(snakemake.log[0]).with_suffix(".lock"), snakemake.output)
    except XanesflowError as error:  # not into the log, which belongs to the other process
        logging.getLogger("xanesflow").error("ERROR: %s", error)
        sys.exit(1)
    # Open the log only now, as the job that we waited for wrote to the same file until it ended.
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
            "ERROR: the system said: %s%s; fix that and run again.", error.strerror or error, where
        )
        sys.exit(1)
    except Exception:
        logging.getLogger("xanesflow").exception("This is a fault of xanesflow, not yours; please report it.")
        sys.exit(1)
    finally:
        held.close()


def path_or_none(paths: Sequence[str]) -> Path | None:
    """The file of an optional input, whose list holds one path or none."""
    return Path(paths[0]) if paths else None


def by_seed(seeds: Sequence[int], paths: Sequence[str]) -> dict[int, Path]:
    """The files of a model, by seed."""
    return dict(zip(seeds, map(Path, paths), strict=True))


def paths_by(keys: Iterable[Any], *files: Sequence[str]) -> dict[Any, Any]:
    """Return the path of each key; with several lists of files, a tuple of paths.

    Args:
        keys: one for each file.
        files: lists of paths, each in the order of the keys.
    """
    rows = zip(*(map(Path, each) for each in files), strict=True)
    return dict(zip(keys, (row[0] if len(files) == 1 else row for row in rows), strict=True))
