import tensorflow as tf
def test_two():
    assert len(tf.config.list_logical_devices("CPU")) == 2
    s = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]); assert s.num_replicas_in_sync == 2
