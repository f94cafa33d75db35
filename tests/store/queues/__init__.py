"""Tests of store.queues."""
