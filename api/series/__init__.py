"""The endpoints under /v1/series: posts that recur by a rule."""
