"""A copy of a dataset file without anything of the machine that it was made on: no path, no key, no POTCAR.

The recorded configuration names folders, archives and commands of its user, and a rejected site's detail may quote a
message with a path. An attribute that is changed in place leaves its old bytes in an HDF5 file; so a new file is
written.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py

from xanesflow.core.errors import XanesflowError
from xanesflow.core.tables import STRING
from xanesflow.dataset.file import hash_of, names_in, seal

LOCAL, SECRET = "<local>", "<secret>"

_PATH_KEY = re.compile(r"directory|archive|ids|files?|folder|path|.*_(weights|files?|folder|path)")
"""Keys of the configuration whose texts are places on the user's machine, relative ones too."""

_COMMAND_KEY = re.compile(r".*_command")

_SEGMENT = r"[^\s/\\:;,'\"()\[\]{}<>|]+"
_ABSOLUTE = re.compile(
    rf"(?:(?<![\w./<])(?:file:(?://)?)?~?(?:/{_SEGMENT}){{2,}}/?)|(?:(?<![\w])~/{_SEGMENT})|(?:\b[A-Za-z]:(?:\\{_SEGMENT})+)"
)
"""A path from the root with two parts or more, one from a home folder, or one of Windows; not what follows ://."""

_ASSIGNED = re.compile(r"(?i)(\w*(?:api_?key|token|secret|password|passwd)\w*\s*[=:]\s*)(?!<secret>)[^\s'\",;]+")
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@:]+:[^\s/@]+@")
_SECRET_VARIABLE = re.compile(r"(?i)api_?key|mapi_key|token|secret|passw")

POTCAR_TEXT = ("VRHFIN", "End of Dataset", "local pseudopotential read in", "PAW radial sets")
"""Lines that a POTCAR has and no title of one."""


class Scrubber:
    """Takes places and secrets out of texts.

    Args:
        config: the recorded configuration, whose paths are also taken out wherever they are quoted.
    """

    def __init__(self, config: str) -> None:
        try:
            self._config = json.loads(config)
        except ValueError:
            self._config = {}
        places = {str(Path.cwd()), str(Path.home()), *_places(self._config)}
        places |= {str(Path(place).absolute()) for place in places}
        # The longest first: a folder's name stands in those of its files.
        self.places = sorted((p for p in places if "/" in p.strip("/") or "\\" in p), key=len, reverse=True)
        self.secrets = sorted(_secrets(), key=len, reverse=True)

    def config(self, text: str) -> str:
        """The configuration with every place and command of the user's machine replaced."""
        try:
            return json.dumps(self._values(json.loads(text), ""), sort_keys=True)
        except ValueError:
            return self.text(text)

    def text(self, text: str) -> str:
        """A text with what is a path or a secret replaced."""
        for secret in self.secrets:
            text = text.replace(secret, SECRET)
        if "/" in text or "\\" in text or "~" in text:
            for place in self.places:
                text = text.replace(place, LOCAL)
            text = _ABSOLUTE.sub(LOCAL, _IN_ADDRESS.sub("", text))
        if _SECRET_VARIABLE.search(text):  # much quicker than the next, and structures hold a hundred megabytes of text
            text = _ASSIGNED.sub(rf"\1{SECRET}", text)
        return text

    def _values(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            # Of {subset: path} the key of the mapping counts.
            inner = key if _PATH_KEY.fullmatch(key) else ""
            return {name: self._values(each, inner or name) for name, each in value.items()}
        if isinstance(value, list):
            return [self._values(each, "") for each in value]
        if not isinstance(value, str):
            return value
        if _PATH_KEY.fullmatch(key):
            return LOCAL
        if _COMMAND_KEY.fullmatch(key):
            return self.text(" ".join(LOCAL if "/" in w or "\\" in w else w for w in _words(value)))
        return self.text(value)


def copy_scrubbed(source: h5py.File, target: h5py.File) -> Scrubber:
    """Copy an open dataset into an empty file without places and secrets, and write its hashes.

    Returns:
        What the texts went through.

    Raises:
        XanesflowError: a text holds lines of a POTCAR, or numbers are not those that were written.
    """
    scrubber = Scrubber(str(source.attrs.get("config", "{}")))
    _copy_attributes(source, target, scrubber)
    _copy_group(source, target, scrubber)
    seal(target)
    return scrubber


def _copy_group(source: h5py.Group, target: h5py.Group, scrubber: Scrubber) -> None:
    for name in names_in(source):
        item = source[name]
        if isinstance(item, h5py.Group):
            copied = target.create_group(name)
            _copy_group(item, copied, scrubber)
        elif h5py.check_string_dtype(item.dtype) is not None:
            texts = [item.asstr()[()]] if item.shape == () else item.asstr()[:].tolist()
            texts = [scrubber.text(_no_potcar(text, item.name)) for text in texts]
            copied = target.create_dataset(name, data=texts[0] if item.shape == () else texts, dtype=STRING)
        else:
            source.copy(item, target, name=name, without_attrs=True)
            copied = target[name]
            if item.attrs.get("sha256", hash_of(copied)) != hash_of(copied):
                where = f"{item.name.lstrip('/')} in {source.file.filename}"
                raise XanesflowError(f"{where} is not what was written; see `xanesflow dataset validate`.")
        _copy_attributes(item, copied, scrubber)


def _copy_attributes(source: Any, target: Any, scrubber: Scrubber) -> None:
    for name, value in source.attrs.items():
        if name in {"sha256", "content_sha256"}:
            continue
        if isinstance(value, str):
            text = _no_potcar(value, f"the attribute `{name}`")
            target.attrs[name] = scrubber.config(text) if name == "config" else scrubber.text(text)
        else:
            target.attrs[name] = value


def _no_potcar(text: str, place: str) -> str:
    if found := next((line for line in POTCAR_TEXT if line in text), None):
        raise XanesflowError(
            f"{place.lstrip('/')} holds text of a POTCAR ('{found}'), which is licensed and must not be passed on; "
            "take it out of the dataset."
        )
    return text


def check_package(paths: Iterable[Path], scrubber: Scrubber) -> None:
    """Look through all bytes of the files for places, secrets and lines of POTCARs, as a last check.

    Raises:
        XanesflowError: says which file holds what.
    """
    wanted = [(place, "a path of this machine") for place in scrubber.places if len(place) >= 8]
    wanted += [(secret, "a secret of your environment") for secret in scrubber.secrets]
    wanted += [(line, "text of a POTCAR") for line in POTCAR_TEXT]
    for path in paths:
        content = path.read_bytes()
        for text, what in wanted:
            if text.encode() in content:
                raise XanesflowError(f"{path} would hold {what}, so it is not packaged; please report this.")


def _places(config: Any, key: str = "") -> Iterator[str]:
    """Paths in the configuration, and words of its commands that are some."""
    if isinstance(config, dict):
        for name, value in config.items():
            yield from _places(value, key if _PATH_KEY.fullmatch(key) else name)
    elif isinstance(config, str):
        if _PATH_KEY.fullmatch(key):
            yield config
        elif _COMMAND_KEY.fullmatch(key):
            yield from (word for word in _words(config) if word.startswith(("/", "~")))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _secrets() -> Iterator[str]:
    """Values of environment variables whose names say that they are secret, and pymatgen's API key."""
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name) and len(value) >= 12 and "/" not in value:
            yield value
    from pymatgen.core import SETTINGS

    if key := SETTINGS.get("PMG_MAPI_KEY"):
        yield str(key)
