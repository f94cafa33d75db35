"""Posts, targets, schedules and errors: pure rules that know no other package."""
