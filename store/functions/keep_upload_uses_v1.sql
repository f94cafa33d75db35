-- Keeps which uploads a row of `posts` or `targets` names. It is a trigger, so that no writer can forget one: creation,
-- import, series, change, correction, SQL typed by hand. An upload is held as long as a row names it.
--
-- Each row has uses of its own, so the work of a change depends on the size of the changed row alone. An upload that is
-- being deleted is not held. The lock of its row makes one of both wait, and the second sees what the first did.
CREATE FUNCTION keep_upload_uses_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  _post_id text;
  _target_id text := '';
  _text text;
BEGIN
  IF TG_TABLE_NAME = 'posts' THEN
    _post_id := new.id;
    _text := concat(new.media_items, new.tiktok_settings, new.facebook_settings);
  ELSIF TG_OP = 'DELETE' THEN
    DELETE FROM upload_uses WHERE post_id = old.post_id AND target_id = old.id;
    RETURN NULL;
  ELSE
    _post_id := new.post_id;
    _target_id := new.id;
    _text := concat(new.custom_media, new.settings);
  END IF;
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM upload_uses WHERE post_id = _post_id AND target_id = _target_id;
  END IF;
  INSERT INTO upload_uses (upload_id, post_id, target_id)
  SELECT id, _post_id, _target_id FROM uploads
  WHERE workspace_id = new.workspace_id AND state <> 'deleted' AND token = ANY (upload_tokens_v1(_text))
  ORDER BY id FOR KEY SHARE;
  RETURN NULL;
END
$$
