"""Tests of api.queues."""
