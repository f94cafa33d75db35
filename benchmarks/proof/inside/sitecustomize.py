"""Python runs this at the start of every process that finds it by PYTHONPATH: the parts of a stack under proof."""

import os
import sys
from pathlib import Path

if folder := os.environ.get("PROOF_INSIDE"):
    from benchmarks.proof.inside.hooks import begin

    begin(Path(folder), sys.orig_argv[-1])
