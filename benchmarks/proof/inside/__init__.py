"""What the proof does inside the product's own processes, of which their code knows nothing."""
