"""BigNAS in TensorFlow 2: one training run, children for every budget."""
