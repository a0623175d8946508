#!/usr/bin/env bash
# lightshow pins a pymatgen of 2024 that this environment must not have, so it is installed without its dependencies.
set -euo pipefail
pip install --no-deps lightshow==1.2.8
