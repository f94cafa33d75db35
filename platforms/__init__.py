"""One module per network: its limits, settings, wire protocol and error map together."""
