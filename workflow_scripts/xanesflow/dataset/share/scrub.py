"""Copy a dataset file without any trace of the machine where it was built: no path, no key, no POTCAR.

The recorded configuration names the user's folders, archives and commands, and the detail of a rejected site may quote
a message with a path. Changing an attribute in place would leave its old bytes in the HDF5 file, so a new file is
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

from xanesflow.core.arrays import STRING
from xanesflow.core.errors import XanesflowError
from xanesflow.core.foreign_json import parse_json
from xanesflow.dataset.file import hash_of, names_in, seal

LOCAL, SECRET = "<local>", "<secret>"

_PATH_KEY = re.compile(r"directory|archive|ids|files?|folder|path|.*_(weights|files?|folder|path)")
"""Keys of the configuration whose values are paths on the user's machine, absolute or relative."""

_COMMAND_KEY = re.compile(r".*_command")

_SEGMENT = r"[^\s/\\:;,'\"()\[\]{}<>|]+"
_ABSOLUTE = re.compile(
    rf"(?:(?<![\w./<])(?:file:(?://)?)?~?(?:/{_SEGMENT}){{2,}}/?)|(?:(?<![\w])~/{_SEGMENT})|(?:\b[A-Za-z]:(?:\\{_SEGMENT})+)"
)
"""An absolute path with at least two parts, a path below a home folder, or a Windows path; not the part after ://."""

_ASSIGNED = re.compile(r"(?i)(\b\w*(?:api_?key|token|secret|password|passwd)\w*\s*[=:]\s*)(?!<secret>)[^\s'\",;]+")
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@:]+:[^\s/@]+@")
_SECRET_VARIABLE = re.compile(r"(?i)api_?key|mapi_key|token|secret|passw")

POTCAR_TEXT = ("VRHFIN", "End of Dataset", "local pseudopotential read in", "PAW radial sets")
"""Texts that occur in every POTCAR, but not in the title of one."""


class Scrubber:
    """Removes local paths and secrets from texts.

    Args:
        config: the recorded configuration as JSON; its paths are also removed wherever other texts quote them.
    """

    def __init__(self, config: str) -> None:
        try:
            self._config = parse_json(config)
        except ValueError:
            self._config = {}
        places = {str(Path.cwd()), str(Path.home()), *_places(self._config)}
        places |= {str(Path(place).absolute()) for place in places}
        # The longest first, because a file's path begins with the path of its folder.
        self.places = sorted((p for p in places if "/" in p.strip("/") or "\\" in p), key=len, reverse=True)
        self.secrets = sorted(_secrets(), key=len, reverse=True)

    def config(self, text: str) -> str:
        """The configuration (JSON) with every path and command of the user's machine replaced."""
        try:
            return json.dumps(self._values(parse_json(text), ""), sort_keys=True)
        except ValueError:
            return self.text(text)

    def text(self, text: str) -> str:
        """A text with every path and secret replaced."""
        for secret in self.secrets:
            text = text.replace(secret, SECRET)
        if "/" in text or "\\" in text or "~" in text:
            for place in self.places:
                text = text.replace(place, LOCAL)
            text = _ABSOLUTE.sub(LOCAL, _IN_ADDRESS.sub("", text))
        if _SECRET_VARIABLE.search(text):  # a quick test first: structures hold a hundred megabytes of text
            text = _ASSIGNED.sub(rf"\1{SECRET}", text)
        return text

    def _values(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            # In {key: {subset: path}}, the outer key says that the values are paths.
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
    """Copy an open dataset without paths and secrets into an empty file, and write its hashes.

    Returns:
        The scrubber that cleaned the texts, for `check_package`.

    Raises:
        XanesflowError: a text holds lines of a POTCAR, or an array does not match its stored hash.
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
                raise XanesflowError(f"{where} does not match its stored hash; see `xanesflow dataset validate`.")
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
            "remove it from the dataset."
        )
    return text


def check_package(paths: Iterable[Path], scrubber: Scrubber) -> None:
    """As a last check, search all bytes of the files for local paths, secrets and lines of POTCARs.

    Raises:
        XanesflowError: a file holds one of them.
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
    """Paths in the configuration, including words of its commands that are paths."""
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
    """Values of environment variables whose names suggest a secret, and pymatgen's API key."""
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name) and len(value) >= 12 and "/" not in value:
            yield value
    from pymatgen.core import SETTINGS

    if key := SETTINGS.get("PMG_MAPI_KEY"):
        yield str(key)
