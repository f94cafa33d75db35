import gc
import sys

# Rewriting the asserts of all test files takes each process of pytest longer than importing them.
sys.dont_write_bytecode = False
if "pytest" in sys.modules:
    # All that is imported stays. `tests.conftest` lets garbage be collected once all tests are collected.
    gc.disable()
