-- A version goes live once. What 0001 left open to SQL written by hand: stepping a version down and up again in one
-- transaction gave it a new time, and a version could be inserted as live in a far future.

create or replace function prompts_go_live() returns trigger language plpgsql as $$
declare
    latest record;
begin
    -- Two activations of one agent must see each other, even when they are written by hand.
    perform 1 from agents where agent_type = new.agent_type for no key update;
    -- A row that is imported brings the time along. Clocks differ a little; nobody knows what will be live next year.
    if new.activated_at > clock_timestamp() + interval '1 day' then
        raise exception 'version % of % would be live only from %', new.version, new.agent_type, new.activated_at
            using errcode = 'check_violation', constraint = 'prompts_fix_forward', table = 'prompts',
                hint = 'Leave the time out, or give that at which it went live.';
    end if;
    select version, major, minor, patch, activated_at into latest
        from prompts
        where agent_type = new.agent_type and activated_at is not null and id <> new.id
        order by activated_at desc limit 1;
    if found and (new.major, new.minor, new.patch) <= (latest.major, latest.minor, latest.patch) then
        raise exception 'version % of % is not above %, which was live already', new.version, new.agent_type, latest.version
            using errcode = 'check_violation', constraint = 'prompts_fix_forward', table = 'prompts',
                hint = 'Reissue its text as the next version.';
    end if;
    if tg_op = 'UPDATE' and old.activated_at is not null then
        raise exception 'version % of % was live already, since %', new.version, new.agent_type, old.activated_at
            using errcode = 'check_violation', constraint = 'prompts_immutable', table = 'prompts',
                hint = 'Reissue its text as the next version.';
    end if;
    -- A clock that was set back must not break the order.
    if tg_op = 'UPDATE' or new.activated_at is null then
        new.activated_at := greatest(clock_timestamp(), latest.activated_at + interval '1 microsecond');
    end if;
    return new;
end $$;

comment on function prompts_go_live is
    'Fix forward: what goes live is above everything that was live before, goes live once, and not in a far future.';
