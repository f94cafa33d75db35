"""Tests of the connected accounts."""
