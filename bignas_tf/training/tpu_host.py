"""Which TPU this machine is a host of. TensorFlow does not say."""

from __future__ import annotations

import http.client
import os
import urllib.request

# Set on GKE and read by libtpu. The hosts of a Cloud TPU ask Google's metadata server instead.
_VARIABLE = "TPU_ACCELERATOR_TYPE"
_ATTRIBUTE = "computeMetadata/v1/instance/attributes/accelerator-type"
_TIMEOUT_S = 3
# By the names that topologies have.
_GENERATIONS = {"v5litepod": "v5e"}


def generation() -> str:
    """Returns the generation of this host's TPU, such as "v3" or "v5e"; "" if unknown."""
    # A type is a generation and a number of cores or chips, such as v3-8.
    named = (os.environ.get(_VARIABLE) or _attribute()).rpartition("-")[0]
    return _GENERATIONS.get(named, named)


def _attribute() -> str:
    """The accelerator type by the metadata server; "" where there is none."""
    # Google's own libraries take the server from this variable, too.
    server = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    request = urllib.request.Request(
        f"http://{server}/{_ATTRIBUTE}", headers={"Metadata-Flavor": "Google"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            return answer.read().decode().strip()
    except (OSError, ValueError, http.client.HTTPException):
        return ""
