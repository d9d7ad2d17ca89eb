-- The registry: agents, the versions of their prompts, and what happened to them.
--
-- The application checks every rule before it writes, for the sake of good messages. This file holds the same rules a
-- second time, so that a hand-written statement cannot break them either. Each refusal carries the name of a
-- constraint, by which the application recognises it. An applied migration is never edited; a change is a new file.

do $$
begin
    -- sha256 and the character counts are those of the UTF-8 text.
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'Verbatim needs a database in UTF8; this one is in %', current_setting('server_encoding')
            using hint = 'create database verbatim encoding ''UTF8'' template template0';
    end if;
end $$;

-- Agents ------------------------------------------------------------------------------------------------------------

create table agents (
    agent_type varchar(50) not null,
    created_at timestamptz not null default now(),
    constraint agents_pkey primary key (agent_type),
    constraint agents_type_pattern check (agent_type ~ '^[a-z][a-z0-9_]{0,49}$'),
    constraint agents_type_not_reserved check (
        agent_type not in (
            'active', 'agents', 'cache', 'calls', 'events', 'lab', 'metrics', 'patch', 'promote', 'reissue', 'stats',
            'versions'
        )
    )
);

comment on table agents is
    'One row an agent type. Writers of an agent lock its row, so they queue behind each other and behind nobody else.';
comment on constraint agents_pkey on agents is
    'The name is the identity: it is what paths, caches and programs use, and it never changes.';
comment on constraint agents_type_pattern on agents is
    'A name must be safe in a path, an environment variable and a file name.';
comment on constraint agents_type_not_reserved on agents is
    'Fixed path segments of the API: an agent of that name could not be addressed.';

-- Prompts -----------------------------------------------------------------------------------------------------------

create table prompts (
    id uuid not null default gen_random_uuid(),
    agent_type varchar(50) not null,
    version varchar(20) not null,
    prompt_text text not null,
    is_active boolean not null default false,
    created_at timestamptz not null default now(),
    created_by varchar(100),
    notes text,
    -- When the version went live; null as long as it never did. A version goes live at most once, because whatever
    -- becomes active is above everything that was active before. So this column is the whole history of activations.
    activated_at timestamptz,
    -- Derived by prompts_derive. Versions are ordered by their numbers, never by their text; and a list of versions shows
    -- digest and counts without reading a megabyte each.
    major bigint,
    minor bigint,
    patch bigint,
    sha256 char(64) not null,
    char_count integer not null,
    line_count integer not null,
    constraint prompts_pkey primary key (id),
    constraint prompts_agent_type_fkey foreign key (agent_type) references agents (agent_type),
    constraint prompts_agent_type_version_key unique (agent_type, version),
    constraint prompts_version_format check ((version = major || '.' || minor || '.' || patch) is true),
    constraint prompts_text_size check (
        octet_length(prompt_text) <= 1048576 and btrim(prompt_text, E' \t\n\r\f\v') <> ''
    ),
    constraint prompts_notes_size check (char_length(notes) <= 2000),
    constraint prompts_active_has_time check (activated_at is not null or not is_active)
);

comment on table prompts is
    'The versions of each agent''s prompt. Rows are added and go live; nothing else about them ever changes.';
comment on constraint prompts_pkey on prompts is
    'A stable handle for programs, the same after an export and an import.';
comment on constraint prompts_agent_type_fkey on prompts is
    'A version without an agent could be neither found nor locked.';
comment on constraint prompts_agent_type_version_key on prompts is
    'A number is given once: there is never a second 1.0.0. Also how a single version is found.';
comment on constraint prompts_version_format on prompts is
    'Exactly major.minor.patch without leading zeros, so that one version has one spelling.';
comment on constraint prompts_text_size on prompts is
    'At most 1 MiB of UTF-8, and never blank: a blank system prompt is always a mistake.';
comment on constraint prompts_notes_size on prompts is
    'Notes are a few paragraphs; a document belongs elsewhere.';
comment on constraint prompts_active_has_time on prompts is
    'What is live went live at some moment; without it the time line would have a hole.';

create index idx_prompts_agent_type on prompts (agent_type);
comment on index idx_prompts_agent_type is 'All versions of an agent: counts, exports, joins.';

create index idx_prompts_active on prompts (agent_type, is_active);
comment on index idx_prompts_active is 'The active row of an agent, and those that are not.';

create index idx_prompts_created on prompts (created_at);
comment on index idx_prompts_created is 'What was created in a stretch of time, over all agents.';

create unique index prompts_one_active_per_agent on prompts (agent_type) where is_active;
comment on index prompts_one_active_per_agent is
    'Two rows of one agent can never be active at once, whatever the callers do. Also the index of every load.';

create unique index prompts_version_order on prompts (agent_type, major, minor, patch);
comment on index prompts_version_order is
    'Finds the highest version and free numbers in the order of versions; unique as a second guard of one spelling.';

create index prompts_history on prompts (agent_type, created_at desc, major desc, minor desc, patch desc);
comment on index prompts_history is
    'The history in the order it is shown in, so that a page of 100,000 versions costs as much as one of 100.';

