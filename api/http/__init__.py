"""HTTP as this API takes it: connections, requests, bodies and headers, read strictly and within limits."""
