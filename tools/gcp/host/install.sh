#!/usr/bin/env bash
# On every host: makes a new .venv from requirements.lock, with the TensorFlow that is built for TPUs.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# The libtpu whose PJRT version (0.72) is that of TensorFlow 2.20. tensorflow-tpu allows any newer
# one, but the newest lack functions that it loads (0.0.52 does): change it with TensorFlow.
libtpu=0.0.18

stop server KILL # it runs from the old .venv, and ignores TERM
# The images have Python 3.10, which is too old; uv brings 3.11 and needs no root.
python3 -m pip install --quiet --user uv==0.13.9
python3 -m uv venv --quiet --clear --seed --python=3.11 .venv
pip() {
  .venv/bin/python -m pip --quiet "$@"
}
# The same packages on every host, and after every preemption: all that are locked. tensorflow and
# tensorflow-tpu are the same files, built differently, and need the same packages.
awk '/^[^ #]/ { other = !/^tensorflow==/ } other' requirements.lock > locked.txt
pip install --no-deps --require-hashes --requirement=locked.txt
tensorflow=$(sed -n 's/^tensorflow==//p' requirements.txt)
pip install --no-deps "tensorflow-tpu==$tensorflow" "libtpu==$libtpu"
