"""Tests of store.pauses."""
