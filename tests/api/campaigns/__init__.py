"""Tests of api.campaigns."""
