"""Credentials of accounts: renewed in time, and completed with the secrets of the operator's apps."""
