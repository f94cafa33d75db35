"""Tests of the clients in packages of their own: built, installed and used as their users do."""
