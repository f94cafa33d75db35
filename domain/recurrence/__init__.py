"""Rules by which posts recur, in JSCalendar's names (RFC 8984) and as RRULE text (RFC 5545), and their times."""
