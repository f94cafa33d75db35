"""The platforms of the sandbox, one module or package each; each fake platform in this package is served."""
