import sys

# Rewriting the asserts of all test files takes each process of pytest longer than importing them.
sys.dont_write_bytecode = False
