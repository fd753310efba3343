"""BigNAS in TensorFlow 2: one training run, children for every budget.

    import bignas_tf as bignas

    bignas.prepare_data("fashion_mnist")
    config = bignas.configure("bignas_small", ["fashion_mnist.yaml"])
    run = bignas.train(config, "runs/fashion")
    found = bignas.search(run, ["mflops=1", "mflops=4"], "runs/fashion/search")
    version = bignas.export(run, "runs/fashion/search/child_4.json", "runs/fashion/export")

Functions show lines of progress; `show=None` silences them, and any function of a line takes them
instead. Mistakes of the caller raise `UsageError`, runs that fail `RunError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from bignas_tf.errors import RunError, UsageError

if TYPE_CHECKING:
    from bignas_tf.accuracy import Accuracy
    from bignas_tf.api.arrays import write_folder
    from bignas_tf.api.baseline import baseline
    from bignas_tf.api.cascades import export_cascade
    from bignas_tf.api.checking import check_images
    from bignas_tf.api.counting import check_budgets, cost, describe
    from bignas_tf.api.devices import evaluation_strategy, training_strategy
    from bignas_tf.api.examples import save_images
    from bignas_tf.api.exporting import child, convert, export, export_family, verify
    from bignas_tf.api.finetuning import finetune
    from bignas_tf.api.garden import configure_garden, export_garden, train_garden
    from bignas_tf.api.importing import import_supernet
    from bignas_tf.api.judging import confusion, evaluate, judge
    from bignas_tf.api.latency import latency_table
    from bignas_tf.api.predicting import Classifier, Prediction
    from bignas_tf.api.reporting import report
    from bignas_tf.api.runs import configure, fit, load, read_config, train
    from bignas_tf.api.searching import search
    from bignas_tf.api.selecting import select
    from bignas_tf.conversion.figures import ConversionReport
    from bignas_tf.data.packing import pack as pack_images
    from bignas_tf.data.prepare import prepare as prepare_data
    from bignas_tf.exports.publishing import finish as finish_exports
    from bignas_tf.exports.runtimes import Outcome
    from bignas_tf.exports.trainable import backbone
    from bignas_tf.latency.table import LatencyTable
    from bignas_tf.modeling.elastic_model import ElasticModel
    from bignas_tf.packaged import unpack_demo
    from bignas_tf.search_space.architecture import Architecture
    from bignas_tf.search_space.cost import Cost
    from bignas_tf.search_space.presets import get as search_space_of
    from bignas_tf.search_space.published import published
    from bignas_tf.search_space.space import SearchSpace
    from bignas_tf.selection.baseline import Baseline
    from bignas_tf.selection.baseline import read as read_baseline
    from bignas_tf.selection.budgets import Budget
    from bignas_tf.selection.budgets import read as budget
    from bignas_tf.selection.cascades import Cascade
    from bignas_tf.selection.confusion import Confusion
    from bignas_tf.selection.judgement import Judgement
    from bignas_tf.selection.objectives import Measurement, Objective
    from bignas_tf.selection.result import SearchResult
    from bignas_tf.selection.result import read as read_search
    from bignas_tf.selection.selected import Selected
    from bignas_tf.training.checkpoints import Run
    from bignas_tf.training.recipe import Recipe, recipe
    from bignas_tf.workers import is_chief

__version__ = "0.2.0.dev0"

# Where each name is. TensorFlow takes seconds to import, so it waits until a name needs it.
_HOMES = {
    "Accuracy": "accuracy.Accuracy",
    "Architecture": "search_space.architecture.Architecture",
    "Baseline": "selection.baseline.Baseline",
    "Budget": "selection.budgets.Budget",
    "Cascade": "selection.cascades.Cascade",
    "Classifier": "api.predicting.Classifier",
    "Confusion": "selection.confusion.Confusion",
    "ConversionReport": "conversion.figures.ConversionReport",
    "Cost": "search_space.cost.Cost",
    "ElasticModel": "modeling.elastic_model.ElasticModel",
    "Judgement": "selection.judgement.Judgement",
    "LatencyTable": "latency.table.LatencyTable",
    "Measurement": "selection.objectives.Measurement",
    "Objective": "selection.objectives.Objective",
    "Outcome": "exports.runtimes.Outcome",
    "Prediction": "api.predicting.Prediction",
    "Recipe": "training.recipe.Recipe",
    "Run": "training.checkpoints.Run",
    "SearchResult": "selection.result.SearchResult",
    "SearchSpace": "search_space.space.SearchSpace",
    "Selected": "selection.selected.Selected",
    "backbone": "exports.trainable.backbone",
    "baseline": "api.baseline.baseline",
    "budget": "selection.budgets.read",
    "check_budgets": "api.counting.check_budgets",
    "check_images": "api.checking.check_images",
    "child": "api.exporting.child",
    "configure": "api.runs.configure",
    "configure_garden": "api.garden.configure_garden",
    "confusion": "api.judging.confusion",
    "convert": "api.exporting.convert",
    "cost": "api.counting.cost",
    "describe": "api.counting.describe",
    "evaluate": "api.judging.evaluate",
    "evaluation_strategy": "api.devices.evaluation_strategy",
    "export": "api.exporting.export",
    "export_cascade": "api.cascades.export_cascade",
    "export_family": "api.exporting.export_family",
    "export_garden": "api.garden.export_garden",
    "finetune": "api.finetuning.finetune",
    "finish_exports": "exports.publishing.finish",
    "fit": "api.runs.fit",
    "import_supernet": "api.importing.import_supernet",
    "is_chief": "workers.is_chief",
    "judge": "api.judging.judge",
    "latency_table": "api.latency.latency_table",
    "load": "api.runs.load",
    "pack_images": "data.packing.pack",
    "prepare_data": "data.prepare.prepare",
    "published": "search_space.published.published",
    "read_baseline": "selection.baseline.read",
    "read_config": "api.runs.read_config",
    "read_search": "selection.result.read",
    "recipe": "training.recipe.recipe",
    "report": "api.reporting.report",
    "save_images": "api.examples.save_images",
    "search": "api.searching.search",
    "search_space_of": "search_space.presets.get",
    "select": "api.selecting.select",
    "train": "api.runs.train",
    "train_garden": "api.garden.train_garden",
    "training_strategy": "api.devices.training_strategy",
    "unpack_demo": "packaged.unpack_demo",
    "verify": "api.exporting.verify",
    "write_folder": "api.arrays.write_folder",
}

__all__ = [
    "Accuracy",
    "Architecture",
    "Baseline",
    "Budget",
    "Cascade",
    "Classifier",
    "Confusion",
    "ConversionReport",
    "Cost",
    "ElasticModel",
    "Judgement",
    "LatencyTable",
    "Measurement",
    "Objective",
    "Outcome",
    "Prediction",
    "Recipe",
    "Run",
    "RunError",
    "SearchResult",
    "SearchSpace",
    "Selected",
    "UsageError",
    "backbone",
    "baseline",
    "budget",
    "check_budgets",
    "check_images",
    "child",
    "configure",
    "configure_garden",
    "confusion",
    "convert",
    "cost",
    "describe",
    "evaluate",
    "evaluation_strategy",
    "export",
    "export_cascade",
    "export_family",
    "export_garden",
    "finetune",
    "finish_exports",
    "fit",
    "import_supernet",
    "is_chief",
    "judge",
    "latency_table",
    "load",
    "pack_images",
    "prepare_data",
    "published",
    "read_baseline",
    "read_config",
    "read_search",
    "recipe",
    "report",
    "save_images",
    "search",
    "search_space_of",
    "select",
    "train",
    "train_garden",
    "training_strategy",
    "unpack_demo",
    "verify",
    "write_folder",
]

# Type checkers see the imports above; with this function they would accept any name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Imports a public name when it is first used (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, attribute = _HOMES[name].rpartition(".")
        value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
