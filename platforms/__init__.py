"""One package per platform, with its limits, settings, requests and error mapping."""
