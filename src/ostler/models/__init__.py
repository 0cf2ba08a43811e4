"""The model layer: what is asked of a model, what comes back, and the wires that carry it."""
