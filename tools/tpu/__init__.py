"""What `python -m tools.tpu_compile` is made of: lowering with TensorFlow, compiling with libtpu.

The two cannot share an environment: `compiler.py` runs in .venv-tpu and imports nothing of the
project, the other modules run in .venv.
"""
