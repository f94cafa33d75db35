"""Comparison of rows, workflows and the sandbox's platforms; it only reads. `doctor.py` is where to begin."""
