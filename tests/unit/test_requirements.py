"""One environment, told in two ways: for pip and for conda."""

import re

import yaml
from shared_data import PROJECT


def pins(name):
    lines = (PROJECT / name).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def test_pip_and_conda_have_the_same_pins():
    conda = yaml.safe_load((PROJECT / "envs/xanesflow.yaml").read_text())
    assert next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)) == pins("requirements.txt")
    (lightshow,) = pins("requirements-lightshow.txt")
    assert f"pip install --no-deps {lightshow}\n" in (PROJECT / "envs/xanesflow.post-deploy.sh").read_text()


def test_every_package_is_pinned_once_and_no_address_is_named():
    names = []
    for file in ("requirements.txt", "requirements-dev.txt", "requirements-lightshow.txt"):
        for pin in pins(file):
            assert re.fullmatch(r'[A-Za-z0-9._-]+==[A-Za-z0-9.]+(; platform_machine == "x86_64")?', pin), (
                f"{file}: {pin}"
            )
            names.append(pin.split("==")[0].lower().replace("_", "-"))
        assert "://" not in (PROJECT / file).read_text()
    assert len(set(names)) == len(names)
    assert "lightshow" not in {pin.split("==")[0] for pin in pins("requirements.txt")}


def test_what_the_library_stands_on_is_pinned():
    pinned = {pin.split("==")[0].lower() for pin in pins("requirements.txt")}
    wanted = {"numpy", "torch", "matgl", "chgnet", "pymatgen", "snakemake", "pydantic", "h5py", "pandas", "pyarrow"}
    assert wanted | {"safetensors", "zstandard", "joblib", "jinja2", "matplotlib", "spglib"} <= pinned
