"""Targets while they are published: their attempts, their slots, and what requests wait for."""
