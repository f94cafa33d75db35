"""Clients of workflows, over Temporal and the database: starts and updates, runs, queues, failures, lists."""
