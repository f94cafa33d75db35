"""The side effects that the workflows call, with their timeouts and retry policies beside them."""
