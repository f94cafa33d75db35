"""Measure the product beside the bare parts it is made of."""
