"""On every host of a slice: runs TensorFlow's server, a Python script, as this project needs it.

  worker.py .venv/bin/start_grpc_tpu_worker

The server compiles what the program on the first host sends it, so the switch that
`bignas_tf/api/devices.py` turns there, which keeps float32 float32, must be turned in the server's
process, too. SIGTERM does not end it: a host that is shut down sends it to all processes, and the
program needs its servers for the checkpoint that it then saves.
"""

from __future__ import annotations

import runpy
import signal
import sys

import tensorflow as tf

if __name__ == "__main__":
    tf.config.experimental.enable_tensor_float_32_execution(False)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
