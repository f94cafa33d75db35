"""The modules that Google's platforms share: consent, tokens and errors. It is no platform itself."""
