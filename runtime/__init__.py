"""What every process is put together from: settings, connections, wiring."""
