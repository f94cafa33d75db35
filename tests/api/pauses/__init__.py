"""Tests of api.pauses."""
