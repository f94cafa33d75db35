"""The parts from which every process is put together: settings, clients, wiring."""
