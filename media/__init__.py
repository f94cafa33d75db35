"""Media of posts: fetched to disk safely, examined, and changed if a platform demands it."""
