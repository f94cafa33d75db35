"""HTTP to servers that are not trusted: connections, requests, answers with bounds, and what a failure leaves open."""
