"""Read the cards of feff.inp: which kind of spectrum it asks for, and with which physics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from xanesflow.codes.feff.read_feff_inp import words_of
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.read_text import text_of
from xanesflow.core.text import fortran_number

_SIGNS = 4  # FEFF tells cards apart by so many letters
_SECTIONS = {"ATOM", "OVER", "TITL"}  # their words are no settings
_EACH_COUNTS = {"ION", "SCRE"}  # cards of two values that stand once for each potential, or for each option
_AUTOMATIC = "-1 -1"  # lmax of a potential that leaves both to FEFF
_GRID_LINES = re.compile(r"(?:k|e|exp|user)_grid\b", re.IGNORECASE)

OTHER_KINDS = {
    "POLA": "POLARIZATION: a spectrum for one direction of polarisation",
    "ELLI": "ELLIPTICITY: a spectrum for elliptically polarised light",
    "SPIN": "SPIN: a spectrum of one spin",
    "XNCD": "XNCD: a dichroism",
    "XMCD": "XMCD: a dichroism",
    "CFAV": "CFAVERAGE: an average over several absorbers",
    "XES": "XES: an emission spectrum",
    "DANE": "DANES: anomalous scattering",
    "FPRI": "FPRIME: anomalous scattering",
    "ELNE": "ELNES: an energy loss spectrum",
    "EXEL": "EXELFS: an energy loss spectrum",
    "NRIX": "NRIXS: inelastic X-ray scattering",
    "COMP": "COMPTON: Compton scattering",
    "RHOZ": "RHOZZP: a density matrix",
}
"""Card -> its whole name, and what FEFF computes for it, which is no XANES of the cross section."""

_EXAFS_ONLY = re.compile(r"Feff8L \(EXAFS\)|Feff 6L\.\d+")
_SAID = re.compile(
    r"^[A-Z][a-z]? [KLMNO]\d? edge (EXAFS|XES|DANES|FPRIME|ELNES|EXELFS|NRIXS|COMPTON)\b.*$", re.MULTILINE
)
_CARDS_USED = re.compile(r"^Using cards:(.*)$", re.MULTILINE)

_DEFAULTS = {"SCF": (None, "0"), "FMS": (None, "0"), "EXCH": ("0", "0", "0", "2"), "CORR": ("0", "0"),
             "S02": ("1",), "CHBR": ("0",), "CHSH": ("0",)}  # fmt: skip
"""Values that FEFF takes where the card leaves them out; as many values of these cards count."""

_PHYSICS = {
    "CORE": "COREHOLE", "SCF": "SCF", "FMS": "FMS", "CORR": "CORRECTIONS", "DEBY": "DEBYE", "EXCH": "EXCHANGE",
    "XANE": "XANES", "EGRI": "EGRID", "S02": "S02", "JUMP": "JUMPRM", "INTE": "INTERSTITIAL", "UNFR": "UNFREEZEF",
    "TDLD": "TDLDA", "PMBS": "PMBSE", "MULT": "MULTIPOLE", "HUBB": "HUBBARD", "SFCO": "SFCONV", "SELF": "SELF",
    "RMUL": "RMULTIPLIER", "ION": "ION", "POTE": "LMAX", "CHBR": "CHBROAD", "CHSH": "CHSHIFT", "CHWI": "CHWIDTH",
    "SCRE": "SCREEN", "EPS0": "EPS0", "TEMP": "TEMP", "SCXC": "SCXC", "EGAP": "EGAP", "MPSE": "MPSE", "PLAS": "MPSE",
    "ABSO": "ABSOLUTE", "RPHA": "RPHASES", "RSIG": "RSIGMA", "SETE": "SETEDGE", "EXTP": "EXTPOT", "CONF": "CONFIG",
    "SIG2": "SIG2", "MBCO": "MBCONV",
}  # fmt: skip
"""Cards that change the spectrum, and their whole names; of POTENTIALS the angular momenta. SCF's iterations and ca1,
which corrections change, FOLP, and the radius of the cluster are not among them."""


@lru_cache(maxsize=1)  # several checks of a run ask, one after the other
def read_cards(text: str) -> Mapping[str, tuple[str, ...]]:
    """Read the cards of a feff.inp.

    Args:
        text: the file.

    Returns:
        First letters of each card -> the words after it and on lines below it; numbers as `%g`, words in capitals. If a
        card comes twice, the last counts; of ION and SCREEN, all. Of POTENTIALS there are three words for each
        potential: its number, and its largest angular momenta in the self-consistent field and in the full multiple
        scattering, -1 where FEFF chooses.
    """
    cards: dict[str, tuple[str, ...]] = {}
    card = ""
    for each in text.splitlines():
        line = each.strip()
        if not line or (card in _SECTIONS and not line[0].isalpha()):  # most lines are atoms
            continue
        words = words_of(line)
        if not words:
            continue
        if words[0][0].isalpha() and not _GRID_LINES.match(words[0]):
            card = first_letters(words[0])
            if card == "END":
                break
            cards[card] = cards.get(card, ()) if card in _EACH_COUNTS else ()
            words = [] if card == "POTE" else words[1:3] if card in _EACH_COUNTS else words[1:]
        elif card == "POTE":
            lmax = [*words[3:5], *_AUTOMATIC.split()][:2]
            words = [words[0], *("-1" if word.startswith("-") else word for word in lmax)]
        if card and card not in _SECTIONS:
            cards[card] += tuple(map(_plain, words))
    return cards


def first_letters(card: str) -> str:
    """Return the letters, in capitals, by which FEFF tells a card apart from others."""
    return card[:_SIGNS].upper()


def other_kind(feff_inp: str, log: str, xmu: str) -> str:
    """Say why a run is no XANES of the cross section; empty: it may be one. Its edge is checked elsewhere.

    Args:
        feff_inp: text of feff.inp; empty: it is not known.
        log: what the modules printed.
        xmu: the beginning of xmu.dat.
    """
    cards = read_cards(feff_inp)
    named = _CARDS_USED.search(log) if not cards else None
    for card, what in OTHER_KINDS.items():
        asked = card in cards and not (card == "SPIN" and cards[card][:1] == ("0",))
        if asked or (named and any(word[:_SIGNS] == card for word in named[1].split())):
            return f"{'feff.inp' if asked else 'feff.out'} has the card {what}"
    if found := _SAID.search(log):
        return f"feff.out says that the run is of another kind: {found[0].strip()}"
    if found := _EXAFS_ONLY.search(xmu) or _EXAFS_ONLY.search(log):
        return f"the run is of {found[0]}, a FEFF that computes EXAFS only"
    if cards and "XANE" not in cards:
        return "feff.inp has no card XANES, so FEFF computes EXAFS"
    return ""


def physics_of(feff_inp: str) -> tuple[str, ...]:
    """Write the physics cards of a feff.inp so that equal settings give equal texts, such as `SCF 7 0`; sorted."""
    return _as_texts(read_cards(feff_inp))


def physics_of_run(run: FinishedRun) -> tuple[str, ...] | None:
    """Write the physics cards of a run, with the SCF radius before any correction; None if there is no feff.inp."""
    text = text_of("feff.inp", run.files.get("feff.inp", b""))
    if not text.strip():
        return None
    cards = dict(read_cards(text))
    corrections = [each for each in run.record.get("corrections") or () if isinstance(each, Mapping)]
    radii = [each["from"] for each in corrections if each.get("what") == "SCF radius" and "from" in each]
    if radii and "SCF" in cards:
        cards["SCF"] = (_plain(str(radii[0])), *cards["SCF"][1:])
    return _as_texts(cards)


def physics_of_inputs(options: Mapping[str, object]) -> tuple[str, ...]:
    """Write the physics cards of the section `inputs.feff`, as `physics_of` does."""
    cards = options["cards"]
    assert isinstance(cards, Mapping)
    lines = []
    for card, value in cards.items():
        if value is not None:
            lines.append(f"{card} {value}" if isinstance(value, str) else "\n".join([card, *value]))
    return physics_of("\n".join(lines))


def _as_texts(cards: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    found = dict(cards)
    if "NOHO" in found:
        found["CORE"] = ("NONE",)
    if "HOLE" in found and "S02" not in found:
        found["S02"] = found["HOLE"][1:2]
    if "ION" in found:
        charges = dict(zip(found["ION"][::2], found["ION"][1::2], strict=False))
        found["ION"] = tuple(word for each in sorted(charges.items()) if each[1] != "0" for word in each)
    found["POTE"] = _angular_momenta(found.get("POTE", ()))
    texts = []
    for card, name in _PHYSICS.items():
        if card not in found:
            continue
        words = found[card]
        if card in _DEFAULTS:
            # Values that are left out are the defaults; of SCF and FMS only radius and kind count.
            defaults = _DEFAULTS[card]
            words = (*words[: len(defaults)], *(word for word in defaults[len(words) :] if word is not None))
        if words == _DEFAULTS.get(card) or (not words and card in ("ION", "POTE")):
            continue
        texts.append(" ".join([name, *words]))
    return tuple(sorted(texts))


def _angular_momenta(words: tuple[str, ...]) -> tuple[str, ...]:
    """Write lmax of the absorber, then the different ones of the other potentials; empty: FEFF chooses all.

    Their numbers and elements are left out, as these differ from material to material.
    """
    lmax = {number: f"{scf} {fms}" for number, scf, fms in zip(words[::3], words[1::3], words[2::3], strict=True)}
    absorber = lmax.pop("0", _AUTOMATIC)
    others = sorted(set(lmax.values()))
    if {absorber, *others} == {_AUTOMATIC}:
        return ()
    return (absorber, "others", " and ".join(others)) if others else (absorber,)


def _plain(word: str) -> str:
    """Write a word of a card so that equal numbers look the same: `0.0` becomes `0`."""
    try:
        return f"{fortran_number(word):g}"
    except ValueError:
        return word.upper()
