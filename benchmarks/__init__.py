"""Benchmarks that compare the product with the bare parts that it is made of."""
