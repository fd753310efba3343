"""BigNAS in TensorFlow 2: one training run, children for every budget."""

__version__ = "0.2.0.dev0"
