"""Tests of store.campaigns."""
