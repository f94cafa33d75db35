-- Writes into the record of an imported row that its post was deleted, so that no import creates the post again silently.
-- A trigger, so that no way to delete a post can forget it. Acts with the owner's rights: retention is the worker's.
CREATE FUNCTION note_deleted_post_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
  UPDATE imported_rows SET deleted_at = now()
  WHERE workspace_id = old.workspace_id AND external_id = old.external_id AND post_id = old.id;
  RETURN NULL;
END
$$
