-- Returns whether an endpoint with these event names gets an event. `*` is every event but two: an import schedules
-- thousands of posts, and a test is for one endpoint alone.
CREATE FUNCTION wants_event_v1(_names text[], _type text)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
  SELECT _type = ANY (_names) OR ('*' = ANY (_names) AND _type NOT IN ('post.scheduled', 'webhook.test'))
$$
