"""Makes a run of a public supernet that others have trained on ImageNet with PyTorch.

  python -m tools.import_supernet --from=attentive_nas \\
      --checkpoint=attentive_nas_pretrained.pth.tar --model_dir=runs/attentive_nas

Search, evaluate, export, convert, finetune and report then take it like any other run. PyTorch is
not needed, and no code in the checkpoint is run. Download the checkpoint from its authors;
docs/public-weights.md says where, and under which licence they give it.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from .cli import launch

_FROM = flags.DEFINE_enum(
    "from",
    None,
    ["attentive_nas", "alphanet", "ofa_mbv3_w1.0", "ofa_mbv3_w1.2"],
    "Whose supernet it is.",
    required=True,
)
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", None, "File that its authors saved; on this machine.", required=True
)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder of the run to be; must not hold one.", required=True
)
_CONFIG_FILE = flags.DEFINE_multi_string(
    "config_file", [], "YAML on top of the supernet's own, such as your images; repeatable."
)
_PARAMS_OVERRIDE = flags.DEFINE_string("params_override", "", "Overrides, as in tools.train.")


def main() -> None:
    """Imports the checkpoint named by the flags."""
    bignas.import_supernet(
        _FROM.value,
        _CHECKPOINT.value,
        _MODEL_DIR.value,
        config_files=_CONFIG_FILE.value,
        params_override=_PARAMS_OVERRIDE.value,
    )


if __name__ == "__main__":
    launch(main)
