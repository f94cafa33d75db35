"""The operator's apps: at which platforms there is one, and which platforms refuse it."""
