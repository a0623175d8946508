"""Packed ASCII numbers of FEFF 8: what an encoder written from the format's description packs comes out again."""

from fractions import Fraction

import numpy as np
import pytest

from xanesflow.codes.feff8l.read_pad import WIDTH, read_packed, unpack


def pack(value: float) -> str:
    """Pack a real by the description: value = ± 2 (⌊v_1/2⌋/90 + Σ_{i=2..7} v_i/90^i) 10^e, in exact arithmetic."""
    exact, exponent = abs(Fraction(value)), 0
    while exact and exact >= 1:
        exact, exponent = exact / 10, exponent + 1
    while exact and exact < Fraction(1, 10):
        exact, exponent = exact * 10, exponent - 1
    number = round(exact / 2 * 90**7)
    digits = [number // 90 ** (7 - i) % 90 for i in range(1, 8)]
    digits[0] = 2 * digits[0] + (value >= 0)  # odd for plus
    return chr(exponent + 82) + "".join(chr(digit + 37) for digit in digits)


def pack_all(values: np.ndarray) -> str:
    return "".join(pack(float(value)) for value in values)


def test_the_encoder_of_this_test_packs_one_half_as_worked_out_by_hand():
    # 0.5 = 2 · 0.25 · 10^0: v_1 = 2⌊0.25 · 90⌋ + 1 = 45, the rest 0.25 · 90 - 22 = 0.5 gives v_2 = 45 and zeros.
    assert pack(0.5) == "R" + chr(45 + 37) * 2 + "%%%%%"


def test_a_number_worked_out_by_hand_is_read():
    assert unpack("RRR%%%%%") == pytest.approx([0.5], rel=1e-15)
    assert unpack("RQR%%%%%") == pytest.approx([-0.5], rel=1e-15), "an even first digit means minus"
    assert unpack("TRR%%%%%") == pytest.approx([50.0], rel=1e-15), "the first character is the decimal exponent"


def test_random_reals_of_all_sizes_and_signs_come_out_to_the_precision_of_the_format():
    rng = np.random.default_rng(1)
    values = rng.uniform(-1, 1, 4000) * 10.0 ** rng.integers(-38, 37, 4000)
    values = np.append(values, [1.0, -1.0, 0.1, -0.1, 9.999999999999, 1e-30, -1e-30, 3.2e34, -8.7e34, 27.211386, 2e-44])
    np.testing.assert_allclose(unpack(pack_all(values)), values, rtol=2e-12, atol=0)


def test_zero_is_zero():
    assert unpack(pack(0.0)) == 0
    assert unpack("%%%%%%%%") == 0, "an all-zero pack is zero whatever its exponent and sign say"


def test_complex_numbers_are_real_and_imaginary_part_in_turn():
    values = np.array([1.5 - 2j, -0.25 + 1e-8j, 3e5j])
    read, after = read_packed(["$" + pack_all(values.view(float)), "1 29 Cu"], 0)
    assert read.dtype == np.complex128
    assert after == 1
    np.testing.assert_allclose(read, values, rtol=2e-12)


def test_lines_of_one_kind_are_joined_and_the_next_kind_ends_them():
    lines = ["0 header", "!" + pack_all([1, 2]), "!" + pack_all([3]) + "  ", "$" + pack_all([4, 5]), "! is no more"]
    reals, at = read_packed(lines, 1)
    np.testing.assert_allclose(reals, [1, 2, 3], rtol=2e-12)
    complexes, at = read_packed(lines, at)
    np.testing.assert_allclose(complexes, [4 + 5j], rtol=2e-12)
    assert at == 4


def test_a_number_may_not_be_cut_short():
    with pytest.raises(ValueError, match="packed"):
        read_packed(["!" + pack_all([1, 2])[:-1]], 0)


@pytest.mark.parametrize("character", [" ", "!", "$", "\x7f", "\t"])
def test_a_character_outside_the_90_digits_is_refused(character):
    with pytest.raises(ValueError, match="packed"):
        unpack(pack(1.0)[:3] + character + pack(1.0)[4:])


def test_text_that_is_no_ascii_is_refused_as_a_value_error():
    with pytest.raises(ValueError):
        unpack("R" + "é" * (WIDTH - 1))


@pytest.mark.parametrize(("lines", "start"), [(["1 29 Cu"], 0), ([], 0), (["!" + "%" * 8], 1), ([""], 0)])
def test_a_place_without_packed_lines_is_refused_with_its_line_number(lines, start):
    with pytest.raises(ValueError, match=f"line {start + 1} "):
        read_packed(lines, start)


def test_an_odd_number_of_reals_is_not_taken_for_complex_numbers():
    with pytest.raises(ValueError):
        read_packed(["$" + pack_all([1, 2, 3])], 0)
