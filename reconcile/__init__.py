"""Background loops, readiness and the doctor: they keep rows, workflows and networks in agreement."""
