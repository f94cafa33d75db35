CREATE FUNCTION keep_post_tags_v1() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
        BEGIN
          IF TG_OP <> 'INSERT' THEN
            DELETE FROM post_tags WHERE workspace_id = old.workspace_id AND tag = ANY (old.tags) AND post_id = old.id;
          END IF;
          IF TG_OP <> 'DELETE' THEN
            INSERT INTO post_tags SELECT DISTINCT new.workspace_id, tag, new.id FROM unnest(new.tags) AS tag;
          END IF;
          RETURN NULL;
        END $$
