"""How many images tf.data reads at once: a fixed number, which TensorFlow must not tune.

The thread that tunes it is woken when its iterator is freed, but told that it must end a moment
later (`CancellationManager::StartCancel` of TensorFlow 2.20 calls back before it sets its flag).
A thread that looks in between sleeps again, for as long as the iterator has lived, at most a
minute, and everything waits for it, because Python's lock is held. On two processors that
happened to one iterator in six.
"""

from __future__ import annotations

import tensorflow as tf

_MOST = 1024


def options(images: bool = True) -> tf.data.Options:
    """The options of a data set whose parallel steps say `tf.data.AUTOTUNE`.

    Args:
      images: the steps are about single images, as many at once as there are processors. A whole
        batch takes more memory: at most 16 at once, TensorFlow's own start.
    """
    fixed = tf.data.Options()
    fixed.autotune.enabled = False
    if images:
        fixed.autotune.initial_parallelism = _MOST  # TensorFlow has a thread a processor, no more
    return fixed
