"""On every host of a slice: runs TensorFlow's server, a Python script, with float32 kept float32.

  worker.py .venv/bin/start_grpc_tpu_worker

The server compiles what the program on the first host sends it, so the switch that
`bignas_tf/api/devices.py` turns there must be turned in the server's process, too.
"""

from __future__ import annotations

import runpy
import sys

import tensorflow as tf

if __name__ == "__main__":
    tf.config.experimental.enable_tensor_float_32_execution(False)
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