create unique index prompts_live_at on prompts (agent_type, activated_at) where activated_at is not null;
comment on index prompts_live_at is
    'What was live at a moment: the last row at or before it. Unique, so that there is one answer.';

-- Events ------------------------------------------------------------------------------------------------------------

create table prompt_events (
    id bigint generated by default as identity,
    occurred_at timestamptz not null default clock_timestamp(),
    kind text not null,
    agent_type varchar(50) not null,
    version varchar(20),
    actor varchar(100),
    base_version varchar(20),
    previous_active varchar(20),
    constraint prompt_events_pkey primary key (id),
    constraint prompt_events_agent_type_fkey foreign key (agent_type) references agents (agent_type),
    constraint prompt_events_base_fkey foreign key (agent_type, base_version) references prompts (agent_type, version),
    constraint prompt_events_previous_fkey foreign key (agent_type, previous_active)
        references prompts (agent_type, version),
    constraint prompt_events_kind check (kind in ('created', 'promoted', 'reissued', 'cache_cleared')),
    constraint prompt_events_version_fkey foreign key (agent_type, version) references prompts (agent_type, version),
    constraint prompt_events_names_version check (version is not null or kind = 'cache_cleared')
);

comment on table prompt_events is
    'Who did what, when, from which base, and what was live before. Append-only: it is the audit trail.';
comment on column prompt_events.base_version is 'The version whose text the change started from.';
comment on column prompt_events.previous_active is 'The version that was live before the change.';
comment on constraint prompt_events_pkey on prompt_events is 'The position in this log; a resumed reader goes on from it.';
comment on constraint prompt_events_agent_type_fkey on prompt_events is
    'An event is always about an agent that exists, also one that names no version.';
comment on constraint prompt_events_version_fkey on prompt_events is 'An event cannot name a version that never was.';
comment on constraint prompt_events_base_fkey on prompt_events is 'Nor can it start from one.';
comment on constraint prompt_events_previous_fkey on prompt_events is 'Nor can one have been live before.';
comment on constraint prompt_events_kind on prompt_events is 'A closed list, so that every reader can handle each kind.';
comment on constraint prompt_events_names_version on prompt_events is
    'Only the clearing of a cache concerns an agent as a whole.';

create index prompt_events_recent on prompt_events (occurred_at desc, id desc);
comment on index prompt_events_recent is 'The newest events over all agents, for the overview.';

create index prompt_events_of_agent on prompt_events (agent_type, occurred_at desc, id desc);
comment on index prompt_events_of_agent is 'The newest events of one agent, and its last change.';

-- Rules that a constraint cannot say ----------------------------------------------------------------------------------

create function prompts_derive() returns trigger language plpgsql as $$
begin
    -- What is not a version has no numbers, and prompts_version_format refuses it.
    if new.version ~ '^(0|[1-9][0-9]{0,15})\.(0|[1-9][0-9]{0,15})\.(0|[1-9][0-9]{0,15})$' then
        new.major := split_part(new.version, '.', 1);
        new.minor := split_part(new.version, '.', 2);
        new.patch := split_part(new.version, '.', 3);
    else
        new.major := null;
    end if;
    new.sha256 := encode(sha256(convert_to(new.prompt_text, 'UTF8')), 'hex');
    new.char_count := char_length(new.prompt_text);
    -- As editors count: a line break at the very end does not begin another line.
    new.line_count := char_length(new.prompt_text) - char_length(replace(new.prompt_text, E'\n', ''))
        + case when right(new.prompt_text, 1) = E'\n' then 0 else 1 end;
    return new;
end $$;

comment on function prompts_derive is
    'A version and its numbers, a text and its digest and counts belong together because only the database makes them.';

create trigger prompts_10_derive before insert on prompts for each row execute function prompts_derive();

create function prompts_refuse_change() returns trigger language plpgsql as $$
begin
    if (new.id, new.agent_type, new.version, new.prompt_text, new.created_at, new.created_by, new.notes, new.sha256,
            new.char_count, new.line_count, new.major, new.minor, new.patch)
        is distinct from
        (old.id, old.agent_type, old.version, old.prompt_text, old.created_at, old.created_by, old.notes, old.sha256,
            old.char_count, old.line_count, old.major, old.minor, old.patch)
        or (old.activated_at is not null and new.activated_at is distinct from old.activated_at)
        or (new.activated_at is distinct from old.activated_at and not new.is_active)
    then
        raise exception 'version % of % never changes', old.version, old.agent_type
            using errcode = 'check_violation', constraint = 'prompts_immutable', table = 'prompts',
                hint = 'Create a new version with the text you want.';
    end if;
    return new;
end $$;

comment on function prompts_refuse_change is 'A version that was read once reads the same for ever; only going live is allowed.';

create trigger prompts_20_immutable before update on prompts for each row execute function prompts_refuse_change();

create function prompts_go_live() returns trigger language plpgsql as $$
declare
    latest record;
