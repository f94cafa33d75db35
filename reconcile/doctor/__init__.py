"""Hold rows, workflows and the sandbox's networks against each other; reads only. `doctor.py` is where to begin."""
