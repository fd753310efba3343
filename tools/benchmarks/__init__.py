"""What `python -m tools.benchmark` measures, one module each.

A new measure is a module with `measure(settings) -> list[harness.Row]` and a line here, and in
`READ` if it reads more of the settings than the repeats.
"""

MEASURES = {
    "step": "one sandwich step: against static children, and slices against masks",
    "candidate": "calibrating and scoring one child: against a static child built for it",
    "cost": "children counted a second",
    "child": "an exported child: against EfficientNetB0, as SavedModel and in LiteRT",
    "input": "training images a second a core: against the Model Garden's pipeline",
    "startup": "--help of every tool, and importing the package",
}

# Which settings a measure reads beside the repeats.
READ = {
    "step": ("search_space", "batch_size"),
    "candidate": ("search_space", "images"),
    "input": ("images",),
}
