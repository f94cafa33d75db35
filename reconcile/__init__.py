"""Background loops, readiness and the doctor: they keep rows, workflows and platforms in agreement."""
