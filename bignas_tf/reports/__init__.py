"""What `tools.report` is made of: inputs, figures, drawings of children, and the page."""
