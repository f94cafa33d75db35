"""The networks of the sandbox, one module or package each; whatever twin lies here is served."""
