"""What a user may ask for, and what is said of a mistake."""

from __future__ import annotations

import pathlib

import pytest

from bignas_tf import errors
from bignas_tf.training import parsing

OPTIMISER = "trainer.optimizer_config."
STEPWISE = f"{OPTIMISER}learning_rate.type=stepwise,{OPTIMISER}learning_rate.stepwise"


def _refusal(overrides: str) -> str:
    with pytest.raises(errors.UsageError) as caught:
        parsing.parse("bignas_small", [], overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_experiment_lists_ours() -> None:
    with pytest.raises(errors.UsageError, match=r"'bignas_big'; choose from \[.*'bignas_small'"):
        parsing.parse("bignas_big", [], "")


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("tusk.seed", "task"),
        ("task.sandwitch.biggest", "sandwich"),
        ("task.sandwich.num_randoms", "num_random"),
        ("trainer.train_step", "train_steps"),
        (f"{OPTIMISER}optimizer.rmsprop.ro", "rho"),
        # Not the chosen schedule: the fields of all of them are known.
        (f"{OPTIMISER}learning_rate.cosine.alpa", "alpha"),
    ],
)
def test_an_unknown_key_names_the_nearest(key: str, nearest: str) -> None:
    assert f"; did you mean '{nearest}'" in _refusal(f"{key}=1")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trainer.train_steps=many", "trainer.train_steps is 'many'; expected int"),
        ("trainer.train_steps=1e30", "trainer.train_steps is 1e+30; expected int"),
        ("trainer.train_steps=1.5", "trainer.train_steps is 1.5; expected int"),
        ("trainer.train_steps=true", "trainer.train_steps is True; expected int"),
        ("trainer.train_steps=null", "trainer.train_steps is None; expected int"),
        ("task.sandwich.biggest=1", "task.sandwich.biggest is 1; expected bool"),
        ("task.sandwich=1", "task.sandwich is 1; expected dict"),
        ("task.model.search_space=5", "task.model.search_space is 5; expected str"),
        ("task.selection.batch_size=x", "task.selection.batch_size is 'x'; expected int"),
        ("task.regularisation.weight_decay=no", "weight_decay is False; expected float"),
        ("task.selection.resolutions=20", "task.selection.resolutions is 20; expected"),
    ],
)
def test_a_value_of_the_wrong_type_says_which_is_expected(override: str, words: str) -> None:
    assert words in _refusal(override)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trainer.steps_per_loop=30", "200; .* multiple of steps_per_loop \\(30\\)"),
        (
            "task.evaluation.children=[smallest],trainer.validation_interval=50",
            "validation_interval is 50; .* multiple of steps_per_loop \\(20\\)",
        ),
        ("task.evaluation.children=[5]", "evaluation.children has 5; it takes 'smallest'"),
        ("task.train_data.is_training=false", "is_training is False; it takes true"),
        ("trainer.train_steps=0", "train_steps is 0; it takes a whole number from 1"),
        (f"trainer.train_steps={10**30}", "it takes a whole number from 1 to 2147483647"),
        ("trainer.loss_upper_bound=.nan", "loss_upper_bound is nan; it takes a number above 0"),
        ("trainer.loss_upper_bound=0.0", "loss_upper_bound is 0.0; it takes a number above 0"),
        ("task.train_data.global_batch_size=1000000000", "global_batch_size is 1000000000; it"),
        ("task.train_data.prefetch_buffer_size=-5", "prefetch_buffer_size is -5; it takes 1"),
        ("task.train_data.prefetch_buffer_size=x", "prefetch_buffer_size is 'x'; it takes 1"),
        ("task.train_data.shuffle_buffer_size=-5", "shuffle_buffer_size is -5; it is a whole"),
        (f"task.train_data.label_offset={10**24}", "label_offset is 10+; it is a whole number"),
        ("task.sandwich.num_random=1000000000", "num_random is 1000000000; it takes 0 to 64"),
        ("task.regularisation.weight_decay=.inf", "weight_decay is inf; it takes 0 or more"),
        ("runtime.num_gpus=-1", "num_gpus is -1; it takes 0 or more"),
        ("task.evaluation.images=-1", "evaluation.images is -1; it takes 0"),
        (
            "trainer.steps_per_loop=40",
            "summary_interval is 20; .* multiple of steps_per_loop \\(40\\)",
        ),
        ("trainer.summary_interval=0", "summary_interval is 0; it takes a whole number from 1"),
        ("trainer.max_to_keep=0", "max_to_keep is 0; it takes a whole number from 1"),
        ("task.seed=-1", "task.seed is -1; it takes 0 to 4294967295"),
        ("task.seed=4294967296", "task.seed is 4294967296; it takes 0 to 4294967295"),
        ("task.train_data.base_size=32", "base_size is 32; the supernet is made for 28"),
        ("runtime.mixed_precision_dtype=float16", r"'float16'; choose from \['float32', 'bfl"),
        ("runtime.distribution_strategy=parameter_server", "choose from .*'one_device'"),
        ("task.train_data.num_classes=1", "num_classes is 1; it takes 2 or more"),
        (
            "runtime.enable_xla=true,task.model.execution=mask",
            "for the GPUs that runtime.num_gpus names, which is 0",
        ),
        ("trainer.train_tf_function=false", "train_tf_while_loop needs trainer.train_tf_function"),
        (
            "trainer.allow_tpu_summary=true,trainer.train_tf_while_loop=false",
            "allow_tpu_summary needs trainer.train_tf_while_loop",
        ),
        ("runtime.enable_xla=true", "again for every child; set task.model.execution=mask"),
        (f"{OPTIMISER}warmup.type=lin", r"'lin'; choose from \['linear', 'polynomial'\]"),
        (f"{OPTIMISER}optimizer.type=sgd_experimental", "'sgd_experimental', which has no legacy"),
        (
            f"{OPTIMISER}optimizer.rmsprop.global_clipnorm=0",
            "is 0.0; it takes a number above 0, or",
        ),
        (f"{OPTIMISER}optimizer.rmsprop.epsilon=-1", r"epsilon is -1.0; it takes 0 or more"),
        (
            f"{OPTIMISER}optimizer.type=adamw,{OPTIMISER}optimizer.adamw.weight_decay_rate=-1",
            r"weight_decay_rate is -1.0; it takes 0 or more",
        ),
        (
            f"{OPTIMISER}optimizer.type=adamw,"
            f"{OPTIMISER}optimizer.adamw.exclude_from_weight_decay=['(']",
            r"decay has '\(', which is no regular expression: missing \)",
        ),
        ("task.sandwich.biggest=false", "weight is 1.0, but there is no teacher; set sandwich.b"),
        (
            "task.sandwich.biggest=false,task.distillation.weight=0.0",
            "regularises the biggest child, which task.sandwich.biggest=false does not train; set",
        ),
        ("task.sandwich.resolutions=all", r"'all'; choose from \['paired', 'any'\]"),
        ("task.sandwich.alone=nobody.json", "nobody.json cannot be read"),
        ("task.distillation.weight=1.5", "weight is 1.5; it takes 0 to 1"),
        ("task.distillation.weight=.nan", "weight is nan; it takes 0 to 1"),
        ("task.distillation.ramp_steps=-1", "ramp_steps is -1; it takes 0 or more"),
        (
            "task.distillation.alpha_max=.inf",
            "the first is the lower, and neither is 0 or infinite",
        ),
        ("task.distillation.divergence=js", r"'js'; choose from \['kl', 'alpha'\]"),
        ("task.distillation.alpha_min=2.0", "are 2.0 and 1.0; the first is the lower"),
        ("task.distillation.alpha_max=0.0", "are -1.0 and 0.0; .* neither is 0"),
        ("task.distillation.clip=0.5", "clip is 0.5; it takes 1 or more"),
        (f"{OPTIMISER}ema.average_decay=1.0", "average_decay is 1.0; it takes 0 or more, and"),
        (f"{OPTIMISER}ema.start_step=-1", "start_step is -1; it takes 0 or more"),
        (
            f"{OPTIMISER}ema.start_step=1,{OPTIMISER}ema.dynamic_decay=false",
            "start_step is 1; with dynamic_decay=false it takes 2 or more",
        ),
        (
            "task.model.execution=mask,task.sandwich.resolutions=any,"
            "runtime.distribution_strategy=mirrored",
            "does not run under runtime.distribution_strategy=mirrored; set execution=slice",
        ),
        (
            "task.distillation.teacher=somewhere,task.distillation.weight=0.0",
            "weight is 0, so no child learns from task.distillation.teacher 'somewhere'",
        ),
        (
            f"{OPTIMISER}ema.averag=0.9",
            "unknown key '.*ema.averag'; did you mean 'average_decay'",
        ),
        (f"{OPTIMISER}ema=3", "ema is 3; expected dict"),
        (
            "task.sandwich.biggest=false,task.distillation.weight=0.0,"
            "task.sandwich.smallest=false,task.sandwich.num_random=0",
            "trains no child",
        ),
        ("task.sandwich.num_random=-1", "num_random"),
        (
            "task.sandwich.same_patch=false,task.train_data.crop=none,task.train_data.flip=false",
            "all patches of an image are alike; set crop",
        ),
        ("task.model.execution=fast", r"'fast'; choose from \['auto', 'slice', 'mask'\]"),
        ("task.regularisation.children=none", r"'none'; choose from \['biggest', 'all'\]"),
        ("task.regularisation.dropout_rate=1", "dropout_rate is 1.*less than 1"),
        ("task.regularisation.label_smoothing=-0.1", "label_smoothing is -0.1"),
        ("task.regularisation.weight_decay=-1.0", "weight_decay is -1.0; it takes 0 or more"),
        (f"{OPTIMISER}optimizer.type=sgdd", "optimizer.type is 'sgdd'; choose from .*'rmsprop'"),
        (f"{OPTIMISER}learning_rate.type=no_such", "choose from .*'constant_ending'"),
        (f"{OPTIMISER}learning_rate.type=stepwise", r"stepwise\.boundaries is not set; this sche"),
        (f"{OPTIMISER}learning_rate.type=cosine", r"cosine\.initial_learning_rate is not set"),
        (f"{OPTIMISER}warmup.type=polynomial", r"polynomial\.warmup_steps is not set"),
        (f"{OPTIMISER}warmup.linear.warmup_learning_rate=-1", "rate is -1.0; it takes 0 or more"),
        (f"{OPTIMISER}optimizer.rmsprop.rho=2.0", "rho is 2.0; it takes 0 or more, and less than"),
        (f"{OPTIMISER}optimizer.rmsprop.momentum=-3.0", "momentum is -3.0; it takes 0 or more"),
        (f"{STEPWISE}.boundaries=[5,a],{STEPWISE}.values=[1,1,1]", "it takes ascending steps"),
        (f"{STEPWISE}.boundaries=[5,3],{STEPWISE}.values=[1,1,1]", r"\[5, 3\]; it takes ascending"),
        (
            f"{STEPWISE}.boundaries=[5],{STEPWISE}.values=[0.1]",
            r"values is \[0.1\]; it takes rates, each 0 or more, 2 f",
        ),
        (
            f"{STEPWISE}.boundaries=[],{STEPWISE}.values=[-0.1]",
            r"values is \[-0.1\]; it takes rates, each 0 or",
        ),
        (
            "runtime.distribution_strategy=tpu,task.model.execution=slice",
            "slice does not run on a TPU, .* set execution=auto or mask",
        ),
        ("task.selection.batch_size=2000000", "selection.batch_size is 2000000; it takes up to"),
        ("task.model.search_space=", "search space None is neither a preset nor a file"),
        ("task.model.search_space=''", "search space '' is neither a preset nor a file"),
        ("task.train_data.source=digit", "'digit'.*did you mean 'digits'"),
    ],
)
def test_values_that_do_not_fit_together(override: str, words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        parsing.parse("bignas_small", [], override)


@pytest.mark.parametrize(
    "override",
    [f"{OPTIMISER}ema=null", "{trainer: {optimizer_config: {ema: null}}}"],
)
def test_a_group_that_a_file_gave_can_be_left_out_again(
    tmp_path: pathlib.Path, override: str
) -> None:
    path = tmp_path / "averaged.yaml"
    path.write_text("trainer: {optimizer_config: {ema: {average_decay: 0.9}}}")
    assert parsing.parse("bignas_small", [str(path)], "").trainer.optimizer_config.ema
    config = parsing.parse("bignas_small", [str(path)], override)
    assert config.trainer.optimizer_config.ema is None


def test_a_slice_without_quotes_is_told_to_take_some() -> None:
    sliced = "task.selection.ranking_split=train[90%:]"
    assert "stands in quotes of its own, as in task.selection.ranking_split='tr" in _refusal(sliced)
    name, equals, value = sliced.partition("=")
    config = parsing.parse("bignas_small", [], f"{name}{equals}'{value}'")
    assert config.task.selection.ranking_split == value
