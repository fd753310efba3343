"""Elastic layers, from which any supernet can be built; docs/layers.md describes them.

A layer holds the weights of the widest child, and each call names the widths in use. Importing
this takes TensorFlow; `import bignas_tf` does not import it.
"""

from bignas_tf.layers.batch_norm import ElasticBatchNorm
from bignas_tf.layers.classifier import ElasticClassifier
from bignas_tf.layers.convolution import ElasticConvolution
from bignas_tf.layers.depthwise import ElasticDepthwise
from bignas_tf.layers.elastic import Pass, Width, fit, mask
from bignas_tf.layers.pointwise import ElasticPointwise
from bignas_tf.layers.squeeze_excite import ElasticSqueezeExcite

__all__ = [
    "ElasticBatchNorm",
    "ElasticClassifier",
    "ElasticConvolution",
    "ElasticDepthwise",
    "ElasticPointwise",
    "ElasticSqueezeExcite",
    "Pass",
    "Width",
    "fit",
    "mask",
]
