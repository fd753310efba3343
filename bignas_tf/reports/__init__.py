"""The report of a run: its inputs, figures, drawings of children, and the page."""
