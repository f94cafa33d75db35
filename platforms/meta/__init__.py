"""The modules that Meta's platforms share: the Graph API, its errors, and containers. It is no platform itself."""
