"""Functions of texts that are safe and cheap for whatever an untrusted text contains."""
