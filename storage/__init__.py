"""The store of uploaded media: objects with random names in a directory or in a bucket of S3."""
