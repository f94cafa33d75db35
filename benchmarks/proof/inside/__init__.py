"""The code that the proof loads into the product's processes; the product has no code for it."""
