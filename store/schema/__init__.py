"""The schema of the database: its revisions, what each has made, and which code fits."""
