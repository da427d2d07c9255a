"""What the black-box suite drives the real programs with. Python's standard library only, none of our own code."""
