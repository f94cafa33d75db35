-- Removes a post from its queue once its time is no longer the slot's: it was moved, or has become a draft. Another post may
-- have the slot from then on. It is a trigger, so that every change of a post frees its slot, by whatever code it is made.
--
-- A post gets a new slot of the same queue by two updates: the first removes it from the queue, the second puts it into the
-- slot.
CREATE FUNCTION leave_queue_v1() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  new.queue_id := NULL;
  RETURN new;
END
$$
