"""The speed of this service beside two floors, in the same run."""
