-- Inserts a post with its targets, and takes the Idempotency-Key of its request. Returns the generation of the key, 1 if
-- there is no key. If another request holds the key, returns null and changes nothing. Waits for a transaction that is
-- taking the same key.
--
-- `_post` has the workflow id of the key's first generation, as domain.ids.workflow_id makes it. A column that is not named
-- in the INSERT gets its default.
--
-- Raises foreign_key_violation if the post's
-- campaign does not exist (any more), and keeps it from being deleted until the transaction ends.
CREATE FUNCTION create_post_v1(
  _post jsonb,
  _targets jsonb,
  _key text,
  _sha256 bytea,
  _now timestamptz,
  _expires_at timestamptz,
  _response_status int,
  _response_body bytea
)
RETURNS int
LANGUAGE plpgsql
AS $$
DECLARE
  _workspace_id text := _post ->> 'workspace_id';
  _generation int := 1;
BEGIN
  IF _key IS NOT NULL THEN
    _generation := take_key_v1(
      _workspace_id, _key, _sha256, _post ->> 'id', _now, _expires_at, _response_status, _response_body, NULL, NULL
    );
    IF _generation IS NULL THEN
      RETURN NULL;
    END IF;
    IF _generation > 1 THEN
      -- As domain.ids.workflow_id does: the generation follows the workspace.
      _post := _post || jsonb_build_object('workflow_id',
        _workspace_id || '~' || _generation || substr(_post ->> 'workflow_id', length(_workspace_id) + 1));
    END IF;
  END IF;
  -- After the key, as operations on campaigns do.
  IF _post ->> 'campaign_id' IS NOT NULL THEN
    PERFORM FROM campaigns WHERE id = _post ->> 'campaign_id' AND workspace_id = _workspace_id FOR KEY SHARE;
    IF NOT FOUND THEN
      RAISE foreign_key_violation USING MESSAGE = 'the workspace has no such campaign', CONSTRAINT = 'campaign_of_post';
    END IF;
  END IF;
  INSERT INTO posts (
    id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for, scheduled_wall,
    external_id, external_digest, planned_for, tiktok_settings, facebook_settings, due_at, answer_bytes,
    publish_within, campaign_id, series_id, occurrence, queue_id, version, delivered_version, next_delivery_at,
    delivery_attempts, created_by, published_at, created_at, updated_at
  )
  SELECT
    id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for, scheduled_wall,
    external_id, external_digest, planned_for, tiktok_settings, facebook_settings, due_at, answer_bytes,
    publish_within, campaign_id, series_id, occurrence, queue_id, version, delivered_version, next_delivery_at,
    delivery_attempts, created_by, published_at, created_at, updated_at
  FROM jsonb_populate_record(NULL::posts, _post);
  INSERT INTO targets (
    id, post_id, workspace_id, position, platform, account_id, custom_content, custom_media, settings, status,
    due_at, begun_at, confirming, edited_content, handles, platform_post_id, platform_post_url, published_at,
    editable_until, warning, media_changes, edit_history, error, error_code, error_category, retryable,
    next_attempt_at, hold_reason, released_at, preflight_code
  )
  SELECT
    id, post_id, workspace_id, position, platform, account_id, custom_content, custom_media, settings, status,
    due_at, begun_at, confirming, edited_content, handles, platform_post_id, platform_post_url, published_at,
    editable_until, warning, media_changes, edit_history, error, error_code, error_category, retryable,
    next_attempt_at, hold_reason, released_at, preflight_code
  FROM jsonb_populate_recordset(NULL::targets, _targets);
  RETURN _generation;
END
$$
