"""The files that production is built and started from, and the commands that check and renew their versions."""
