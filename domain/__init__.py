"""Posts, targets, schedules and errors: pure rules that know nobody."""