begin
    -- Two activations of one agent must see each other, even when they are written by hand.
    perform 1 from agents where agent_type = new.agent_type for no key update;
    select version, major, minor, patch, activated_at into latest
        from prompts
        where agent_type = new.agent_type and activated_at is not null and id <> new.id
        order by activated_at desc limit 1;
    if found and (new.major, new.minor, new.patch) <= (latest.major, latest.minor, latest.patch) then
        raise exception 'version % of % is not above %, which was live already', new.version, new.agent_type, latest.version
            using errcode = 'check_violation', constraint = 'prompts_fix_forward', table = 'prompts',
                hint = 'Reissue its text as the next version.';
    end if;
    -- A row that is imported brings the time along. A clock that was set back must not break the order.
    if tg_op = 'UPDATE' or new.activated_at is null then
        new.activated_at := greatest(clock_timestamp(), latest.activated_at + interval '1 microsecond');
    end if;
    return new;
end $$;

comment on function prompts_go_live is 'Fix forward: what goes live is above everything that was live before.';

create trigger prompts_30_insert_live before insert on prompts
    for each row when (new.is_active) execute function prompts_go_live();
create trigger prompts_30_update_live before update of is_active on prompts
    for each row when (new.is_active and not old.is_active) execute function prompts_go_live();

create function prompts_check_time_line() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from prompts where agent_type = new.agent_type and is_active) then
        raise exception 'agent % would have no active version', new.agent_type
            using errcode = 'check_violation', constraint = 'prompts_stays_active', table = 'prompts',
                hint = 'Promote a higher version; an agent that went live stays live.';
    end if;
    -- The neighbours in time must be the neighbours in version order; over all rows that makes the two orders one.
    if exists (
            select 1 from (
                select major, minor, patch from prompts
                where agent_type = new.agent_type and activated_at < new.activated_at
                order by activated_at desc limit 1
            ) before
            where (before.major, before.minor, before.patch) >= (new.major, new.minor, new.patch)
        ) or exists (
            select 1 from (
                select major, minor, patch, activated_at from prompts
                where agent_type = new.agent_type and activated_at > new.activated_at
                order by activated_at limit 1
            ) after
            where (after.major, after.minor, after.patch) <= (new.major, new.minor, new.patch)
        ) or exists (
            select 1 from prompts live
            where live.agent_type = new.agent_type and live.is_active and live.activated_at < new.activated_at
        )
    then
        raise exception 'the time line of % would run backwards at %', new.agent_type, new.version
            using errcode = 'check_violation', constraint = 'prompts_fix_forward', table = 'prompts',
                hint = 'Activation times and versions must rise together, and the last one activated is active.';
    end if;
    return null;
end $$;

comment on function prompts_check_time_line is
    'At commit: an agent that went live has an active version, the last one activated, and its time line only rises.';

create constraint trigger prompts_time_line after insert or update on prompts
    deferrable initially deferred
    for each row when (new.activated_at is not null) execute function prompts_check_time_line();
comment on constraint prompts_time_line on prompts is
    'Deferred, because a promotion takes two statements: the old version steps down, the new one goes live.';

create function refuse_removal() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed or removed', tg_table_name
        using errcode = 'check_violation', constraint = tg_table_name || '_immutable', table = tg_table_name,
            hint = 'Fix forward: add a new version.';
end $$;

comment on function refuse_removal is 'History is the product: there is no statement that takes it away.';

create trigger agents_immutable before update or delete on agents for each row execute function refuse_removal();
create trigger agents_no_truncate before truncate on agents for each statement execute function refuse_removal();
create trigger prompts_no_delete before delete on prompts for each row execute function refuse_removal();
create trigger prompts_no_truncate before truncate on prompts for each statement execute function refuse_removal();
create trigger prompt_events_immutable before update or delete on prompt_events
    for each row execute function refuse_removal();
create trigger prompt_events_no_truncate before truncate on prompt_events
    for each statement execute function refuse_removal();

create function prompts_announce() returns trigger language plpgsql as $$
begin
    perform pg_notify(
        'verbatim_prompts',
        json_build_object('kind', 'promoted', 'agent_type', new.agent_type, 'version', new.version)::text
    );
    return null;
end $$;

comment on function prompts_announce is
    'Tells every node which agent to drop from its cache. PostgreSQL delivers it with the commit, or not at all.';

create trigger prompts_announce_insert after insert on prompts
    for each row when (new.is_active) execute function prompts_announce();
create trigger prompts_announce_update after update of is_active on prompts
    for each row when (new.is_active and not old.is_active) execute function prompts_announce();

create function lock_agent(name varchar, out is_known boolean, out active_version varchar) language plpgsql as $$
begin
    perform 1 from agents where agent_type = name for no key update;
    is_known := found;
    -- A statement of its own: in READ COMMITTED it sees what the previous holder of the lock has committed, which a
    -- subquery of the locking statement would not.
    select version into active_version from prompts where agent_type = name and is_active;
end $$;

comment on function lock_agent is
    'Queues behind the other writers of an agent and tells what is active now, in one round trip.';
